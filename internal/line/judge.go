package line

import (
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

// Watched returns the active deployment of a place whose groups are to be compared now, and
// whether there is one: Judge is for it.
func (s *State) Watched(pl andon.Place) (andon.DeploymentID, bool) {
	p := s.PlaceOf(pl)
	if p == nil || p.Active == nil || !p.Active.watched() {
		return "", false
	}
	return p.Active.Plan.ID, true
}

// watched reports whether the deployment compares its groups where it is: while the new one has
// requests, and before the old one is given up.
func (d *Deployment) watched() bool {
	if d.Plan.Watch == nil || d.Plan.Base == "" || len(d.Plan.Hosts) == 0 {
		return false
	}
	switch d.Step {
	case andon.StepReverting:
		return false
	case andon.StepDraining, andon.StepRemoving: // one after the other, in rolling
		return d.Plan.Strategy == andon.Rolling
	default:
		return true
	}
}

// worse returns what is worse about the new group than about the old one; empty: nothing that was
// found.
func (d *Deployment) worse() string {
	if d.Judgement == nil || d.Judgement.Verdict != andon.VerdictWorse {
		return ""
	}
	return d.Judgement.Reason
}

// decide compares the groups when a look is due. Running counters are never journalled; the
// verdict is, with the numbers that led to it, and only when it changes: at most twice in a
// deployment. Which looks were taken is known in memory alone: after a restart the last one may
// be taken again.
func (j Judge) decide(d *decision) error {
	p := d.s.deploymentPlace(j.Deployment)
	if p == nil || p.Active == nil || p.Active.Plan.ID != j.Deployment || !p.Active.watched() {
		return nil // it went on while this was on its way
	}
	a := p.Active
	before, after := deploy.Sides(a.Plan, j.Groups)
	look := deploy.Look(*a.Plan.Watch, after.Requests)
	if look < a.looks {
		return nil
	}
	a.looks = look + 1
	verdict, reason := deploy.Compare(*a.Plan.Watch, before, after, look)
	if verdict == andon.VerdictOpen || a.Judgement != nil && a.Judgement.Verdict == verdict {
		return nil
	}
	d.emit(andon.DeploymentJudged{Deployment: j.Deployment, Judgement: andon.Judgement{
		Verdict: verdict, Reason: reason, Look: look, Before: before, After: after,
	}})
	return nil
}

func (s *State) applyJudged(b andon.DeploymentJudged) {
	p := s.deploymentPlace(b.Deployment)
	if p == nil || p.Active == nil || p.Active.Plan.ID != b.Deployment {
		return
	}
	j := b.Judgement
	p.Active.Judgement, p.Active.looks = &j, max(p.Active.looks, j.Look+1)
	s.todo.markPlace(p.Place)
}
