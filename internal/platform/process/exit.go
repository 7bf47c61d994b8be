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

// outOfMemory adds to how a copy ended that the kernel has killed a process of it to get memory:
// its limit was reached, or that of all copies together, or the host's.
func outOfMemory(exit string, limits andon.Limits, atLimit bool) string {
	why := "the memory for copies on this host was used up"
	if limits.Memory > 0 && atLimit {
		why = "it reached its memory limit of " + confine.Bytes(limits.Memory)
	}
	return exit + ": " + why
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
