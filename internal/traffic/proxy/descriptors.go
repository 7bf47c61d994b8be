package proxy

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// duplicates returns file descriptors of the listeners, to be sent to another process and then
// closed. They are not made with File and Fd, which would make the sockets block for all.
func duplicates(listeners []*net.TCPListener) (fds []int, err error) {
	for _, l := range listeners {
		fd, err := duplicate(l)
		if err != nil {
			closeAll(fds)
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func duplicate(l *net.TCPListener) (fd int, err error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return -1, err
	}
	controlErr := raw.Control(func(have uintptr) {
		fd, err = unix.FcntlInt(have, unix.F_DUPFD_CLOEXEC, 0)
	})
	if controlErr != nil {
		return -1, controlErr
	}
	return fd, err
}

// listenersOf makes listeners of received files, which it closes.
func listenersOf(fds []int) ([]*net.TCPListener, error) {
	var made []*net.TCPListener
	for i, fd := range fds {
		l, err := listenerOf(fd)
		if err != nil {
			closeAll(fds[i+1:])
			for _, l := range made {
				l.Close()
			}
			return nil, err
		}
		made = append(made, l)
	}
	return made, nil
}

func listenerOf(fd int) (*net.TCPListener, error) {
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		l.Close()
		return nil, unix.EPROTOTYPE
	}
	return tcp, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
