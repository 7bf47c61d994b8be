package proxy

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// limitSilence bounds how long what was sent may go unacknowledged, too: without that the system
// repeats it for a quarter of an hour, and asks nothing meanwhile.
func limitSilence(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
