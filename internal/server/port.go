package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// handshake is the first byte of a connection by TLS: the type of its first record (RFC 8446,
	// section 5.1). No request in the clear begins with it.
	handshake = 0x16
	// mostUnsorted bounds the connections that have not said anything yet.
	mostUnsorted = 4096
	// firstPause is how long the port waits to take connections again when it could not for lack of
	// files, and longestPause how long at most: each wait is twice as long as the one before.
	firstPause   = 5 * time.Millisecond
	longestPause = time.Second
)

// A port takes connections of two kinds at one address: in the clear, as people and the agent of
// this machine come, and by TLS, as the agents of other hosts do. Their first byte tells them
// apart. Its listener is closed by whoever opened it; run ends with it.
type port struct {
	net.Listener
	tls *tls.Config

	sorted chan net.Conn
	ended  chan struct{} // closed when nothing more will be sorted
	err    error         // why; read once ended is closed

	mu       sync.Mutex
	unsorted map[net.Conn]bool
}

func newPort(listener net.Listener, config *tls.Config) *port {
	return &port{Listener: listener, tls: config, sorted: make(chan net.Conn), ended: make(chan struct{}), unsorted: map[net.Conn]bool{}}
}

// Accept implements net.Listener. run must be running.
func (p *port) Accept() (net.Conn, error) {
	select {
	case conn := <-p.sorted:
		return conn, nil
	case <-p.ended:
		return nil, p.err
	}
}

// run sorts connections until the listener is closed or ctx ends.
func (p *port) run(ctx context.Context) {
	var sorting sync.WaitGroup
	free := make(chan struct{}, mostUnsorted)
	for pause := firstPause; p.err == nil; {
		free <- struct{}{}
		conn, err := p.Listener.Accept()
		switch {
		case err == nil:
			pause = firstPause
			p.note(conn)
			sorting.Go(func() {
				defer func() { <-free }()
				p.sort(ctx, conn)
			})
		case temporary(err) && ctx.Err() == nil:
			<-free
			sleepUntil(ctx, time.Now().Add(pause))
			pause = min(2*pause, longestPause)
		default:
			p.err = err
		}
	}
	close(p.ended)
	p.mu.Lock()
	for conn := range p.unsorted {
		_ = conn.Close() // whoever it was has said nothing
	}
	p.mu.Unlock()
	sorting.Wait()
}

// temporary reports whether another connection can be taken after an error: this one went away
// before it was taken, or there were too many open files.
func temporary(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Temporary() //nolint:staticcheck // what net/http asks as well
}

// note keeps in mind that a connection has not said anything yet.
func (p *port) note(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unsorted[conn] = true
}

// sort reads the first byte of a connection and hands it on as what it is.
func (p *port) sort(ctx context.Context, conn net.Conn) {
	begun := &begunConn{Conn: conn}
	err := conn.SetReadDeadline(time.Now().Add(headerTimeout))
	if err == nil {
		_, err = io.ReadFull(conn, begun.first[:])
	}
	p.mu.Lock()
	delete(p.unsorted, conn)
	p.mu.Unlock()
	if err == nil {
		err = conn.SetReadDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close() // it said nothing in time, or went away
		return
	}
	var known net.Conn = begun
	if begun.first[0] == handshake {
		known = tls.Server(begun, p.tls)
	}
	select {
	case p.sorted <- known:
	case <-p.ended:
		_ = conn.Close()
	case <-ctx.Done():
		_ = conn.Close()
	}
}

// A begunConn is a connection whose first byte was read already.
type begunConn struct {
	net.Conn
	first [1]byte
	given bool
}

// Read implements net.Conn. One goroutine at a time reads.
func (c *begunConn) Read(b []byte) (int, error) {
	if c.given || len(b) == 0 {
		return c.Conn.Read(b)
	}
	b[0], c.given = c.first[0], true
	return 1, nil
}

// ReadFrom lets the kernel send files without copying them.
func (c *begunConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// CloseWrite lets an answer reach a client that is still sending.
func (c *begunConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
