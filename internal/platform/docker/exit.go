package docker

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// How a copy ended whose container cannot be asked.
const exitRemoved = "its container was removed"

const sigkill = 128 + int(syscall.SIGKILL)

// exitText says in words how a container ended. The Engine tells a signal as the shells do, by
// a status above 128.
func exitText(c container) string {
	code := c.State.ExitCode
	if c.State.OOMKilled {
		why := "it used more than its memory"
		if m := c.HostConfig.Memory; m > 0 {
			why = "it used more than its " + bytesText(m) + " of memory"
		}
		if code == sigkill {
			return "killed: " + why
		}
		return fmt.Sprintf("exit status %d, after a part of it was killed: %s", code, why)
	}
	switch name := unix.SignalName(syscall.Signal(code - 128)); {
	case code > 128 && name != "":
		return "killed by " + name
	case code == 127:
		return "exit status 127: command not found" // what a shell says
	case code == 126:
		return "exit status 126: command cannot be executed"
	default:
		return fmt.Sprintf("exit status %d", code)
	}
}

// bytesText writes a number of bytes in the greatest unit that needs no fraction.
func bytesText(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n%unit.size == 0 {
			return fmt.Sprintf("%d %s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
