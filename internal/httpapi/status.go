package httpapi

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

type statusQuestion struct {
	Service string `query:"service" doc:"only this one"`
}

func (a *API) status(ctx context.Context, q *statusQuestion) (out api.Status, err error) {
	found := true
	viewErr := a.Engine.View(ctx, func(s *line.State) {
		if q.Service != "" && s.Services[andon.ServiceName(q.Service)] == nil {
			found = false
			return
		}
		out = a.statusOf(s, andon.ServiceName(q.Service))
		out.Position = int64(a.Engine.Head())
	})
	if viewErr != nil {
		return out, viewErr
	}
	if !found {
		return out, errNoService(q.Service)
	}
	return out, nil
}

// statusOf returns the plant at a glance; with a service, only that one.
func (a *API) statusOf(s *line.State, only andon.ServiceName) api.Status {
	now := a.Engine.Now()
	out := api.Status{
		Plant: s.Plant, Time: now, Line: api.Running,
		Services: []api.ServiceStatus{}, Cords: []api.Cord{}, Agents: wireAgents(s),
	}
	waits := waitsByService(s, only, now)
	environments := s.EnvironmentsInOrder()
	out.Environments = texts(environments)
	for _, svc := range s.Services {
		if only == "" || svc.Name == only {
			out.Services = append(out.Services, a.serviceStatus(s, svc, environments, waits[svc.Name]))
		}
	}
	slices.SortFunc(out.Services, func(x, y api.ServiceStatus) int { return strings.Compare(x.Service, y.Service) })
	for _, c := range s.Cords {
		if only == "" || s.Concerns(c.Scope, s.Services[only]) {
			cord := wirePulled(c.Cord, now)
			if broken := brokenVersion(s, c.Cord); broken != nil {
				cord.Fix.Author = broken.Author
			}
			out.Cords = append(out.Cords, cord)
		}
	}
	for _, svc := range out.Services {
		out.Line = worse(out.Line, svc.Line)
	}
	if len(out.Cords) > 0 {
		out.Line = api.Stopped
	}
	if s.Followed != nil {
		out.Refused = wireRefused(s.Followed.Refused)
	}
	out.Totals = totals(s, out)
	return out
}

// brokenVersion returns the version that stopped the line, as far as the line still keeps it.
func brokenVersion(s *line.State, c andon.Cord) *line.Version {
	if c.Fix == nil {
		return nil
	}
	return s.Version(andon.VersionRef{Service: c.Fix.Service, Number: c.Fix.Broken})
}

// waitsByService returns why things do not move.
func waitsByService(s *line.State, only andon.ServiceName, now time.Time) map[andon.ServiceName][]andon.Wait {
	if only != "" {
		return map[andon.ServiceName][]andon.Wait{only: s.WaitingFor(only, now)}
	}
	waits := map[andon.ServiceName][]andon.Wait{}
	for _, w := range s.Waiting(now) {
		waits[w.Service] = append(waits[w.Service], w)
	}
	return waits
}

// worse returns the worse of two states of the line.
func worse(x, y api.LineState) api.LineState {
	states := api.LineStates()
	return states[max(slices.Index(states, x), slices.Index(states, y))]
}

func (a *API) serviceStatus(s *line.State, svc *line.Service, environments []andon.EnvironmentName, waits []andon.Wait) api.ServiceStatus {
	now := a.Engine.Now()
	state, cords := lineOf(s, svc, now)
	out := api.ServiceStatus{
		Service: string(svc.Name), Team: string(svc.Team()), Line: state, Trunk: svc.Source.Trunk, Repository: svc.Source.URL, Newest: int64(svc.Newest),
		OnItsWay: onItsWay(svc, waits), Environments: []api.PlaceStatus{},
		Cords: each(cords, func(c andon.Cord) string { return string(c.ID) }),
	}
	for _, env := range environments {
		pl := andon.Place{Service: svc.Name, Environment: env}
		if s.PlaceOf(pl) != nil {
			out.Environments = append(out.Environments, a.placeStatus(s, pl, now))
		}
	}
	return out
}

func totals(s *line.State, status api.Status) api.Totals {
	t := api.Totals{
		Services: len(status.Services), Cords: len(status.Cords),
		TasksQueued: len(s.Queue), TasksRunning: len(s.Tasks) - len(s.Queue),
	}
	for _, svc := range status.Services {
		t.OnTheirWay += len(svc.OnItsWay)
		for _, e := range svc.Environments {
			if e.Deployment != nil {
				t.Deployments++
			}
			t.Copies += e.Copies.Wanted
			t.Healthy += e.Copies.Healthy
		}
	}
	for _, agent := range status.Agents {
		if agent.Connected {
			t.Agents++
		}
	}
	return t
}

func wireAgents(s *line.State) []api.Agent {
	out := make([]api.Agent, 0, len(s.Agents))
	for _, agent := range s.Agents {
		out = append(out, wireAgent(s, agent))
	}
	slices.SortFunc(out, func(x, y api.Agent) int { return strings.Compare(x.Name, y.Name) })
	return out
}
