package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/andon-cd/andon/internal/andon"
)

// groups keeps limits by control groups of its own, below those that this process is in: one
// for the plant in each tree, with one for each copy in it. They are there as long as a copy is.
type groups struct {
	mounts hierarchies
	fence  fence
	own    map[string]string // the groups of this process, by controller that can be had
	plant  map[string]string // the plant's groups
	why    string            // why other controllers cannot be had
}

// newGroups tries to make the plant's groups. Without any, nothing keeps limits.
func newGroups(plant string, mounts hierarchies) Warden {
	own, err := mounts.groups(os.Getpid())
	if err != nil {
		return none{why: "the control groups of this process cannot be read"}
	}
	g := groups{mounts: mounts, fence: hostFence(own), own: own, plant: make(map[string]string)}
	for _, c := range controllers {
		h, ok := mounts.with(c)
		if !ok {
			g.why = "this host has no control groups for " + c
			continue
		}
		dir := filepath.Join(own[c], "andon-"+plant)
		if err := prepare(h, own[c], dir); err != nil {
			g.why = "control groups for " + c + " cannot be made: " + reason(err)
			continue
		}
		g.plant[c] = dir
		_ = os.Remove(dir) // unless copies are in it
	}
	if len(g.plant) == 0 {
		return none{why: g.why}
	}
	return g
}

// build makes the plant's groups, if they are not there, and one in each for a copy.
func (g groups) build(id andon.InstanceID) (*Cell, error) {
	cell := &Cell{dirs: make(map[string]string, len(g.plant)), own: true}
	for c, dir := range g.plant {
		h, _ := g.mounts.with(c)
		if err := prepare(h, g.own[c], dir); err != nil {
			return nil, err
		}
		cell.dirs[c] = filepath.Join(dir, string(id))
	}
	// A fence that cannot be set leaves each copy's own limit.
	if dir := g.plant[memory]; dir != "" {
		_ = setMemory(dir, g.fence.memory)
		_ = write(dir, "memory.oom.group", "0") // one copy has to go, not all
	}
	if dir := g.plant[processes]; dir != "" {
		_ = write(dir, "pids.max", strconv.FormatInt(g.fence.processes, 10))
	}
	for _, dir := range cell.dirs {
		_ = os.Remove(dir) // and with it what an earlier life of the copy is on record for
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
	}
	return cell, nil
}

// prepare makes the plant's group, ready for groups below it.
func prepare(h hierarchy, own, dir string) error {
	if h.unified {
		if err := delegate(own, h.controllers); err != nil {
			return fmt.Errorf("%s: %w", own, err)
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if h.unified {
		if err := delegate(dir, h.controllers); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	// A file system may be mounted for reading only and yet have the directory.
	f, err := os.OpenFile(filepath.Join(dir, "cgroup.procs"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// delegate gives the controllers of a group of version 2 to the groups below it. The kernel
// lets a group have only either processes or that, so this process goes to one of its own, if
// it is what is in the way.
func delegate(dir string, wanted []string) error {
	grant := func() error {
		for _, c := range wanted {
			if err := write(dir, "cgroup.subtree_control", "+"+c); err != nil {
				return err
			}
		}
		return nil
	}
	err := grant()
	if err == nil || len(strings.Fields(string(read(filepath.Join(dir, "cgroup.procs"))))) == 0 {
		return err
	}
	leaf := filepath.Join(dir, "andon-agent")
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	self := strconv.Itoa(os.Getpid())
	if err := write(leaf, "cgroup.procs", self); err != nil {
		return err
	}
	if err := grant(); err != nil {
		_ = write(dir, "cgroup.procs", self) // others are there too: everything stays as it was
		_ = os.Remove(leaf)
		return err
	}
	return nil
}

// reason returns the system's own words for an error.
func reason(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	return err.Error()
}

// String implements Warden.
func (g groups) String() string {
	return "control groups: " + strings.Join(g.kept(), ", ")
}

func (g groups) kept() []string {
	var kept []string
	for _, c := range controllers {
		if g.plant[c] != "" {
			kept = append(kept, map[string]string{memory: "memory", cpu: "CPU", processes: "processes"}[c])
		}
	}
	return kept
}

// Lacks implements Warden.
func (g groups) Lacks(limits andon.Limits) string {
	if g.plant[memory] != "" {
		limits.Memory = 0
	}
	if g.plant[cpu] != "" {
		limits.CPU = 0
	}
	if g.plant[processes] != "" {
		limits.Processes = 0
	}
	return none{why: g.why}.Lacks(limits)
}

// Command implements Warden.
func (g groups) Command(_ andon.InstanceID, _ andon.Limits, argv []string) []string { return argv }

// Admit implements Warden.
func (g groups) Admit(id andon.InstanceID, pid int, limits andon.Limits) (*Cell, error) {
	if err := restrain(pid); err != nil {
		return nil, err
	}
	cell, err := g.build(id)
	for range buildTries {
		if !removed(err) {
			break
		}
		cell, err = g.build(id) // the last other copy has gone meanwhile, and the plant's groups with it
	}
	if err != nil {
		return nil, err
	}
	if err := cell.limit(limits); err != nil {
		cell.Remove()
		return nil, err
	}
	for _, dir := range cell.dirs {
		if err := write(dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return nil, err
		}
	}
	return cell, nil
}

// buildTries bounds how often the groups for a copy are made again that were removed meanwhile.
const buildTries = 10

// removed reports whether a group was removed before it was used, or while it was.
func removed(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENODEV)
}

// Find implements Warden.
func (g groups) Find(id andon.InstanceID, pid int) *Cell {
	return findCell(g.mounts, pid, func(group string) bool { return group == string(id) }, true)
}

// Sweep implements Warden.
func (g groups) Sweep(known func(andon.InstanceID) bool) {
	for _, plant := range g.plant {
		entries, err := os.ReadDir(plant)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.IsDir() && !known(andon.InstanceID(e.Name())) {
				_ = os.Remove(filepath.Join(plant, e.Name()))
			}
		}
		_ = os.Remove(plant)
	}
}

// findCell returns the cell of a process in groups whose last name is a copy's.
func findCell(mounts hierarchies, pid int, copys func(group string) bool, own bool) *Cell {
	dirs, err := mounts.groups(pid)
	if err != nil {
		return nil
	}
	cell := &Cell{dirs: make(map[string]string, len(dirs)), own: own}
	for c, dir := range dirs {
		if copys(filepath.Base(dir)) {
			cell.dirs[c] = dir
		}
	}
	if len(cell.dirs) == 0 {
		return nil
	}
	return cell
}

// limit sets what a copy may take.
func (c *Cell) limit(limits andon.Limits) error {
	if dir := c.dirs[memory]; dir != "" && limits.Memory > 0 {
		if err := setMemory(dir, limits.Memory); err != nil {
			return err
		}
	}
	if dir := c.dirs[cpu]; dir != "" && limits.CPU > 0 {
		if err := setCPU(dir, limits.CPU); err != nil {
			return err
		}
	}
	if dir := c.dirs[processes]; dir != "" {
		most := limits.Processes
		if most == 0 {
			most = DefaultProcesses
		}
		return write(dir, "pids.max", strconv.Itoa(most))
	}
	return nil
}

// setMemory bounds the memory of a group, and lets it have no swap beyond.
func setMemory(dir string, bytes int64) error {
	most := strconv.FormatInt(bytes, 10)
	if err := write(dir, "memory.max", most); !errors.Is(err, os.ErrNotExist) {
		if err == nil {
			_ = write(dir, "memory.swap.max", "0")  // not there without swap
			_ = write(dir, "memory.oom.group", "1") // half a copy is no copy
		}
		return err
	}
	if err := write(dir, "memory.limit_in_bytes", most); err != nil {
		return err
	}
	_ = write(dir, "memory.memsw.limit_in_bytes", most) // not there without swap accounting
	return nil
}

// period is the span, in microseconds, in which the kernel counts a group's time.
const period = 100_000

// setCPU bounds the processor time of a group, in thousandths of a core.
func setCPU(dir string, millicores int) error {
	quota := strconv.Itoa(max(millicores*period/1000, 1000)) // the kernel takes no less
	if err := write(dir, "cpu.max", quota+" "+strconv.Itoa(period)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := write(dir, "cpu.cfs_period_us", strconv.Itoa(period)); err != nil {
		return err
	}
	return write(dir, "cpu.cfs_quota_us", quota)
}
