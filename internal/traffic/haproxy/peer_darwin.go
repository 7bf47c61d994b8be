package haproxy

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// processOf returns the process that listens at the other end of a connection.
func processOf(conn *net.UnixConn) (pid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		pid, err = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	})
	return pid, errors.Join(controlErr, err)
}
