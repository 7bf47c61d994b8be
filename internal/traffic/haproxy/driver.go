package haproxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// A Driver keeps one HAProxy process and tells it what to do. It implements traffic.Traffic.
type Driver struct {
	config    Config
	socket    socket
	listeners []*net.TCPListener // duplicates of what HAProxy accepts on, which keep the queue open; nil: an adopted one has them alone
	pid       atomic.Int64
	drained   chan struct{}
	look      chan struct{} // something that drains has ended
	ended     chan struct{} // closed by Close
	closing   sync.Once
	group     sync.WaitGroup

	turn  chan struct{} // has one token: who holds it may talk to HAProxy and change what follows
	saved time.Time     // when the table was written last; its holder is the turn's

	mu        sync.Mutex // guards table and addresses
	table     *table
	addresses []string      // the public ones
	moved     chan struct{} // a line was counted
}

var (
	_ traffic.Traffic = (*Driver)(nil)
	_ traffic.Limited = (*Driver)(nil)
)

// Open adopts the HAProxy that runs in the directory, or starts one. One with another
// configuration finishes what it has begun and is replaced. The goroutines that it starts end
// with Close. Only one Driver at a time may have the directory open.
func Open(ctx context.Context, config Config) (*Driver, error) {
	config, err := config.withDefaults(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("HAProxy's directory: %w", err)
	}
	d := &Driver{
		config: config, socket: socket{config.Dir},
		drained: make(chan struct{}, 1), look: make(chan struct{}, 1), moved: make(chan struct{}, 1),
		ended: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	if err := d.begin(ctx); err != nil {
		d.closeListeners()
		return nil, err
	}
	d.turn <- struct{}{}
	for _, loop := range []func(){d.supervise, d.keepAlive, d.followDrains} {
		d.group.Go(loop)
	}
	return d, nil
}

// begin adopts, replaces or starts HAProxy.
func (d *Driver) begin(ctx context.Context) error {
	d.table = load(d.config.Dir)
	have, err := running(ctx, d.socket, d.config.Log)
	if err != nil {
		return err
	}
	d.addresses = remembered(d.config.Dir)
	if have.pid != 0 && d.table != nil && len(d.addresses) == len(d.config.Listen) && have.run == d.table.Run && have.digest == digest(d.config) {
		d.config.Log.Info("HAProxy adopted", "pid", have.pid)
		d.pid.Store(int64(have.pid))
		return nil
	}
	if have.pid != 0 {
		d.config.Log.Info("HAProxy is replaced", "pid", have.pid)
		if err := finish(ctx, d.socket, have.pid); err != nil {
			return err
		}
	}
	if d.table == nil || len(d.table.Backends) != d.config.Backends || len(d.table.Ports) != d.config.Places {
		d.table = d.resized(d.table)
	}
	return d.startLocked(ctx)
}

// resized returns a table for this configuration with what was counted before. Its routes are
// applied anew.
func (d *Driver) resized(old *table) *table {
	t := newTable(d.config)
	if old != nil {
		old.restarted("")
		t.Books = old.Books
	}
	return t
}

// Addr returns the first public address that HAProxy listens on, host:port.
func (d *Driver) Addr() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addresses[0]
}

// AddrTLS is empty: HAProxy is not given certificates.
func (d *Driver) AddrTLS() string { return "" }

// PID returns the process that serves now, for people who look for it.
func (d *Driver) PID() int { return int(d.pid.Load()) }

// MostTargets implements traffic.Limited.
func (d *Driver) MostTargets() int { return d.config.Slots }

// Drained implements traffic.Traffic.
func (d *Driver) Drained() <-chan struct{} { return d.drained }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// lock takes the turn; what is called …Locked needs it.
func (d *Driver) lock(ctx context.Context) error {
	select {
	case <-d.turn:
		return nil
	case <-d.ended:
		return andon.Errorf(andon.KindUnavailable, "HAProxy's driver is closed.")
	case <-ctx.Done():
		return andon.Errorf(andon.KindTimeout, "HAProxy is being started; it did not serve in time.").Because(ctx.Err())
	}
}

func (d *Driver) unlock() { d.turn <- struct{}{} }

// State implements traffic.Traffic. Everything that had ended when it was called is counted.
func (d *Driver) State(ctx context.Context) (traffic.State, error) {
	ctx, cancel := context.WithTimeout(ctx, traffic.ApplyTimeout)
	defer cancel()
	if err := d.lock(ctx); err != nil {
		return traffic.State{}, err
	}
	defer d.unlock()
	if err := d.resolveLocked(ctx); err != nil {
		return traffic.State{}, err
	}
	if err := d.readLocked(ctx); err != nil {
		return traffic.State{}, err
	}
	if time.Since(d.saved) > saveEvery {
		d.saveLocked()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.table.state(), nil
}

const (
	saveEvery  = time.Second            // how much an agent that is killed leaves to be read again
	linesWait  = 250 * time.Millisecond // for the line of a request that has ended
	linesPause = time.Millisecond
	linesLost  = 5 * time.Second // without any line that is waited for: then they do not come any more
)

// readLocked reads HAProxy's counters, waits a little for the lines of what has ended, and frees the
// backends that nobody needs any more.
func (d *Driver) readLocked(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	until := time.Now().Add(linesWait)
	for {
		signal := d.movement()
		if err := d.readOnceLocked(ctx); err != nil {
			return err
		}
		behind := d.behind()
		if len(behind) == 0 {
			break
		}
		if !time.Now().Before(until) {
			d.writeOff(behind, time.Now())
			break
		}
		pause := time.NewTimer(linesPause)
		select {
		case <-signal:
		case <-pause.C:
		case <-ctx.Done():
		}
		pause.Stop()
	}
	return d.freeLocked(ctx)
}

// movement returns a signal of the next line.
func (d *Driver) movement() <-chan struct{} {
	select {
	case <-d.moved:
	default:
	}
	return d.moved
}

func (d *Driver) readOnceLocked(ctx context.Context) error {
	d.mu.Lock()
	var names []string
	for _, b := range d.table.Backends {
		if !b.free() {
			names = append(names, b.name())
		}
	}
	d.mu.Unlock()
	text, err := d.socket.do(ctx, readCommands(names)...)
	if err != nil {
		return err
	}
	readings := parseReadings(text)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.table.take(readings, time.Now()) {
		signal(d.drained)
	}
	return nil
}

// behind returns the backends of which not every request that has ended is counted, and those
// that no route names of which one is counted that HAProxy still calls in flight.
func (d *Driver) behind() (behind []*backend) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.table.Backends {
		ended := b.Began - b.InFlight
		if !b.free() && (b.Counted < ended || b.Counted > ended && !d.table.current(b)) {
			behind = append(behind, b)
		} else {
			b.late = time.Time{}
		}
	}
	return behind
}

// writeOff counts as unknown the requests whose lines were lost: HAProxy's ring has turned over
// before they were read. On a busy machine they may only be late, and would then count twice, so
// nothing counts as lost for a while. Where requests still come, the two figures are never read
// together, so that waits.
func (d *Driver) writeOff(behind []*backend, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range behind {
		lost := b.Began - b.InFlight - b.Counted
		if d.table.current(b) || lost <= 0 {
			continue
		}
		if b.late.IsZero() || b.Counted != b.lateAfter {
			b.late, b.lateAfter = now, b.Counted
		}
		if now.Sub(b.late) < linesLost {
			continue
		}
		known := min(lost, max(0, b.Streams-b.Ended-b.InFlight)) // counted when they began
		d.table.ledger(b.Place, b.Ledger).Unknown += lost - known
		b.Counted += lost
		b.Ended += known
		d.config.Log.Warn("the ends of requests were not seen: they count as unknown", "place", b.Place.Key(), "requests", lost-known)
	}
}

// freeLocked frees the backends that have nothing to do any more, and lets go of their copies.
func (d *Driver) freeLocked(ctx context.Context) error {
	d.mu.Lock()
	idle := d.table.idle(time.Now())
	var commands []string
	for _, b := range idle {
		commands = append(append(commands, b.closing(len(b.Slots))...), b.unbind()...)
	}
	d.mu.Unlock()
	if len(idle) == 0 {
		return nil
	}
	if _, err := d.socket.do(ctx, commands...); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range idle {
		b.release()
	}
	return nil
}

// closing returns the commands after which the first n slots take nothing and keep no connection.
func (b *backend) closing(n int) (commands []string) {
	for i := range n {
		commands = append(commands, fmt.Sprintf("set server %s/s%d state maint", b.name(), i+1))
	}
	return commands
}

// saveLocked writes the table to its file. A failure does not keep the traffic where it is.
func (d *Driver) saveLocked() {
	d.mu.Lock()
	text, err := json.Marshal(d.table)
	d.mu.Unlock()
	d.saved = time.Now()
	if err == nil {
		err = write(d.config.Dir, tableName, string(text))
	}
	if err != nil {
		d.config.Log.Error("what HAProxy does and has counted cannot be saved", "error", err)
	}
}

// followDrains looks at HAProxy's counters when a request has ended that traffic has moved away
// from, so that Drained tells of the last.
func (d *Driver) followDrains() {
	for {
		select {
		case <-d.ended:
			return
		case <-d.look:
		}
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		if d.lock(ctx) == nil {
			if err := d.readLocked(ctx); err != nil {
				d.config.Log.Warn("HAProxy does not tell what it has in flight", "error", err)
			}
			d.unlock()
		}
		cancel()
	}
}

// Close implements traffic.Traffic: it lets go of HAProxy, which goes on serving.
func (d *Driver) Close() error {
	d.closing.Do(func() { close(d.ended) })
	d.group.Wait()
	<-d.turn
	defer d.unlock()
	d.saveLocked()
	d.closeListeners()
	return nil
}

func (d *Driver) closeListeners() {
	for _, l := range d.listeners {
		l.Close()
	}
	d.listeners = nil
}

// equal reports whether the routes in force are these.
func (t *table) equal(routes []traffic.Route) bool {
	return slices.EqualFunc(t.Routes, routes, func(p placed, r traffic.Route) bool {
		return p.Place == r.Place && p.Generation == r.Generation && p.Ledger == r.Ledger && boundsOf(p.Route) == boundsOf(r) &&
			slices.Equal(p.Hosts, r.Hosts) && slices.Equal(p.Targets, r.Targets) && slices.Equal(p.Draining, r.Draining)
	})
}
