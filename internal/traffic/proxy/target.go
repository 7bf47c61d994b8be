package proxy

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A target is one copy of one place, with its connections and what is in flight on it. It
// lives as long as the place's route names it, among its targets or as draining.
type target struct {
	instance andon.InstanceID
	address  string
	idle     idlePool
	load     atomic.Int64 // the number of flights
	suspect  atomic.Int64 // until then (clock) others are preferred: it refused a connection

	mu      sync.Mutex
	open    bool // takes new requests
	flights *flight
	drained func() // called, not under mu, when the last flight of a target that is not open ends
}

func newTarget(instance andon.InstanceID, address string, drained func()) *target {
	return &target{instance: instance, address: address, drained: drained}
}

// suspicion is how long a target that refused a connection is avoided.
const suspicion = time.Second

// begin puts the flight on the target. It reports false, and does nothing, if the target takes
// no new requests any more: the route was switched meanwhile.
func (t *target) begin(f *flight) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.open {
		return false
	}
	f.target = t
	f.next = t.flights
	f.previous = nil
	if t.flights != nil {
		t.flights.previous = f
	}
	t.flights = f
	t.load.Add(1)
	return true
}

// end takes the flight off its target. After it nobody else uses the flight.
func (t *target) end(f *flight) {
	t.mu.Lock()
	if f.next != nil {
		f.next.previous = f.previous
	}
	if f.previous != nil {
		f.previous.next = f.next
	} else {
		t.flights = f.next
	}
	f.next, f.previous, f.target = nil, nil, nil
	f.drain() // before it is in flight no more: whoever sees that finds it counted
	last := t.load.Add(-1) == 0 && !t.open
	t.mu.Unlock()
	if last {
		t.drained()
	}
}

func (t *target) start() {
	t.mu.Lock()
	t.open = true
	t.mu.Unlock()
}

// leave stops new requests. What is in flight counts as at the switch to the given ledger.
func (t *target) leave(to *ledger, at time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.open {
		return
	}
	t.open = false
	for f := t.flights; f != nil; f = f.next {
		if f.switched == nil {
			f.switched, f.switchedAt = to, at
			to.slot.atSwitch.Add(1)
		}
	}
	t.idle.closeAll()
}

// cut ends everything in flight. The target is out of the route.
func (t *target) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := t.flights; f != nil; f = f.next {
		f.abort(cutOff)
	}
	t.idle.closeAll()
}

// expire ends the flights whose copy has not begun to answer in time.
func (t *target) expire(now, limit time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := t.flights; f != nil; f = f.next {
		if since := f.waitingSince.Load(); since != 0 && now-time.Duration(since) > limit {
			f.abort(timedOut)
		}
	}
}
