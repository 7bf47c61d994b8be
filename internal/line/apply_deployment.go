package line

import (
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

// keptGood is how many releases a place remembers as good: how far back a rollback can go.
const keptGood = 20

func (s *State) applyPlanned(plan andon.Plan, at time.Time) {
	p := s.place(plan.Place)
	p.Deployments++
	d := &Deployment{Plan: plan, Planned: at}
	if plan.Kind == andon.DeployRollback { // before all that people asked for
		p.Queued = slices.Insert(p.Queued, 0, d)
	} else {
		p.Queued = append(p.Queued, d)
	}
	s.todo.markPlace(plan.Place)
	s.todo.markService(plan.Service)
}

func (s *State) applyStarted(plan andon.Plan, at time.Time) {
	p := s.place(plan.Place)
	planned := at
	p.Queued = slices.DeleteFunc(p.Queued, func(d *Deployment) bool {
		if d.Plan.ID == plan.ID {
			planned = d.Planned
			return true
		}
		return false
	})
	p.Removing = false
	p.Active = &Deployment{Plan: plan, Planned: planned, Started: at, Step: andon.StepPlacing, StepSince: at}
	if plan.Stage != "" {
		v := s.version(andon.VersionRef{Service: plan.Service, Number: plan.Release.Version})
		if v != nil && v.Run != nil && v.Run.Stage == plan.Stage {
			v.Run.Deployment = plan.ID
		}
	}
	s.todo.markPlace(plan.Place)
	s.todo.markService(plan.Service)
}

func (s *State) applyMoved(b andon.DeploymentMoved, at time.Time) {
	p := s.deploymentPlace(b.Deployment)
	if p == nil || p.Active == nil || p.Active.Plan.ID != b.Deployment {
		return
	}
	d := p.Active
	d.Step, d.StepSince = b.Step, at
	if b.Step == andon.StepReverting {
		d.Outcome, d.Reason = b.Outcome, b.Reason
	}
	s.todo.markPlace(p.Place)
}

func (s *State) applyDesired(b andon.DesiredChanged, at time.Time) {
	p := s.place(b.Desired.Place)
	old := p.Desired
	for _, c := range b.Desired.Copies {
		r := p.Copies[c.ID]
		if r == nil {
			r = &deploy.Record{Agent: c.Agent}
			put(&p.Copies, c.ID, r)
		}
		if _, had := old.Copy(c.ID); !had {
			r.Agent, r.Placed, r.Removed = c.Agent, at, time.Time{}
		}
		switch {
		case b.Desired.Routed(c.ID):
			r.Unrouted = time.Time{}
		case old.Routed(c.ID):
			r.Unrouted = at
		}
		s.addHost(p, c.Agent)
	}
	for _, c := range old.Copies {
		if _, has := b.Desired.Copy(c.ID); has {
			continue
		}
		r := p.Copies[c.ID]
		if r == nil || r.Observed.Phase == "" || r.Observed.Phase == andon.PhaseStopped {
			delete(p.Copies, c.ID)
			continue
		}
		r.Removed, r.Stop = at, c.Spec.Stop
		if old.Routed(c.ID) {
			r.Unrouted = at
		}
	}
	if b.Desired.Route != nil {
		for _, name := range b.Desired.Route.Edges {
			s.addHost(p, name)
		}
	}
	if !sameRoute(old.Route, b.Desired.Route) {
		p.RouteGeneration, p.RouteChanged = b.Desired.Generation, at
	}
	p.Desired = b.Desired
	p.forgetWarm()
	s.Generation = max(s.Generation, b.Desired.Generation)
	s.todo.markPlace(p.Place)
	s.todo.markService(p.Place.Service)
	s.settleRemoval(p)
}

func sameRoute(a, b *andon.Route) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.Equal(a.Hosts, b.Hosts) && slices.Equal(a.Targets, b.Targets) && slices.Equal(a.Edges, b.Edges) && a.Ledger == b.Ledger
}

func (s *State) applyDeploymentEnded(b andon.DeploymentEnded, at time.Time) {
	p := s.Places[b.Place.Key()]
	if p == nil {
		return
	}
	d := p.Active
	if d == nil || d.Plan.ID != b.Deployment {
		i := slices.IndexFunc(p.Queued, func(q *Deployment) bool { return q.Plan.ID == b.Deployment })
		if i < 0 {
			return
		}
		d = p.Queued[i]
		p.Queued = slices.Delete(p.Queued, i, i+1)
	} else {
		p.Active = nil
		p.wake = time.Time{}
		s.tellStage(b)
	}
	p.Last = &Ended{Plan: d.Plan, Outcome: b.Outcome, Reason: b.Reason, Started: d.Started, Ended: at, Ledger: b.Ledger}
	if b.Outcome == andon.Succeeded {
		p.Live, p.Group, p.Since, p.Warm = b.Live, b.Group, at, b.Warm
		p.Good = append(p.Good, Good{Release: d.Plan.Release, Group: b.Group, Deployment: b.Deployment, Since: at})
		if len(p.Good) > keptGood {
			p.Good = slices.Delete(p.Good, 0, len(p.Good)-keptGood)
		}
	}
	s.todo.markPlace(p.Place)
	s.todo.markService(p.Place.Service)
}

// tellStage gives the outcome of a deployment to the stage that asked for it.
func (s *State) tellStage(b andon.DeploymentEnded) {
	v := s.version(andon.VersionRef{Service: b.Service, Number: b.Version})
	if v != nil && v.Run != nil && v.Run.Deployment == b.Deployment {
		v.Run.DeploymentOutcome, v.Run.DeploymentReason = b.Outcome, b.Reason
	}
}

// deploymentPlace returns the place of a deployment from its ID; nil when there is none.
func (s *State) deploymentPlace(id andon.DeploymentID) *Place {
	pl, ok := placeOf(andon.InstanceID(id + ".0"))
	if !ok {
		return nil
	}
	return s.Places[pl.Key()]
}
