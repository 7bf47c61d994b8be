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
	var peer *unix.Ucred
	controlErr := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if controlErr != nil || err != nil {
		return 0, errors.Join(controlErr, err)
	}
	return int(peer.Pid), nil
}
