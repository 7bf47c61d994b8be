package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// An admittingListener accepts a connection only when there is a place for it.
type admittingListener struct {
	*net.TCPListener
	admission *admission
	trusted   []netip.Prefix
	stall     time.Duration // how long a client may take to take the next piece of an answer
	tls       *tls.Config   // nil: clients speak in the clear
	place     andon.Place   // whose own listener it is; zero: a public one
	closed    chan struct{}
	once      sync.Once
}

func (l *admittingListener) Accept() (net.Conn, error) {
	for {
		select {
		case l.admission.places <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
		conn, err := l.TCPListener.AcceptTCP()
		if err != nil {
			<-l.admission.places
			return nil, err
		}
		if c := l.admit(conn); c != nil {
			return c, nil
		}
		<-l.admission.places
	}
}

// admit returns nil, and closes the connection, if its client has too many.
func (l *admittingListener) admit(conn *net.TCPConn) *clientConn {
	c := &clientConn{Conn: conn, tcp: conn, listener: l, guard: newGuard()}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		c.peer = a.AddrPort().Addr().Unmap().WithZone("")
	}
	c.address = c.peer.String()
	for _, p := range l.trusted {
		c.trusted = c.trusted || p.Contains(c.peer)
	}
	if !c.trusted {
		c.counted = clientOf(c.peer)
		if !l.admission.enter(c.counted) {
			_ = conn.SetLinger(0) // nothing of it stays behind
			conn.Close()
			return nil
		}
	}
	if l.tls != nil {
		c.secure = tls.Server(conn, l.tls)
		c.Conn = c.secure
	}
	return c
}

func (l *admittingListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.TCPListener.Close()
}

// A clientConn is a client's connection. It gives its place back when it is closed.
//
// With TLS it shakes hands when net/http first reads, within the time for a head. net/http sees
// no more than a connection without TLS, and serves HTTP/2 when the client begins with its
// preface, which a client does that has agreed to it.
type clientConn struct {
	net.Conn
	tcp      *net.TCPConn
	secure   *tls.Conn // nil: in the clear
	listener *admittingListener
	peer     netip.Addr
	address  string       // of the peer
	trusted  bool         // what it says of the client before it is believed
	counted  netip.Prefix // for whom it counts; zero: it does not
	guard    guard        // belongs to who reads, but for unread
	cut      atomic.Bool  // nothing more may be written
	until    atomic.Int64 // by the clock, when a write fails that has not ended
	reset    atomic.Bool  // the client must see that its answer is not complete
	once     sync.Once
}

func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.guard.look(p[:n])
	}
	return n, err
}

// Write gives the client from stall to twice that to take p. The deadline is not moved each time:
// that would cost more than most writes need.
func (c *clientConn) Write(p []byte) (int, error) {
	if now := int64(clock()); now > c.until.Load()-int64(c.listener.stall) {
		c.until.Store(now + 2*int64(c.listener.stall))
		_ = c.Conn.SetWriteDeadline(time.Now().Add(2 * c.listener.stall)) // if it fails, so does the write
	}
	if c.cut.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	return c.Conn.Write(p)
}

// SetWriteDeadline ends all writing if t is over. Any other deadline is left to Write: net/http
// takes it away after each request.
func (c *clientConn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() || t.After(time.Now()) {
		return nil
	}
	c.cut.Store(true)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline does what SetReadDeadline and SetWriteDeadline do.
func (c *clientConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// CloseWrite ends the client's answers.
func (c *clientConn) CloseWrite() error {
	if c.secure != nil {
		return c.secure.CloseWrite()
	}
	return c.tcp.CloseWrite()
}

// Limits of a connection that is closed while the client still sends.
const (
	lingerLimit = 5 * time.Second
	lingerBytes = 16 << 20
)

// Close closes the connection. If the client is still sending a request, it first gets the time
// to read the answer: what arrives at a closed connection makes the kernel throw away what the
// client has not read yet.
func (c *clientConn) Close() error {
	c.once.Do(func() {
		if c.reset.Load() {
			_ = c.tcp.SetLinger(0)
		} else if c.guard.unread.Load() {
			go c.linger() // ends within lingerLimit, and holds the place
			return
		}
		c.close()
	})
	return nil
}

func (c *clientConn) linger() {
	defer c.close()
	_ = c.Conn.SetDeadline(time.Now().Add(lingerLimit)) // if it fails, so does what follows
	if c.CloseWrite() != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.tcp, lingerBytes) // until the client is done, or it is enough
}

func (c *clientConn) close() {
	if c.secure != nil {
		_ = c.tcp.SetWriteDeadline(time.Now().Add(time.Second)) // for the word that it ends
	}
	_ = c.Conn.Close() // nobody can do anything about it
	if c.counted.IsValid() {
		c.listener.admission.leave(c.counted)
	}
	<-c.listener.admission.places
}

// clientKey is the context key of the connection that a request came in by.
type clientKey struct{}

func withClient(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

// clientFrom returns the connection that the request came in by.
func clientFrom(r *http.Request) *clientConn {
	c, _ := r.Context().Value(clientKey{}).(*clientConn)
	return c
}
