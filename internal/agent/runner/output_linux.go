package runner

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipeSize is how much a step can write before it waits for the log, in bytes.
const pipeSize = 256 << 10

// widen makes a pipe hold more than the 64 KiB that it holds by default, as far as the system
// allows it to this user.
func widen(pipe *os.File) { _, _ = unix.FcntlInt(pipe.Fd(), unix.F_SETPIPE_SZ, pipeSize) }
