package line

import (
	"fmt"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

// A Preview is what a command would do to a place, as things are now. Nothing of it is done.
type Preview struct {
	Plan andon.Plan // as it would start now
	// Aborts is the deployment that is in the way, and goes back first; empty: none is.
	Aborts andon.DeploymentID
	// AbortAlone says that going back from it is all: Plan then has no deployment of its own, and
	// tells what comes back.
	AbortAlone bool
	// Quarantines is the version that nothing will bring back by itself any more; 0: none.
	Quarantines andon.VersionNumber
	// Supersedes are the queued deployments whose turn it takes.
	Supersedes []andon.DeploymentID
	// Held says what would hold it back before it begins.
	Held []andon.Wait
}

// Steps says what would happen, in order, if all goes well.
func (p Preview) Steps() []deploy.StepAhead {
	back := deploy.StepAhead{Step: andon.StepReverting, Agents: p.Plan.Edges}
	switch {
	case p.Aborts == "":
		return deploy.Ahead(p.Plan)
	case p.AbortAlone:
		back.Does = fmt.Sprintf("abort %s: version %s, which was live before it, gets all of the traffic again", p.Aborts, p.Plan.Release.Version)
		return []deploy.StepAhead{back, {
			Step: andon.StepRemoving, Does: fmt.Sprintf("stop the copies of version %s", p.Plan.Previous.Version),
		}}
	default:
		back.Does = fmt.Sprintf("abort %s: what was live before it comes back first", p.Aborts)
		return append([]deploy.StepAhead{back}, deploy.Ahead(p.Plan)...)
	}
}

// Preview returns what the command would do, or why it is refused.
func (r Deploy) Preview(s *State, by andon.Actor) (Preview, error) {
	plan, err := r.plan(s, by)
	if err != nil {
		return Preview{}, err
	}
	out := Preview{Plan: s.complete(plan)}
	asked := &Deployment{Plan: plan}
	place := s.Places[plan.Place.Key()]
	out.Held = s.stopped(asked)
	if len(out.Held) == 0 {
		out.Held = s.busy(place, queuedWait(asked))
	}
	if len(out.Held) == 0 {
		out.Held = s.hostHold(plan.Place, queuedWait(asked))
	}
	for _, queued := range place.forward() {
		out.Supersedes = append(out.Supersedes, queued.Plan.ID)
	}
	return out, nil
}

// PreviewQueued returns what a queued deployment would do if it began now; false: none of that ID is
// queued.
func (s *State) PreviewQueued(id andon.DeploymentID) (Preview, bool) {
	d := s.FindDeployment(id)
	if d == nil || !d.Started.IsZero() {
		return Preview{}, false
	}
	return Preview{Plan: s.complete(d.Plan)}, true
}

// forward returns the queued deployments that a newer wish takes the turn of.
func (p *Place) forward() (queued []*Deployment) {
	if p == nil {
		return nil
	}
	for _, d := range p.Queued {
		if d.Plan.Kind == andon.DeployForward {
			queued = append(queued, d)
		}
	}
	return queued
}

// Preview returns what the command would do, or why it is refused.
func (r Rollback) Preview(s *State, by andon.Actor) (Preview, error) {
	w, err := r.way(s)
	if err != nil {
		return Preview{}, err
	}
	out := Preview{Quarantines: w.bad}
	if d := w.place.Active; d != nil {
		out.Aborts, out.AbortAlone = d.Plan.ID, w.backAlready
	}
	plan := s.planRelease(r.Place, w.environment, *w.target, andon.DeployRollback, by, r.Reason)
	out.Plan = s.complete(plan)
	if out.AbortAlone { // its own way back: to the group that was live before it
		d := w.place.Active
		out.Plan.ID, out.Plan.Group, out.Plan.Base = d.Plan.ID, d.Plan.Base, d.Plan.Group
		out.Plan.Previous = &d.Plan.Release
	}
	return out, nil
}

// Preview returns what the stage would deploy, or why the command is refused. A stage that deploys
// nothing has no plan: andon.KindInvalid.
func (p Promote) Preview(s *State, by andon.Actor) (Preview, error) {
	v, index, err := p.admissible(s)
	if err != nil {
		return Preview{}, err
	}
	st := v.Pipeline.Stages[index]
	if st.Deploy == "" {
		return Preview{}, andon.Errorf(andon.KindInvalid, "stage %s deploys nothing: there is no plan to show", p.Stage).
			WithHint("`andon promote %s %s %s` lets %s into it", v.Ref.Service, v.Ref.Number, p.Stage, v.Ref)
	}
	plan, problem := s.plan(v, st.Deploy, andon.DeployForward, by, p.Reason)
	if problem != nil {
		return Preview{}, problem
	}
	plan.Stage = p.Stage
	return Preview{Plan: s.complete(plan), Held: p.Held(s)}, nil
}

// Held says what would still hold the version back from the stage, as things are, once it is let
// into it; of a command that would not be refused.
func (p Promote) Held(s *State) []andon.Wait {
	v, index, err := p.admissible(s)
	if err != nil {
		return nil
	}
	st := v.Pipeline.Stages[index]
	held := s.stoppedFor(v, index, st.Deploy, s.waitOf(v))
	if len(held) == 0 && st.Deploy != "" {
		held = s.lockHold(andon.Place{Service: v.Ref.Service, Environment: st.Deploy}, s.waitOf(v))
	}
	return held
}
