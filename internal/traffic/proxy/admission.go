package proxy

import (
	"context"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/andon"
)

// An admission bounds the clients' connections of all listeners together. Those over the limit
// wait in the kernel's queue.
type admission struct{ places chan struct{} }

// newAdmission admits as many as the limit says, or fewer where the process may not have that
// many open files: each connection needs one of a copy, too.
func newAdmission(limit int) *admission {
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		limit = int(max(100, min(uint64(limit), max(files.Cur/2, 200)-100)))
	}
	return &admission{make(chan struct{}, limit)}
}

// waitEmpty returns when there is no connection, or after the limit, or when ctx ends.
func (a *admission) waitEmpty(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for len(a.places) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// An admittingListener accepts a connection only when there is a place for it.
type admittingListener struct {
	*net.TCPListener
	admission *admission
	place     andon.Place // whose own listener it is; zero: a public one
	closed    chan struct{}
	once      sync.Once
}

func (l *admittingListener) Accept() (net.Conn, error) {
	select {
	case l.admission.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.TCPListener.AcceptTCP()
	if err != nil {
		<-l.admission.places
		return nil, err
	}
	return &clientConn{TCPConn: c, admission: l.admission}, nil
}

func (l *admittingListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.TCPListener.Close()
}

// A clientConn gives its place back when it is closed.
type clientConn struct {
	*net.TCPConn
	admission *admission
	once      sync.Once
}

func (c *clientConn) Close() error {
	err := c.TCPConn.Close()
	c.once.Do(func() { <-c.admission.places })
	return err
}
