package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// DrainBound is how long a proxy that was replaced may finish what it has begun.
	DrainBound = time.Minute
	// drainIdle is how long it waits for idle clients to come back, whom it then sends to its
	// successor with their next answer, before it closes their connections.
	drainIdle = 5 * time.Second
	// endBound is how long a proxy may finish when its process is told to end.
	endBound = 10 * time.Second
)

// Main is the proxy process: what the hidden command "andon proxy --dir DIR" runs. It expects
// to be started by a Driver, which passes its control connection as standard input, and
// returns when a driver told it to leave and its clients are gone, or when ctx ends.
//
// It logs to standard error, and sets the garbage collector's pace of the whole process.
func Main(ctx context.Context, dir string) error {
	conn, err := parentLink()
	if err != nil {
		return err
	}
	// The live heap is a few hundred kilobytes: the pace trades little memory for less work.
	debug.SetGCPercent(200)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &process{ctx: ctx, cancel: cancel, dir: dir, log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		ended: make(chan leaveCall, 1), drained: make(chan struct{}, 1)}
	p.control = &control{begin: p.begin, leave: p.leave, writers: map[*net.UnixConn]*sync.Mutex{}}
	defer p.close()

	parentGone := make(chan struct{})
	go func() {
		defer close(parentGone)
		p.control.handle(conn)
	}()
	return p.run(parentGone)
}

func parentLink() (*net.UnixConn, error) {
	notStarted := andon.Errorf(andon.KindInvalid, "This command is run by Andon itself: the agent starts its proxy with a control connection as standard input.").
		WithHint("Run andon server, which keeps the proxy.")
	c, err := net.FileConn(os.Stdin)
	if err != nil {
		return nil, notStarted.Because(err)
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, notStarted
	}
	return conn, nil
}

// A process is the life of one proxy process.
type process struct {
	ctx     context.Context
	cancel  context.CancelFunc
	drained chan struct{} // a draining target's last request has ended
	dir     string
	log     *slog.Logger
	control *control
	ended   chan leaveCall

	mu       sync.Mutex
	left     bool
	server   *server
	listener *net.UnixListener
}

// run waits for the end. A process that nobody has told to serve ends with its parent.
func (p *process) run(parentGone <-chan struct{}) error {
	for {
		select {
		case <-p.drained:
			p.control.tell(eventDrained)
		case <-parentGone:
			if p.serving() == nil {
				return errors.New("the agent went away before it told the proxy to serve")
			}
			parentGone = nil
		case c := <-p.ended:
			if s := p.serving(); s != nil {
				p.log.Info("proxy leaves", "pid", os.Getpid())
				s.leave(p.ctx, time.Duration(c.IdleMS)*time.Millisecond, time.Duration(c.BoundMS)*time.Millisecond)
			}
			return nil
		case <-p.ctx.Done():
			if s := p.serving(); s != nil {
				s.leave(context.WithoutCancel(p.ctx), 0, endBound)
			}
			return nil
		}
	}
}

func (p *process) serving() *server {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.server
}

// leave begins the end of the process. A second call makes it end at once.
func (p *process) leave(c leaveCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		p.cancel()
		return
	}
	p.left = true
	if p.listener != nil {
		p.listener.Close()
	}
	p.ended <- c
}

// signalDrained never blocks: requests call it.
func (p *process) signalDrained() {
	select {
	case p.drained <- struct{}{}:
	default:
	}
}

func (p *process) close() {
	if s := p.serving(); s != nil {
		s.saved.close()
	}
	if p.listener != nil {
		p.listener.Close()
	}
}

// begin takes over from the process that serves in the directory, if there is one, and
// otherwise restores what the last one left. When it returns, requests are carried.
func (p *process) begin(c serveCall, fds []int) (*server, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	public, err := listenersOf(fds)
	if err != nil {
		return nil, err
	}
	if p.server != nil {
		return nil, andon.Errorf(andon.KindConflict, "The proxy serves already.")
	}
	old, _, oldFds := predecessor(p.ctx, p.dir, func(string) {})
	closeAll(oldFds)
	if old != nil {
		defer old.close()
	}
	s, err := p.restore(old, c.Settings)
	if err != nil {
		return nil, err
	}
	s.build, s.public = c.Build, public
	listener, rename, err := listenControl(p.dir)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := s.serveAll(); err != nil {
		p.log.Error("nothing is served over TLS", "error", err)
	}
	if old != nil {
		if _, err := old.call(p.ctx, callLeave, leaveCall{drainIdle.Milliseconds(), DrainBound.Milliseconds()}, nil); err != nil {
			p.log.Error("the proxy that is being replaced does not answer", "error", err)
		}
	}
	if err := rename(); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	p.listener = listener
	p.server = s
	p.control.serve(s)
	go p.accept(listener)
	go s.sweep(p.ctx)
	go s.certs.follow(p.ctx)
	go s.access.run(p.ctx)
	go forgetStart()
	p.log.Info("proxy serves", "pid", os.Getpid(), "build", c.Build, "took_over", old != nil)
	return s, nil
}

// restore makes a server of what is in the directory, with the own listeners of the places
// from the process before it, or else on the same ports.
func (p *process) restore(old *link, config Settings) (*server, error) {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	lane, err := lockLane(ctx, p.dir)
	if err != nil {
		return nil, err
	}
	ledgers, err := openLedgers(p.dir, lane, p.log)
	if err != nil {
		return nil, err
	}
	s := newServer(p.dir, config, ledgers, p.log, p.signalDrained)
	saved, revision, err := loadRoutes(p.dir)
	if err != nil {
		return nil, err
	}
	if old != nil {
		if err := s.takeOwn(ctx, old); err != nil {
			p.log.Error("the routes' own listeners cannot be taken over", "error", err)
		}
	}
	if err := s.load(saved, revision > 0); err != nil {
		p.log.Error("the saved routes cannot be served; the agent applies its own", "error", err)
	}
	s.mu.Lock()
	s.revision = revision
	s.mu.Unlock()
	return s, nil
}

// accept serves the control socket until it is closed.
func (p *process) accept(l *net.UnixListener) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return
		}
		go p.control.handle(conn)
	}
}

func (k *control) serve(s *server) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.server = s
}
