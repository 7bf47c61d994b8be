package httpapi

import (
	"slices"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

func wireScope(s andon.Scope) api.Scope {
	return api.Scope{Kind: api.ScopeKind(s.Kind), Environment: string(s.Environment), Service: string(s.Service)}
}

func scopeOf(s api.Scope) andon.Scope {
	return andon.Scope{Kind: andon.ScopeKind(s.Kind), Environment: andon.EnvironmentName(s.Environment), Service: andon.ServiceName(s.Service)}
}

// wirePulled returns a cord that is pulled.
func wirePulled(c andon.Cord, now time.Time) api.Cord {
	out := api.Cord{
		ID: string(c.ID), Scope: wireScope(c.Scope), Owner: string(c.Owner), Reason: c.Reason,
		Pulled: c.Pulled.UTC(), StoppedMS: now.Sub(c.Pulled).Milliseconds(),
	}
	if c.Fix != nil {
		out.Fix = &api.Fix{Service: string(c.Fix.Service), Broken: int64(c.Fix.Broken), After: int64(c.Fix.After), Stage: string(c.Fix.Stage)}
	}
	return out
}

func wireCord(c history.Cord, now time.Time) api.Cord {
	out := wirePulled(c.Cord, now)
	out.StoppedMS = c.Stopped(now).Milliseconds()
	out.Released, out.ReleasedBy, out.ReleaseReason = moment(c.Released), string(c.ReleasedBy), c.ReleaseReason
	out.FixedBy, out.Position = int64(c.FixedBy), int64(c.Seq)
	return out
}

func wireWait(w andon.Wait) api.Wait {
	return api.Wait{
		Service: string(w.Service), Version: int64(w.Version), Stage: string(w.Stage), Deployment: string(w.Deployment), Task: string(w.Task),
		Kind: api.WaitKind(w.Kind), On: w.On, Since: w.Since.UTC(), Until: moment(w.Until), Reason: w.Reason, Action: w.Action,
	}
}

func wireAgent(s *line.State, a *line.Agent) api.Agent {
	out := api.Agent{
		Name: string(a.Name), Connected: !a.Lost, Since: a.Since.UTC(), Reason: a.Reason, Slots: a.Slots, Busy: a.Jobs,
		Labels: a.Labels, Build: a.Build, Tasks: []string{},
	}
	for id, t := range s.Tasks {
		if t.Agent == a.Name {
			out.Tasks = append(out.Tasks, string(id))
		}
	}
	slices.Sort(out.Tasks)
	if !slices.Equal(a.Platforms, []string{andon.PlatformProcess}) {
		out.Platforms = a.Platforms
	}
	return out
}

// wirePlatform returns a platform as it is said: that of processes is left out.
func wirePlatform(name string) string {
	if name == andon.PlatformProcess {
		return ""
	}
	return name
}

// lineOf returns the light over a service, and the pulled cords that stop it.
func lineOf(s *line.State, svc *line.Service, now time.Time) (api.LineState, []andon.Cord) {
	var cords []andon.Cord
	for _, c := range s.Cords {
		if s.Concerns(c.Scope, svc) {
			cords = append(cords, c.Cord)
		}
	}
	switch {
	case len(cords) > 0:
		return api.Stopped, cords
	case svc.Slow(now):
		return api.Slow, nil
	default:
		return api.Running, nil
	}
}

// onItsWay returns the versions of a service that have not ended, newest first, each with the
// first of its waits.
func onItsWay(svc *line.Service, waits []andon.Wait) []api.OnItsWay {
	out := []api.OnItsWay{}
	for _, v := range svc.Versions {
		if !v.Open() {
			continue
		}
		o := api.OnItsWay{
			Version: int64(v.Ref.Number), Commit: string(v.Commit), Branch: v.Branch, Trunk: v.Trunk, Author: v.Author, Subject: v.Subject,
			Maturity: api.Maturity(v.Maturity), Stage: string(v.Stage()), Waiting: v.Run == nil, Since: v.Since.UTC(),
		}
		if v.Run != nil {
			o.Since = v.Run.Started.UTC()
		}
		for _, w := range waits {
			if w.Version == v.Ref.Number {
				o.Reason, o.Action = w.Reason, w.Action
				break
			}
		}
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b api.OnItsWay) int { return int(b.Version - a.Version) })
	return out
}

// placeStatus returns one service in one environment.
func (a *API) placeStatus(s *line.State, pl andon.Place, now time.Time) api.PlaceStatus {
	out := api.PlaceStatus{Environment: string(pl.Environment), URLs: []string{}}
	p := s.PlaceOf(pl)
	if p == nil {
		return out
	}
	if p.Live != nil {
		out.Live = &api.Live{
			Version: int64(p.Live.Version), Commit: string(p.Live.Commit), Artifact: string(p.Live.Artifact), Platform: wirePlatform(p.Live.Spec.Platform),
			Since: p.Since.UTC(), AgeMS: now.Sub(p.Since).Milliseconds(),
		}
	}
	out.Copies = countCopies(s, p)
	if w := p.Warm; w != nil {
		out.Warm = &api.Warm{Version: int64(w.Release.Version), Copies: len(p.Desired.Copies) - out.Copies.Wanted, Until: w.Until.UTC()}
	}
	out.Queued = len(p.Queued)
	if d := p.Active; d != nil {
		out.Deployment = &api.DeploymentStatus{
			ID: string(d.Plan.ID), Version: int64(d.Plan.Release.Version), Kind: api.DeploymentKind(d.Plan.Kind),
			Step: api.DeploymentStep(d.Step), Since: d.StepSince.UTC(), Reason: d.Reason,
		}
	}
	out.URLs = append(out.URLs, s.URLs(p)...)
	return out
}

func countCopies(s *line.State, p *line.Place) api.Copies {
	var c api.Copies
	for _, wanted := range p.Desired.Copies {
		if p.IsWarm(wanted.Group) {
			continue
		}
		c.Wanted++
		r := p.Copies[wanted.ID]
		switch {
		case !s.Attests(wanted.Agent):
			c.Unattested++
		case r != nil && r.Observed.Phase == andon.PhaseHealthy:
			c.Healthy++
		}
	}
	targets := map[andon.InstanceID]bool{}
	for agent, r := range p.Routes {
		if !s.Attests(agent) {
			continue
		}
		for _, id := range r.Targets {
			targets[id] = true
		}
	}
	c.InTraffic = len(targets)
	return c
}
