package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// Config says how the agent keeps its proxy.
type Config struct {
	Dir       string       // the proxy's own directory, made with mode 0700 if it does not exist
	Listen    []string     // public addresses, host:port; port 0 is chosen once and then remembered in Dir
	ListenTLS []string     // public addresses for TLS, host:port; they need a certificate or ACME in the settings
	Command   []string     // argv that starts the proxy process, which must call Main with the same Dir
	Log       *slog.Logger // nil: nothing is logged
	Settings
}

// A Driver keeps one proxy process and tells it what to do. It implements traffic.Traffic.
type Driver struct {
	config  Config
	build   string
	public  []*net.TCPListener // duplicates of what the proxy accepts on: they keep the queue open
	drained chan struct{}
	ended   chan struct{} // closed by Close
	closing sync.Once
	group   sync.WaitGroup

	turn     chan struct{} // has one token: who holds it may change what follows
	proxy    *proxyProcess
	previous *link           // to a proxy that was replaced and still finishes
	applied  []traffic.Route // the last complete set, copies of our own; nil: none was given yet
	revision int64           // of the proxy when it has those; negative: unknown
}

var _ traffic.Traffic = (*Driver)(nil)

// Open adopts the proxy that runs in the directory, or starts one. A proxy of another build, or
// on other addresses, is replaced without a lost request. The goroutines that it starts end
// with Close. Only one Driver at a time may have the directory open.
func Open(ctx context.Context, config Config) (*Driver, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if len(config.Listen) == 0 || len(config.Command) == 0 {
		return nil, andon.Errorf(andon.KindInvalid, "The proxy needs an address and a command.")
	}
	config.Secure = len(config.ListenTLS)
	if config.Secure > 0 && config.CertFile == "" && config.ACME == nil {
		return nil, andon.Errorf(andon.KindInvalid, "The proxy cannot speak TLS without a certificate.").
			WithHint("Give it one with --cert FILE --key FILE, or let it get its own with --acme-email ADDRESS.")
	}
	if err := config.checkFiles(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, err
	}
	config.Dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("proxy directory: %w", err)
	}
	build, err := buildOf(config.Command[0])
	if err != nil {
		return nil, fmt.Errorf("proxy command: %w", err)
	}
	d := &Driver{
		config: config, build: build + "-" + config.sum(),
		drained: make(chan struct{}, 1), ended: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	if err := d.begin(ctx); err != nil {
		d.closeListeners()
		return nil, err
	}
	d.turn <- struct{}{}
	d.group.Add(1)
	go d.supervise()
	return d, nil
}

// begin adopts, replaces or starts the proxy.
func (d *Driver) begin(ctx context.Context) error {
	killed := endHanging(ctx, d.config.Dir, d.config.Log)
	running, hello, fds := predecessor(ctx, d.config.Dir, d.event)
	adopted, err := listenersOf(fds)
	if err != nil {
		return err
	}
	if running != nil {
		d.config.Log.Info("proxy adopted", "pid", hello.PID)
	}
	var patience time.Duration
	if killed {
		patience = portFree
	}
	d.public, err = listenAll(d.config.Dir, slices.Concat(d.config.Listen, d.config.ListenTLS), adopted, patience)
	if err != nil {
		if running != nil {
			running.close()
		}
		return err
	}
	if running != nil && hello.Build == d.build && slices.Equal(addresses(adopted), addresses(d.public)) {
		d.proxy = &proxyProcess{link: running, pid: hello.PID}
		d.revision = -1 // unknown: the first Apply says everything
		return nil
	}
	d.previous = running
	return d.startLocked(ctx)
}

// Addr returns the first public address that the proxy listens on, host:port.
func (d *Driver) Addr() string { return d.public[0].Addr().String() }

// AddrTLS returns the first public address for TLS, host:port; empty: there is none.
func (d *Driver) AddrTLS() string {
	if len(d.config.ListenTLS) == 0 {
		return ""
	}
	return d.public[len(d.config.Listen)].Addr().String()
}

// PID returns the process that serves now, for people who look for it.
func (d *Driver) PID(ctx context.Context) (int, error) {
	if err := d.lock(ctx); err != nil {
		return 0, err
	}
	defer d.unlock()
	return d.proxy.pid, nil
}

// Drained implements traffic.Traffic.
func (d *Driver) Drained() <-chan struct{} { return d.drained }

func (d *Driver) event(name string) {
	if name == eventDrained {
		select {
		case d.drained <- struct{}{}:
		default:
		}
	}
}

// lock takes the turn; what is called …Locked needs it.
func (d *Driver) lock(ctx context.Context) error {
	select {
	case <-d.turn:
		return nil
	case <-d.ended:
		return andon.Errorf(andon.KindUnavailable, "The proxy's driver is closed.")
	case <-ctx.Done():
		return andon.Errorf(andon.KindTimeout, "The proxy is being started; it did not serve in time.").Because(ctx.Err())
	}
}

func (d *Driver) unlock() { d.turn <- struct{}{} }

// Apply implements traffic.Traffic. The proxy is told only what has changed.
func (d *Driver) Apply(ctx context.Context, routes []traffic.Route) error {
	ctx, cancel := context.WithTimeout(ctx, traffic.ApplyTimeout)
	defer cancel()
	if err := d.lock(ctx); err != nil {
		return err
	}
	defer d.unlock()
	return d.applyLocked(ctx, routes)
}

func (d *Driver) applyLocked(ctx context.Context, routes []traffic.Route) error {
	c, next := difference(d.applied, routes)
	c.Base = d.revision
	if d.revision < 0 || d.applied == nil {
		c = applyCall{Full: true, Set: next}
	}
	if !c.Full && len(c.Set)+len(c.Remove) == 0 {
		return nil
	}
	var answer revisionAnswer
	_, err := d.proxy.link.call(ctx, callApply, c, &answer)
	if !c.Full && andon.KindOf(err) == andon.KindConflict {
		_, err = d.proxy.link.call(ctx, callApply, applyCall{Full: true, Set: next}, &answer)
	}
	if err != nil {
		if andon.KindOf(err) != andon.KindInvalid {
			d.revision = -1 // it may have happened or not
		}
		return err
	}
	d.revision, d.applied = answer.Revision, next
	return nil
}

// State implements traffic.Traffic. What a replaced proxy still has in flight is counted in.
func (d *Driver) State(ctx context.Context) (traffic.State, error) {
	if err := d.lock(ctx); err != nil {
		return traffic.State{}, err
	}
	now, previous := d.proxy.link, d.previous
	d.unlock()
	ctx, cancel := context.WithTimeout(ctx, traffic.ApplyTimeout)
	defer cancel()
	var old, state traffic.State
	if previous != nil { // asked first: what is not in flight any more is counted when the other is asked
		asked, cancel := context.WithTimeout(ctx, traffic.ApplyTimeout/2)
		_, _ = previous.call(asked, callState, struct{}{}, &old) // or it has ended, and so has what it had in flight
		cancel()
	}
	if _, err := now.call(ctx, callState, struct{}{}, &state); err != nil {
		return traffic.State{}, err
	}
	for _, r := range old.Routes {
		i := slices.IndexFunc(state.Routes, func(s traffic.RouteState) bool { return s.Place == r.Place })
		if i < 0 {
			continue
		}
		if state.Routes[i].InFlight == nil {
			state.Routes[i].InFlight = map[andon.InstanceID]int64{}
		}
		for id, n := range r.InFlight {
			state.Routes[i].InFlight[id] += n
		}
	}
	return state, nil
}

// Replace starts a new proxy process, which takes over the listeners and routes; the old one
// accepts nothing more, finishes what it has begun within DrainBound, and exits. It returns
// when the new one serves.
func (d *Driver) Replace(ctx context.Context) error {
	if err := d.lock(ctx); err != nil {
		return err
	}
	defer d.unlock()
	if d.previous != nil {
		// Two may run at a time. The one before the last has had its time.
		_, _ = d.previous.call(ctx, callLeave, leaveCall{}, nil)
		select {
		case <-d.previous.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.previous = d.proxy.link
	if err := d.startLocked(ctx); err != nil {
		d.previous = nil
		return err
	}
	return nil
}

// Shutdown ends the proxy process too, after the requests in flight or when ctx ends, and
// then closes the driver.
func (d *Driver) Shutdown(ctx context.Context) error {
	if err := d.lock(ctx); err != nil {
		return err
	}
	running := []*link{d.proxy.link, d.previous}
	d.closing.Do(func() { close(d.ended) }) // from now on a dead proxy stays dead
	var err error
	for _, l := range running {
		if l != nil {
			err = errors.Join(err, endProcess(ctx, l))
		}
	}
	d.unlock()
	return errors.Join(err, d.Close())
}

// Stop ends the proxy that runs in dir, if one does, after the requests in flight or when ctx
// ends; one that hangs, at once. It is for whoever has no Driver: the agent of the directory must not be running.
func Stop(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if endHanging(ctx, dir, slog.New(slog.DiscardHandler)) {
		return nil
	}
	running, _, fds := predecessor(ctx, dir, func(string) {})
	closeAll(fds)
	if running == nil {
		return nil
	}
	defer running.close()
	return endProcess(ctx, running)
}

// endProcess tells a proxy to end and waits until it has.
func endProcess(ctx context.Context, l *link) error {
	bound := endBound
	if at, ok := ctx.Deadline(); ok {
		bound = max(0, min(bound, time.Until(at)-200*time.Millisecond))
	}
	_, err := l.call(ctx, callLeave, leaveCall{BoundMS: bound.Milliseconds()}, nil)
	if err != nil && !errors.Is(err, errProxyGone) {
		return err
	}
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return andon.Errorf(andon.KindTimeout, "The proxy did not end in time.").Because(ctx.Err())
	}
}

// Close implements traffic.Traffic: it lets go of the proxy, which goes on serving.
func (d *Driver) Close() error {
	d.closing.Do(func() { close(d.ended) })
	d.group.Wait()
	<-d.turn
	defer d.unlock()
	d.proxy.link.close()
	if d.previous != nil {
		d.previous.close()
	}
	d.closeListeners()
	return nil
}

func (d *Driver) closeListeners() {
	for _, l := range d.public {
		l.Close()
	}
}
