package process

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform/process/confine"
)

// exitText says in words how a process ended.
func exitText(ws syscall.WaitStatus) string {
	switch {
	case ws.Signaled():
		return "killed by " + unix.SignalName(ws.Signal())
	case ws.ExitStatus() == 127:
		return "exit status 127: command not found" // what a shell says
	case ws.ExitStatus() == 126:
		return "exit status 126: command cannot be executed"
	default:
		return fmt.Sprintf("exit status %d", ws.ExitStatus())
	}
}

// outOfMemory returns what to add to how a copy ended if the kernel has killed a process of it
// to get memory: because its limit was reached, or that of all copies together, or the host's.
func outOfMemory(exit string, limits andon.Limits, m confine.Memory) string {
	switch {
	case m.Kills > 0 && m.AtLimit && limits.Memory > 0:
		return ": it reached its memory limit of " + confine.Bytes(limits.Memory)
	case m.Kills > 0:
		return ": the memory for copies on this host was used up"
	case m.Unknown && limits.Memory > 0 && exit == exitText(syscall.WaitStatus(syscall.SIGKILL)):
		return ": perhaps it reached its memory limit of " + confine.Bytes(limits.Memory)
	}
	return ""
}

// How a copy ended of which nobody can say more.
const (
	exitUnknown = "ended with an unknown exit status"
	exitUnseen  = "ended while the agent was away"
	exitMachine = "ended with the machine, which was restarted"
)

// endedUnseen says how a process ended that was not there any more when it was looked for.
func endedUnseen(id identity) string {
	if boot, err := bootID(); err == nil && boot != id.Boot {
		return exitMachine
	}
	return exitUnseen
}

// reapChild returns how the process ended if it was a child of this process, and forgets it.
func reapChild(pid int) (string, bool) {
	var ws syscall.WaitStatus
	for {
		got, err := syscall.Wait4(pid, &ws, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || got != pid {
			return "", false
		}
		return exitText(ws), true
	}
}
