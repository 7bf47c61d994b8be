package confine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Cell is the control groups that hold one copy, in each tree one.
type Cell struct {
	dirs map[string]string // by controller
	own  bool              // made by this process, not by systemd
}

// atLimitMargin is what the kernel may hold back of a group's limit for its processors.
const atLimitMargin = 1 << 20

// Memory says what the kernel has killed of a copy. It is to be asked as soon as the copy has
// ended: what systemd made is gone soon after, and sometimes before.
func (c *Cell) Memory() Memory {
	if c == nil || c.dirs[memory] == "" {
		return Memory{}
	}
	dir := c.dirs[memory]
	if events := read(filepath.Join(dir, "memory.events")); events != "" {
		return Memory{Kills: events.value("oom_kill"), AtLimit: events.value("max") > 0}
	}
	control := read(filepath.Join(dir, "memory.oom_control"))
	// What was refused is counted in one of several places; the highest use is always known.
	most := read(filepath.Join(dir, "memory.max_usage_in_bytes")).number()
	limit := read(filepath.Join(dir, "memory.limit_in_bytes")).number()
	return Memory{Kills: control.value("oom_kill"), AtLimit: most > limit-atLimitMargin, Unknown: control == ""}
}

// killTime bounds how long Kill waits for processes that it has killed to be gone: on a busy
// host, each of them needs its turn for that.
const killTime = 10 * time.Second

// Kill kills every process in the cell, also those that have left their session and forgot
// their environment. First it takes from them the right to make others. It returns how many are
// left all the same.
func (c *Cell) Kill() (left int) {
	if c == nil {
		return 0
	}
	dir := c.dirs[processes]
	if dir == "" {
		dir = c.dirs[memory]
	}
	_ = write(dir, "pids.max", "0")
	end := time.Now().Add(killTime)
	for round := 0; ; round++ {
		pids := strings.Fields(string(read(filepath.Join(dir, "cgroup.procs"))))
		if len(pids) == 0 || time.Now().After(end) {
			return len(pids)
		}
		for _, s := range pids {
			if pid, err := strconv.Atoi(s); err == nil {
				c.kill(pid, dir)
			}
		}
		time.Sleep(time.Duration(min(round, 20)) * time.Millisecond)
	}
}

// kill kills a process if it is in the cell, whose group it was found in.
func (c *Cell) kill(pid int, dir string) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }()
	// Still the same one, now that the handle holds it?
	if strings.Contains(string(read("/proc/"+strconv.Itoa(pid)+"/cgroup")), "/"+filepath.Base(dir)) {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

// Remove removes the groups if nothing runs in them, and the plant's with the last of them.
// Those of systemd, it removes itself.
func (c *Cell) Remove() {
	if c == nil || !c.own {
		return
	}
	for _, dir := range c.dirs {
		// Not empty: something of the copy runs yet, and who ends it tries again.
		if os.Remove(dir) == nil {
			_ = os.Remove(filepath.Dir(dir))
		}
	}
}

// outOfMemory makes the kernel take a copy before the plant, when the host itself has no memory
// left: half-way between what is left to chance and what goes first.
const outOfMemory = 500

// restrain sets what every copy gets, control groups or not: how many files it may open, that
// it leaves no memory image on the disk when it crashes, and that it goes before the plant.
func restrain(pid int) error {
	var has unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &has); err != nil {
		return os.NewSyscallError("prlimit", err)
	}
	files := unix.Rlimit{Cur: min(has.Cur, DefaultFiles), Max: min(has.Max, DefaultFiles)}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &files, nil); err != nil {
		return os.NewSyscallError("prlimit", err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil); err != nil {
		return os.NewSyscallError("prlimit", err)
	}
	// Where it may not be set (it has been set higher, say), nothing is lost by going on.
	_ = write("/proc/"+strconv.Itoa(pid), "oom_score_adj", strconv.Itoa(outOfMemory))
	return nil
}

// Group returns the directory of the cell's group of a controller: memory, cpu or pids. Empty:
// that one does not hold it.
func (c *Cell) Group(controller string) string {
	if c == nil {
		return ""
	}
	return c.dirs[controller]
}
