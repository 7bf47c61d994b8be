package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
)

// A link is a caller's end of a control connection. Its goroutine ends when the connection
// does, which is also how the death of the proxy is noticed.
type link struct {
	conn  *net.UnixConn
	event func(name string)
	done  chan struct{} // closed when the proxy is gone, or the link closed

	mu      sync.Mutex // guards writing, too
	last    int64
	pending map[int64]chan message
}

var errProxyGone = errors.New("the proxy process is gone")

func newLink(conn *net.UnixConn, event func(name string)) *link {
	l := &link{conn: conn, event: event, done: make(chan struct{}), pending: map[int64]chan message{}}
	go l.read()
	return l
}

func (l *link) read() {
	defer close(l.done)
	defer l.event(eventDrained) // whatever the proxy had in flight is gone with it
	defer l.conn.Close()
	for {
		m, err := readMessage(l.conn)
		if err != nil {
			return
		}
		if m.Event != "" {
			l.event(m.Event)
			continue
		}
		l.mu.Lock()
		to := l.pending[m.ID]
		delete(l.pending, m.ID)
		l.mu.Unlock()
		if to == nil {
			closeAll(m.fds) // nobody waits any more
			continue
		}
		to <- m
	}
}

// call sends a call and decodes its answer, if answer is not nil. The files that came with it
// belong to the caller.
func (l *link) call(ctx context.Context, name string, body, answer any, fds ...int) ([]int, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	reply := make(chan message, 1)
	l.mu.Lock()
	l.last++
	id := l.last
	l.pending[id] = reply
	err = writeMessage(l.conn, message{ID: id, Call: name, Body: b, fds: fds})
	l.mu.Unlock()
	if err != nil {
		l.conn.Close()
		return nil, fmt.Errorf("%w: %w", errProxyGone, err)
	}
	select {
	case m := <-reply:
		if m.Error != nil {
			closeAll(m.fds)
			return nil, m.Error
		}
		if answer != nil {
			if err := json.Unmarshal(m.Body, answer); err != nil {
				closeAll(m.fds)
				return nil, fmt.Errorf("answer to %s: %w", name, err)
			}
		}
		return m.fds, nil
	case <-l.done:
		return nil, errProxyGone
	case <-ctx.Done():
		l.mu.Lock()
		delete(l.pending, id)
		l.mu.Unlock()
		return nil, andon.Errorf(andon.KindTimeout, "The proxy did not answer in time.").Because(ctx.Err())
	}
}

func (l *link) close() {
	l.conn.Close()
	<-l.done
}
