package haproxy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// Apply implements traffic.Traffic. Routes that send requests otherwise than before get backends
// that nobody uses yet, set up in the dark; then one commit of the map moves everything.
func (d *Driver) Apply(ctx context.Context, routes []traffic.Route) error {
	ctx, cancel := context.WithTimeout(ctx, traffic.ApplyTimeout)
	defer cancel()
	if err := validate(routes, d.config.Slots); err != nil {
		return err
	}
	if err := d.lock(ctx); err != nil {
		return err
	}
	defer d.unlock()
	if err := d.resolveLocked(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	same := d.table.Told && d.table.equal(routes)
	d.mu.Unlock()
	if same {
		return nil
	}
	next, fresh, err := d.placeLocked(ctx, copies(routes))
	if err != nil {
		return err
	}
	if err := d.setUpLocked(ctx, next, fresh); err != nil {
		return err
	}
	d.mu.Lock()
	for _, p := range next {
		if b := d.table.Backends[p.Backend-1]; b.free() {
			b.take(p.Route)
		}
		d.table.open(p.Place, p.Ledger)
	}
	d.table.Next, d.table.Changing = next, true
	d.mu.Unlock()
	d.saveLocked()
	if err := d.socket.commit(ctx, entries(next, true)); err != nil {
		d.config.Log.Warn("the routes could not be switched at once", "error", err)
		if err := d.resolveLocked(ctx); err != nil {
			return err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.table.equal(routes) {
			return fmt.Errorf("switch the routes: %w", err)
		}
		return nil
	}
	return d.settleLocked(ctx)
}

// copies returns routes that share nothing with those of the caller.
func copies(routes []traffic.Route) []traffic.Route {
	own := slices.Clone(routes)
	for i := range own {
		own[i].Hosts = slices.Clone(own[i].Hosts)
		own[i].Targets = slices.Clone(own[i].Targets)
		own[i].Draining = slices.Clone(own[i].Draining)
	}
	return own
}

// placeLocked chooses backends. If all are in use it looks once whether some are only settling.
func (d *Driver) placeLocked(ctx context.Context, routes []traffic.Route) (next []placed, fresh []*backend, err error) {
	for attempt := 0; ; attempt++ {
		if err := d.readLocked(ctx); err != nil {
			return nil, nil, err
		}
		d.mu.Lock()
		next, fresh, err = d.table.place(routes)
		d.mu.Unlock()
		if err == nil || attempt == 1 {
			return next, fresh, err
		}
		pause := time.NewTimer(settling)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, nil, err
		}
	}
}

// setUpLocked makes free backends ready for their routes, which nobody is sent to yet.
func (d *Driver) setUpLocked(ctx context.Context, next []placed, fresh []*backend) error {
	var commands []string
	want := map[string]string{} // by backend and slot: address, port, and weight; and the bounds
	for _, b := range fresh {
		i := slices.IndexFunc(next, func(p placed) bool { return p.Backend == b.Number })
		ready := &backend{Number: b.Number}
		ready.take(next[i].Route)
		weight := weights(ready.Slots)
		for i, s := range ready.Slots {
			at, err := address(s.Target)
			if err != nil {
				return fmt.Errorf("address of %s: %w", s.Instance, err) // validated before
			}
			name := b.name() + "/s" + strconv.Itoa(i+1)
			commands = append(commands,
				fmt.Sprintf("set server %s addr %s port %d", name, at.Addr(), at.Port()),
				fmt.Sprintf("set server %s weight %d", name, weight[i]),
				fmt.Sprintf("set server %s state ready", name))
			want[name] = fmt.Sprintf("%s %d %d", at.Addr(), at.Port(), weight[i])
		}
		for _, e := range ready.bounding() {
			want[e.key] = e.value
		}
		commands = append(append(commands, ready.bind()...), "show servers state "+b.name())
	}
	if len(commands) == 0 {
		return nil
	}
	text, err := d.socket.do(ctx, append(commands, "show map "+boundsName)...)
	has := readyServers(text)
	bounded(text, fresh, has)
	if err == nil && !maps.Equal(has, want) {
		err = andon.Errorf(andon.KindInternal, "HAProxy did not set its backends up: it answered %.300q.", text)
	}
	if err != nil {
		var undo []string
		for _, b := range fresh {
			undo = append(append(undo, b.closing(d.config.Slots)...), b.unbind()...)
		}
		_, _ = d.socket.do(ctx, undo...) // if that fails, nobody is sent there either
		return err
	}
	return nil
}

// readyServers understands "show servers state": of the servers that take requests, by backend
// and slot, the address, port, and weight.
func readyServers(text string) map[string]string {
	ready := map[string]string{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		const running = "2"
		if len(f) > 18 && f[0] != "#" && f[5] == running && slotNumber(f[3]) > 0 {
			ready[f[1]+"/"+f[3]] = f[4] + " " + f[18] + " " + f[7]
		}
	}
	return ready
}

// settleLocked makes the table follow the map that was committed: it counts what is in flight
// on the copies that traffic has left, and cuts off what may not drain.
func (d *Driver) settleLocked(ctx context.Context) error {
	err := d.readLocked(ctx)
	d.mu.Lock()
	cut := d.table.follow(d.table.Next, time.Now())
	d.mu.Unlock()
	if err != nil {
		d.config.Log.Warn("HAProxy does not tell what was in flight at the switch", "error", err)
	}
	for i, server := range cut {
		cut[i] = "shutdown sessions server " + server
	}
	if _, err = d.socket.do(ctx, cut...); err == nil && len(cut) > 0 {
		err = d.readLocked(ctx)
	}
	if err != nil {
		d.config.Log.Warn("requests on copies that were removed may go on until those end", "error", err)
	}
	d.saveLocked()
	return nil
}

// resolveLocked finds out whether a change that did not come to its end is in force.
func (d *Driver) resolveLocked(ctx context.Context) error {
	d.mu.Lock()
	changing, want := d.table.Changing, entries(d.table.Next, true)
	d.mu.Unlock()
	if !changing {
		return nil
	}
	have, err := d.socket.entries(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]string{}
	for _, e := range want {
		wanted[e.key] = e.value
	}
	if maps.Equal(have, wanted) {
		return d.settleLocked(ctx)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.table.abandon(time.Now())
	return nil
}

// abandon gives up the change that was under way.
func (t *table) abandon(now time.Time) {
	next := t.Next
	t.Next, t.Changing = nil, false
	for _, p := range next {
		if b := t.Backends[p.Backend-1]; !t.current(b) {
			b.retired = now
		}
	}
}
