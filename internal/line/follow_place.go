package line

import (
	"fmt"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

// placeNext returns what follows for a place: the next step of its deployment, the start of a
// queued one, or the end of copies that nobody wants; or why nothing does.
func (s *State) placeNext(p *Place, now time.Time) ([]andon.Body, []andon.Wait) {
	if p.unwanted() {
		return []andon.Body{andon.DesiredChanged{Desired: andon.Desired{Place: p.Place, Generation: s.Generation + 1}}}, nil
	}
	if p.Active != nil {
		return s.deploymentNext(p, now)
	}
	bodies, waits := s.warmNext(p, now)
	if len(bodies) > 0 {
		return bodies, nil
	}
	first := "" // the deployment that is the next to have the place
	for _, d := range p.Queued {
		if why := s.obsolete(d); why != "" {
			return []andon.Body{s.deploymentEnd(p, d, andon.Cancelled, why)}, nil
		}
		held := s.stopped(d)
		switch {
		case len(held) > 0: // those behind it need not wait for the cord
		case first != "":
			w := queuedWait(d)
			w.Kind, w.On = andon.WaitLock, first
			w.Reason = fmt.Sprintf("deployment %s comes first", first)
			held = []andon.Wait{w}
		default:
			held = s.placeHold(p, d)
			if len(held) == 0 {
				return []andon.Body{andon.DeploymentStarted{Plan: s.complete(d.Plan)}}, nil
			}
			first = string(d.Plan.ID)
		}
		waits = append(waits, held...)
	}
	return nil, waits
}

// obsolete says why a queued deployment must not begin any more: what it is to deploy has turned
// out to be bad since it was asked for.
func (s *State) obsolete(d *Deployment) string {
	v := s.version(andon.VersionRef{Service: d.Plan.Service, Number: d.Plan.Release.Version})
	if v == nil || v.Maturity != andon.Quarantined && (v.Maturity != andon.Rejected || d.Plan.Kind == andon.DeployRollback) {
		return ""
	}
	return fmt.Sprintf("%s was %s before the deployment could begin", v.Ref, v.Maturity)
}

// unwanted reports whether the place has copies that its agents must be told to stop: those of a
// removed service, or some that no deployment of this plant ever placed.
func (p *Place) unwanted() bool {
	if p.Active != nil {
		return false
	}
	if p.Removing && (len(p.Desired.Copies) > 0 || p.Desired.Route != nil) {
		return true
	}
	return p.Desired.Generation == 0 && len(p.Copies) > 0
}

func queuedWait(d *Deployment) andon.Wait {
	return andon.Wait{
		Service: d.Plan.Service, Version: d.Plan.Release.Version, Stage: d.Plan.Stage,
		Deployment: d.Plan.ID, Since: d.Planned,
	}
}

// stopped returns the cords that hold a queued deployment back. A rollback passes every cord.
func (s *State) stopped(d *Deployment) []andon.Wait {
	v := s.version(andon.VersionRef{Service: d.Plan.Service, Number: d.Plan.Release.Version})
	if d.Plan.Kind == andon.DeployRollback || v == nil {
		return nil
	}
	index := noStage
	if v.Pipeline != nil {
		if _, i, ok := v.Pipeline.StageFor(d.Plan.Environment); ok {
			index = i
		}
	}
	return s.stoppedFor(v, index, d.Plan.Environment, queuedWait(d))
}

// placeHold returns what keeps the first of the queued deployments from its place.
func (s *State) placeHold(p *Place, d *Deployment) []andon.Wait {
	w := queuedWait(d)
	if waits := s.busy(p, w); len(waits) > 0 {
		return waits
	}
	return s.hostHold(p.Place, w)
}

// deploymentNext returns the next step of the deployment that changes a place.
func (s *State) deploymentNext(p *Place, now time.Time) ([]andon.Body, []andon.Wait) {
	d := p.Active
	if waits := s.unheard(p, now); len(waits) > 0 {
		return nil, waits
	}
	step := deploy.Next(deploy.Input{
		Plan: d.Plan, Reverting: d.Step == andon.StepReverting, Step: d.Step, StepSince: d.StepSince, Started: d.Started,
		Desired: p.Desired, RouteGeneration: p.RouteGeneration, RouteChanged: p.RouteChanged,
		Copies: p.Copies, Routes: p.Routes, Lost: s.away(p), Smokes: d.Smokes, Worse: d.worse(), Now: now,
	})
	switch {
	case step.Done:
		return s.endDeployment(p, step.Attention, now), nil
	case step.Failed != "":
		return s.revert(p, andon.Failed, step.Failed), nil
	}
	var bodies []andon.Body
	if step.At != d.Step {
		bodies = append(bodies, andon.DeploymentMoved{Deployment: d.Plan.ID, Step: step.At})
	}
	switch {
	case step.Desired != nil:
		next := *step.Desired
		next.Generation = s.Generation + 1
		bodies = append(bodies, andon.DesiredChanged{Deployment: d.Plan.ID, Desired: next})
	case len(step.Smoke) > 0:
		asked := d.smokes()
		for i, id := range step.Smoke {
			bodies = append(bodies, andon.TaskQueued{Task: s.smokeTask(p, id, asked+i+1)})
		}
	}
	if len(bodies) > 0 {
		return bodies, nil
	}
	return nil, s.deploymentWaits(d, step.Waits)
}

// smokes returns how many smoke tests the deployment has asked for.
func (d *Deployment) smokes() int {
	n := len(d.Smokes)
	for _, s := range d.Smokes {
		n += s.Again
	}
	return n
}

// deploymentWaits gives the waits of a strategy the names of what waits.
func (s *State) deploymentWaits(d *Deployment, of []deploy.Wait) []andon.Wait {
	waits := make([]andon.Wait, 0, len(of))
	for _, w := range of {
		out := queuedWait(d)
		out.Kind, out.On, out.Since, out.Until, out.Reason = w.Kind, w.On, w.Since, w.Until, w.Reason
		if w.Kind == andon.WaitTask {
			out.Task = andon.TaskID(w.On)
		}
		if d.Step != andon.StepReverting {
			out.Action = fmt.Sprintf("andon cancel %s", d.Plan.ID)
		}
		waits = append(waits, out)
	}
	return waits
}

// revert turns a deployment back towards what was live before it.
func (s *State) revert(p *Place, outcome andon.Outcome, reason string) []andon.Body {
	return append(s.cancelSmokes(p.Active, reason), andon.DeploymentMoved{
		Deployment: p.Active.Plan.ID, Step: andon.StepReverting, Outcome: outcome, Reason: reason,
	})
}

func (s *State) cancelSmokes(d *Deployment, reason string) []andon.Body {
	var bodies []andon.Body
	for _, id := range sorted(d.Smokes) {
		if t := s.Tasks[d.Smokes[id].Task]; t != nil && !t.Cancel {
			bodies = append(bodies, andon.TaskCancelled{Task: t.Task.ID, Reason: "the deployment ends: " + reason})
		}
	}
	return bodies
}

// endDeployment ends a deployment that has reached its goal: its own, or what was live before.
func (s *State) endDeployment(p *Place, attention string, now time.Time) []andon.Body {
	d := p.Active
	end := andon.DeploymentEnded{
		Deployment: d.Plan.ID, Place: p.Place, Version: d.Plan.Release.Version,
		Outcome: andon.Succeeded, Live: &d.Plan.Release, Group: d.Plan.Group, Ledger: p.ledger(d.Plan.ID), Warm: d.warm(now),
	}
	if d.Step == andon.StepReverting {
		end.Warm = nil
		end.Outcome, end.Reason, end.Live, end.Group = d.Outcome, d.Reason, d.Plan.Previous, d.Plan.Base
		if attention != "" {
			end.Outcome = andon.NeedsAttention
			end.Reason = fmt.Sprintf("%s; and what was live before could not be restored: %s", d.Reason, attention)
		}
	}
	return append([]andon.Body{end}, s.afterDeployment(p, end, now)...)
}

// afterDeployment stops the line for a deployment that failed and that no stage speaks for.
func (s *State) afterDeployment(p *Place, end andon.DeploymentEnded, now time.Time) []andon.Body {
	if end.Outcome != andon.Failed && end.Outcome != andon.NeedsAttention {
		return nil
	}
	v := s.version(andon.VersionRef{Service: end.Service, Number: end.Version})
	if v != nil && v.Run != nil && v.Run.Deployment == end.Deployment {
		return nil
	}
	reason := fmt.Sprintf("deployment %s of version %s %s: %s", end.Deployment, end.Version, ended(end.Outcome), end.Reason)
	if v != nil && v.Pipeline != nil && p.Active.Plan.Kind == andon.DeployForward {
		if st, _, ok := v.Pipeline.StageFor(end.Environment); ok {
			return s.redStage(v, st.Name, reason, now)
		}
	}
	for _, c := range s.Cords {
		if c.Scope.Covers(end.Service, end.Environment) {
			return nil
		}
	}
	return []andon.Body{s.pull(andon.ActorLine, andon.Scope{Kind: andon.ScopeService, Service: end.Service}, reason, nil, now)}
}

func ended(o andon.Outcome) string {
	if o == andon.NeedsAttention {
		return "needs attention"
	}
	return string(o)
}

// ledger returns the requests that the place's proxies counted for a deployment, as last
// attested; nil: none was.
func (p *Place) ledger(id andon.DeploymentID) *andon.Ledger {
	var sum *andon.Ledger
	for _, r := range p.Routes {
		for _, l := range r.Ledgers {
			if l.Deployment != id {
				continue
			}
			if sum == nil {
				sum = &l
			} else {
				*sum = sum.Plus(l)
			}
		}
	}
	return sum
}
