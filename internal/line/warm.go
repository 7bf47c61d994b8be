package line

import (
	"fmt"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

// warm returns what stays of the group that was live before a deployment which succeeds now.
func (d *Deployment) warm(now time.Time) *andon.Warm {
	if !deploy.KeepsWarm(&d.Plan) {
		return nil
	}
	return &andon.Warm{
		Group: d.Plan.Base, Release: *d.Plan.Previous, Deployment: d.Plan.ID, Since: now, Until: now.Add(d.Plan.Warm),
	}
}

// warmNext takes a place's warm group away when its time is over, or says until when it stays.
// That depends on the time alone: a clock that was set back to well before it began counts as
// over, as in deploy.
func (s *State) warmNext(p *Place, now time.Time) ([]andon.Body, []andon.Wait) {
	w := p.Warm
	if w == nil {
		return nil, nil
	}
	if !now.Before(w.Until) || now.Before(w.Since.Add(-deploy.ClockSlack)) {
		next := p.Desired.Clone()
		next.Copies = slices.DeleteFunc(next.Copies, func(c andon.Copy) bool { return c.Group == w.Group })
		next.Generation = s.Generation + 1
		return []andon.Body{andon.DesiredChanged{Desired: next}}, nil
	}
	return nil, []andon.Wait{{
		Service: p.Place.Service, Version: w.Release.Version, Deployment: w.Deployment,
		Kind: andon.WaitWarm, On: string(w.Group), Since: w.Since, Until: w.Until,
		Reason: fmt.Sprintf("version %s stays warm in %s, without requests: going back to it is one switch", w.Release.Version, p.Place.Environment),
		Action: fmt.Sprintf("andon rollback %s %s", p.Place.Service, p.Place.Environment),
	}}
}

// IsWarm reports whether a group is the one that is kept warm.
func (p *Place) IsWarm(g andon.GroupID) bool { return p.Warm != nil && p.Warm.Group == g }

// waits reports whether there is something in the place that waits.
func (p *Place) waits() bool { return p.Active != nil || len(p.Queued) > 0 || p.Warm != nil }

// forgetWarm forgets the warm group when its copies are not desired any more.
func (p *Place) forgetWarm() {
	if p.Warm != nil && !slices.ContainsFunc(p.Desired.Copies, func(c andon.Copy) bool { return p.IsWarm(c.Group) }) {
		p.Warm = nil
	}
}

// reusable returns the group of copies that run the very release of a plan already, without being
// live; empty: there is none. A rollback takes any that has not been taken away yet, another
// deployment the one that is kept warm. One with a copy on an agent that is away is none: a new
// group is there sooner.
func (s *State) reusable(p *Place, plan *andon.Plan) andon.GroupID {
	if !deploy.Reuses(plan) {
		return ""
	}
	for _, c := range p.Desired.Copies {
		if c.Artifact != plan.Release.Artifact || c.Config != plan.Release.Config || c.Version != plan.Release.Version || c.Group == p.Group {
			continue
		}
		if (p.IsWarm(c.Group) || plan.Kind == andon.DeployRollback) && s.allThere(p, c.Group) {
			return c.Group
		}
	}
	return ""
}

// allThere reports whether the agents of all copies of a group are there.
func (s *State) allThere(p *Place, g andon.GroupID) bool {
	return !slices.ContainsFunc(p.Desired.Copies, func(c andon.Copy) bool {
		a := s.Agents[c.Agent]
		return c.Group == g && (a == nil || a.Lost)
	})
}
