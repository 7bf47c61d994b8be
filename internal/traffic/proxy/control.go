package proxy

import (
	"cmp"
	"context"
	"encoding/json"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A control answers the calls of drivers on its connections.
type control struct {
	server  *server                                       // nil until serve
	begin   func(c serveCall, fds []int) (*server, error) // makes the server, once
	leave   func(leaveCall)                               // begins the end of the process
	mu      sync.Mutex                                    // guards server and writers
	writers map[*net.UnixConn]*sync.Mutex                 // one message at a time on each connection
}

// handle answers one connection's calls, one after the other, until it ends.
func (k *control) handle(conn *net.UnixConn) {
	write := new(sync.Mutex)
	k.mu.Lock()
	k.writers[conn] = write
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		delete(k.writers, conn)
		k.mu.Unlock()
		_ = conn.CloseWrite() // for the other end also if there is a duplicate, as of standard input
		conn.Close()
	}()
	for {
		m, err := readMessage(conn)
		if err != nil {
			return
		}
		answer, release := k.answer(m)
		write.Lock()
		err = writeMessage(conn, answer)
		write.Unlock()
		release()
		if err != nil {
			return
		}
		if m.Call == callLeave && answer.Error == nil {
			var c leaveCall
			_ = json.Unmarshal(m.Body, &c) // answer has understood it
			k.leave(c)
		}
	}
}

// answer does what a call asks. release is to be called when the answer is written.
func (k *control) answer(m message) (answer message, release func()) {
	body, fds, err := k.do(m)
	answer, release = message{ID: m.ID, fds: fds}, func() { closeAll(fds) }
	if err == nil {
		answer.Body, err = json.Marshal(body)
	}
	if err != nil {
		answer.Error = &andon.Error{Kind: andon.KindOf(err), Message: err.Error()}
		return answer, release
	}
	return answer, release
}

func (k *control) do(m message) (any, []int, error) {
	if m.Call == callServe {
		var c serveCall
		if err := json.Unmarshal(m.Body, &c); err != nil {
			closeAll(m.fds)
			return nil, nil, err
		}
		s, err := k.begin(c, m.fds)
		if err != nil {
			return nil, nil, err
		}
		return revisionAnswer{s.revisionNow()}, nil, nil
	}
	closeAll(m.fds) // no other call takes files
	k.mu.Lock()
	s := k.server
	k.mu.Unlock()
	if s == nil && m.Call != callHello {
		return nil, nil, andon.Errorf(andon.KindUnavailable, "The proxy does not serve yet.")
	}
	switch m.Call {
	case callHello:
		return s.hello()
	case callListeners:
		var c listenersCall
		if err := json.Unmarshal(m.Body, &c); err != nil {
			return nil, nil, err
		}
		return s.listeners(c.From)
	case callApply:
		var c applyCall
		if err := json.Unmarshal(m.Body, &c); err != nil {
			return nil, nil, err
		}
		revision, err := s.apply(c)
		return revisionAnswer{revision}, nil, err
	case callState:
		return s.state(), nil, nil
	case callAlive:
		s.revisionNow()
		return struct{}{}, nil, nil
	case callLeave:
		var c leaveCall
		return struct{}{}, nil, json.Unmarshal(m.Body, &c)
	}
	return nil, nil, andon.Errorf(andon.KindInvalid, "The proxy does not know the call %.40q.", m.Call)
}

// tell sends an event to every driver that is connected.
func (k *control) tell(event string) {
	k.mu.Lock()
	writers := make(map[*net.UnixConn]*sync.Mutex, len(k.writers))
	for c, w := range k.writers {
		writers[c] = w
	}
	k.mu.Unlock()
	for c, w := range writers {
		w.Lock()
		if writeMessage(c, message{Event: event}) != nil {
			c.Close()
		}
		w.Unlock()
	}
}

func (s *server) revisionNow() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revision
}

// hello says who this is. A server that does not serve yet is nil.
func (s *server) hello() (helloAnswer, []int, error) {
	a := helloAnswer{PID: os.Getpid()}
	if s == nil {
		return a, nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Serving, a.Build, a.Revision = true, s.build, s.revision
	fds, err := duplicates(s.public)
	return a, fds, err
}

// listeners returns some of the places' own listeners, from a position in their order on.
func (s *server) listeners(from int) (listenersAnswer, []int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var places []andon.Place
	for p := range s.own {
		places = append(places, p)
	}
	slices.SortFunc(places, func(a, b andon.Place) int { return cmp.Compare(a.Key(), b.Key()) })
	places = places[min(max(from, 0), len(places)):]
	a := listenersAnswer{Places: places[:min(len(places), maxFds)]}
	var own []*net.TCPListener
	for _, p := range a.Places {
		own = append(own, s.own[p])
	}
	fds, err := duplicates(own)
	return a, fds, err
}

// predecessor returns a link to the proxy that serves in dir, nil if none does.
func predecessor(ctx context.Context, dir string, event func(string)) (*link, helloAnswer, []int) {
	conn, err := dialControl(dir)
	if err != nil {
		return nil, helloAnswer{}, nil
	}
	l := newLink(conn, event)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var hello helloAnswer
	fds, err := l.call(ctx, callHello, struct{}{}, &hello)
	if err != nil || !hello.Serving {
		closeAll(fds)
		l.close()
		return nil, helloAnswer{}, nil
	}
	return l, hello, fds
}
