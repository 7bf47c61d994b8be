package agent

import (
	"context"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
)

// A lookout watches the copies on other hosts that the proxy of this host has in its routes, and
// asks each of them itself whether it is well: one whose host went away or was cut off leaves the
// traffic with its first probe that fails, whatever server and agents know of it.
type lookout struct {
	agent *Agent
	parts sync.WaitGroup // the watchers' goroutines

	mu  sync.Mutex
	far map[andon.InstanceID]*farCopy
	// served is the copies that had traffic when this agent began: they were healthy.
	served map[andon.InstanceID]bool
}

// A farCopy is a copy on another host.
type farCopy struct {
	id      andon.InstanceID
	address string
	health  andon.Health
	leave   context.CancelFunc
	hurry   signal // raised when it is to have traffic, and was not reached

	// The lookout's lock guards what follows.
	phase  andon.Phase
	routed bool // it is to have traffic
	asked  bool // a probe that began after that has ended
}

func newLookout(a *Agent) *lookout {
	return &lookout{agent: a, far: make(map[andon.InstanceID]*farCopy), served: make(map[andon.InstanceID]bool)}
}

// converge watches exactly the copies that this host routes requests to and that run elsewhere.
// Only the router calls it.
func (l *lookout) converge(ctx context.Context, desired []andon.Desired, addresses map[andon.InstanceID]string) {
	self := l.agent.config.Name
	wanted := make(map[andon.InstanceID]bool)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range desired {
		if serves, all := d.Serves(self); !serves || !all {
			continue
		}
		for _, c := range d.Copies {
			address := addresses[c.ID]
			if c.Agent == self || address == "" || c.Spec.Port == 0 {
				continue
			}
			wanted[c.ID] = true
			if have := l.far[c.ID]; have == nil || have.address != address {
				l.watch(ctx, c, address)
			}
			l.far[c.ID].want(d.Routed(c.ID))
		}
	}
	for id, c := range l.far {
		if !wanted[id] {
			c.leave()
			delete(l.far, id)
		}
	}
	clear(l.served) // who had traffic and is not in the routes now does not begin with it
}

// watch begins to watch a copy at an address, in the place of any other. The caller holds mu.
func (l *lookout) watch(ctx context.Context, c andon.Copy, address string) {
	if old := l.far[c.ID]; old != nil {
		old.leave()
	}
	next := &farCopy{id: c.ID, address: address, health: healthOf(c.Spec), phase: andon.PhaseStarting, hurry: newSignal()}
	if l.served[c.ID] {
		next.phase = andon.PhaseHealthy
	}
	ctx, next.leave = context.WithCancel(ctx)
	l.far[c.ID] = next
	l.parts.Go(func() {
		defer next.leave()
		l.look(ctx, next)
	})
}

// want notes whether the copy is to have traffic. The caller holds the lookout's lock.
func (c *farCopy) want(routed bool) {
	if routed && !c.routed {
		c.asked = false
		if c.phase == andon.PhaseStarting {
			c.hurry.raise()
		}
	}
	c.routed = routed
}

// asks reports whether a copy that is to have traffic is being asked for the first time since
// then whether it is well. That takes no longer than its health's timeout.
func (l *lookout) asks(c andon.Copy) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	far := l.far[c.ID]
	return far != nil && far.routed && !far.asked && far.phase == andon.PhaseStarting
}

// look probes a copy until ctx ends.
func (l *lookout) look(ctx context.Context, c *farCopy) {
	wait := min(firstProbe, c.health.Interval)
	for ctx.Err() == nil {
		l.mu.Lock()
		routed := c.routed
		l.mu.Unlock()
		probe, cancel := context.WithTimeout(ctx, c.health.Timeout)
		err := l.agent.config.Probe(probe, c.address, c.health.Path)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			l.show(c, andon.PhaseHealthy, routed)
			wait = c.health.Interval
		} else if l.show(c, andon.PhaseUnhealthy, routed) {
			l.agent.config.Log.Info("a copy on another host is not reached well", "copy", c.id, "address", c.address, "reason", err)
		}
		if !sleepUnless(ctx, wait, c.hurry) {
			return
		}
		wait = min(wait*3/2, c.health.Interval)
	}
}

// show notes what a copy was found to be by a probe, which began when it was to have traffic or
// not, and reports whether it was well until now and is not.
func (l *lookout) show(c *farCopy, phase andon.Phase, routed bool) (fell bool) {
	l.mu.Lock()
	was, answered := c.phase, routed && !c.asked
	if phase == andon.PhaseUnhealthy && was == andon.PhaseStarting {
		phase = was
	}
	c.phase, c.asked = phase, c.asked || routed
	l.mu.Unlock()
	if was != phase || answered {
		l.agent.board.health.raise()
	}
	return was == andon.PhaseHealthy && phase != was
}

// states adds what is known of the copies on other hosts to those of this one.
func (l *lookout) states(copies map[andon.InstanceID]andon.InstanceState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, c := range l.far {
		copies[id] = andon.InstanceState{ID: id, Phase: c.phase, Address: c.address}
	}
}
