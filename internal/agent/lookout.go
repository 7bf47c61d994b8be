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
	phase   andon.Phase // the lookout's lock guards it
	leave   context.CancelFunc
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
			if have := l.far[c.ID]; have != nil && have.address == address {
				continue
			}
			l.watch(ctx, c, address)
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
	next := &farCopy{id: c.ID, address: address, health: healthOf(c.Spec), phase: andon.PhaseStarting}
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

// look probes a copy until ctx ends.
func (l *lookout) look(ctx context.Context, c *farCopy) {
	wait := min(firstProbe, c.health.Interval)
	for ctx.Err() == nil {
		probe, cancel := context.WithTimeout(ctx, c.health.Timeout)
		err := l.agent.config.Probe(probe, c.address, c.health.Path)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			l.show(c, andon.PhaseHealthy)
			wait = c.health.Interval
		} else if l.show(c, andon.PhaseUnhealthy) {
			l.agent.config.Log.Info("a copy on another host is not reached well", "copy", c.id, "address", c.address, "reason", err)
		}
		if !sleep(ctx, wait) {
			return
		}
		wait = min(wait*3/2, c.health.Interval)
	}
}

// show notes what a copy was found to be, and reports whether it was well until now and is not.
func (l *lookout) show(c *farCopy, phase andon.Phase) (fell bool) {
	l.mu.Lock()
	was := c.phase
	if phase == andon.PhaseUnhealthy && was == andon.PhaseStarting {
		phase = was
	}
	c.phase = phase
	l.mu.Unlock()
	if was != phase {
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
