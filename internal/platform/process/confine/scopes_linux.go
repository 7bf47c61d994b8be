package confine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// scopes keeps limits by units of systemd: each copy is a transient scope of its own, with its
// limits as the unit's properties, in the slice of all copies. A scope ends with its processes,
// so nothing is left to sweep; and it is not the agent's, so restarting that ends no copy.
type scopes struct {
	run    string // systemd-run
	plant  string
	mounts hierarchies
	fence  *sync.Once // set with the first copy
}

// slice is the unit that all copies of the host are in.
const slice = "andon.slice"

// systemdTimeout is how long systemd may take to set a property.
const systemdTimeout = 10 * time.Second

func newScopes(run, plant string, mounts hierarchies) Warden {
	return scopes{run: run, plant: plant, mounts: mounts, fence: new(sync.Once)}
}

// setFence bounds all copies of this host together. Where that fails, each copy's own limit stays.
func (s scopes) setFence() {
	ctx, cancel := context.WithTimeout(context.Background(), systemdTimeout)
	defer cancel()
	f := hostFence(nil)
	//nolint:gosec // no part of it comes from outside
	_ = exec.CommandContext(ctx, "systemctl", "set-property", "--runtime", slice,
		"MemoryMax="+strconv.FormatInt(f.memory, 10), "TasksMax="+strconv.FormatInt(f.processes, 10)).Run()
}

// String implements Warden.
func (s scopes) String() string { return "units of systemd: memory, CPU, processes" }

// Lacks implements Warden.
func (s scopes) Lacks(andon.Limits) string { return "" }

// Command implements Warden.
func (s scopes) Command(id andon.InstanceID, limits andon.Limits, argv []string) []string {
	s.fence.Do(s.setFence)
	// Each life of a copy has a unit of its own: the one before may take a moment to go.
	unit := fmt.Sprintf("%s-%08x.scope", s.unit(id), rand.Uint32()) //nolint:gosec // no secret
	command := []string{
		s.run, "--scope", "--quiet", "--collect", "--slice=" + slice, "--unit=" + unit,
		"--description=Andon: copy " + string(id),
	}
	for _, p := range properties(limits) {
		command = append(command, "--property="+p)
	}
	return append(append(command, "--"), argv...)
}

// unit returns what the names of a copy's units begin with.
func (s scopes) unit(id andon.InstanceID) string { return "andon-" + s.plant + "-" + string(id) }

// properties returns limits in the words of systemd.resource-control(5).
func properties(limits andon.Limits) []string {
	most := limits.Processes
	if most == 0 {
		most = DefaultProcesses
	}
	p := []string{"TasksMax=" + strconv.Itoa(most), "CPUWeight=100", "MemoryAccounting=yes"}
	if limits.Memory > 0 {
		p = append(p, "MemoryMax="+strconv.FormatInt(limits.Memory, 10), "MemorySwapMax=0")
	}
	if limits.CPU > 0 {
		p = append(p, fmt.Sprintf("CPUQuota=%d.%d%%", limits.CPU/10, limits.CPU%10))
	}
	return p
}

// Admit implements Warden: systemd has put the process into its scope already.
func (s scopes) Admit(id andon.InstanceID, pid int, limits andon.Limits) (*Cell, error) {
	cell := s.Find(id, pid)
	if cell == nil {
		return nil, errors.New("systemd has put the copy into no scope")
	}
	// What was asked for and is not had must not seem to be kept.
	for c, wanted := range map[string]bool{memory: limits.Memory > 0, cpu: limits.CPU > 0, processes: true} {
		if wanted && cell.dirs[c] == "" {
			return nil, errors.New("systemd keeps no limit here of " + c)
		}
	}
	// What version 1 does not have: if memory kills a part of the copy, it kills all of it.
	if dir := cell.dirs[memory]; dir != "" {
		_ = write(dir, "memory.oom.group", "1")
	}
	return cell, restrain(pid)
}

// Find implements Warden.
func (s scopes) Find(id andon.InstanceID, pid int) *Cell {
	return findCell(s.mounts, pid, func(group string) bool {
		rest, ok := strings.CutPrefix(group, s.unit(id)+"-")
		return ok && strings.HasSuffix(rest, ".scope") && len(rest) == len("01234567.scope")
	}, false)
}

// Sweep implements Warden.
func (s scopes) Sweep(func(andon.InstanceID) bool) {}
