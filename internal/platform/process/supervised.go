package process

import (
	"context"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/process/confine"
)

// A supervised is what the driver knows of one copy.
type supervised struct {
	id   andon.InstanceID
	turn chan struct{} // holds one token; who has taken it starts or ends the copy
	gone bool          // stopped and forgotten; guarded by the turn

	mu      sync.Mutex
	record  *record       // nil: never started
	process *proc         // nil: does not run
	cell    *confine.Cell // what holds the process and its children; nil: nothing
	ended   chan struct{} // closed when process has ended
	ending  bool          // somebody is ending it: no exit is delivered
	why     string        // the driver itself has killed it; empty: it has not
}

func newSupervised(id andon.InstanceID) *supervised {
	s := &supervised{id: id, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// take returns the copy of that ID once it is the caller's to start or end, and what gives it
// back. A copy that is not known is made up if create is set, and nil otherwise.
func (d *Driver) take(ctx context.Context, id andon.InstanceID, create bool) (*supervised, func(), error) {
	for {
		d.mu.Lock()
		s := d.copies[id]
		closed := d.closed
		if s == nil && create && !closed {
			s = newSupervised(id)
			d.copies[id] = s
		}
		d.mu.Unlock()
		if closed {
			return nil, nil, andon.Errorf(andon.KindUnavailable, "the agent is shutting down")
		}
		if s == nil {
			return nil, func() {}, nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-s.turn:
		}
		if !s.gone {
			return s, func() { s.turn <- struct{}{} }, nil
		}
		s.turn <- struct{}{} // another caller forgot it meanwhile: look again
	}
}

// instance returns the copy as the contract has it; false if it was never started.
func (s *supervised) instance() (platform.Instance, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.record == nil {
		return platform.Instance{}, false
	}
	r := s.record
	inst := platform.Instance{
		ID: r.Spec.ID, Artifact: r.Spec.Artifact, Config: r.Spec.Config, Address: r.Spec.Address,
		Running: s.process != nil, Started: r.Started,
	}
	if !inst.Running {
		inst.Exit = r.Exit
	}
	return inst, true
}

// forget drops a copy whose directory is gone. The caller has its turn.
func (d *Driver) forget(s *supervised) {
	s.gone = true
	d.mu.Lock()
	delete(d.copies, s.id)
	d.mu.Unlock()
}
