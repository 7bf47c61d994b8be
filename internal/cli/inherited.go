package cli

import (
	"os"
	"strconv"
	"syscall"
)

// keepInherited keeps to this process whatever its parent had open besides the standard streams, such
// as the lock of `flock FILE andon server`: the proxy and the copies outlive this process, and would
// hold it as long. What is passed on deliberately goes another way, and is not concerned.
func keepInherited() {
	dir, err := os.Open("/dev/fd") // Linux and macOS list the open descriptors here
	if err != nil {
		return // a system without it; nothing else depends on this
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}
