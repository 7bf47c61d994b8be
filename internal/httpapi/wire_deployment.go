package httpapi

import (
	"maps"
	"slices"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

func wireDeployment(d history.DeploymentSummary) api.Deployment {
	return api.Deployment{
		ID: string(d.ID), Service: string(d.Service), Environment: string(d.Environment),
		Version: int64(d.Version), Previous: int64(d.Previous), Kind: api.DeploymentKind(d.Kind), Strategy: api.Strategy(d.Strategy),
		Stage: string(d.Stage), By: string(d.By), Why: d.Why, Artifact: string(d.Artifact),
		Planned: d.Planned.UTC(), Started: moment(d.Started), Ended: moment(d.Ended), TookMS: between(d.Started, d.Ended),
		Step: api.DeploymentStep(d.Step), Outcome: api.Outcome(d.Outcome), Reason: d.Reason, Ledger: wireLedger(d.Ledger),
		Position: int64(d.Seq),
	}
}

func wireLedger(l *andon.Ledger) *api.Ledger {
	if l == nil {
		return nil
	}
	return &api.Ledger{
		Deployment: string(l.Deployment), Requests: l.Requests(), Served: l.Served, Retried: l.Retried, Failed: l.Failed,
		ClientGone: l.ClientGone, Unknown: l.Unknown, AtSwitch: l.AtSwitch, Drained: l.Drained, CutOff: l.CutOff,
		Upgraded: l.Upgraded, Moved: l.Moved, LongestDrainMS: l.LongestDrain,
	}
}

func wireMove(s history.DeploymentStep) api.DeploymentMove {
	return api.DeploymentMove{Step: api.DeploymentStep(s.Step), Time: s.Time.UTC(), Reason: s.Reason}
}

// wireCopies returns the copies of a place, or of one group in it: those that should run, those
// that agents attest, and those that a deployment placed once.
func wireCopies(s *line.State, p *line.Place, group andon.GroupID, placed []history.Copy) []api.Copy {
	byID := map[andon.InstanceID]*api.Copy{}
	at := func(id andon.InstanceID) *api.Copy {
		if byID[id] == nil {
			byID[id] = &api.Copy{ID: string(id), Log: andon.InstanceLogStream(id)}
		}
		return byID[id]
	}
	for _, c := range placed {
		out := at(c.ID)
		out.Agent, out.Placed = string(c.Agent), c.Placed.UTC()
	}
	if p != nil {
		addPresent(s, p, group, at)
	}
	copies := make([]api.Copy, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		copies = append(copies, *byID[id])
	}
	return copies
}

// addPresent adds what the line knows of the copies of a place.
func addPresent(s *line.State, p *line.Place, group andon.GroupID, at func(andon.InstanceID) *api.Copy) {
	wanted := map[andon.InstanceID]bool{}
	for _, c := range p.Desired.Copies {
		if group == "" || c.Group == group {
			out := at(c.ID)
			out.Agent, out.Version, out.Wanted = string(c.Agent), int64(c.Version), true
			out.Platform = wirePlatform(c.Spec.Platform)
			wanted[c.ID] = true
		}
	}
	inTraffic := map[andon.InstanceID]bool{}
	for agent, r := range p.Routes {
		if !s.Attests(agent) {
			continue
		}
		for _, id := range r.Targets {
			inTraffic[id] = true
		}
	}
	for id, record := range p.Copies {
		gone := record.Observed.Phase == andon.PhaseStopped && !wanted[id]
		if gone || !wanted[id] && (group != "" && !inGroup(id, group)) {
			continue
		}
		out := at(id)
		o := record.Observed
		out.Agent, out.Phase, out.Address, out.Restarts, out.Reason = string(record.Agent), api.Phase(o.Phase), o.Address, o.Restarts, o.Reason
		out.InTraffic = inTraffic[id]
		if !s.Attests(record.Agent) {
			out.Phase, out.Reason = "", unattested(s, record.Agent)
		}
		if !record.Placed.IsZero() {
			out.Placed = record.Placed.UTC()
		}
	}
}

// unattested says why nobody attests the copies of an agent.
func unattested(s *line.State, name andon.AgentName) string {
	if agent := s.Agents[name]; agent != nil && !agent.Lost {
		return "agent " + string(name) + " has not said yet what runs there"
	}
	return "agent " + string(name) + " is away: nobody attests what runs there"
}

// inGroup reports whether an instance is one of a group: its ID is the group's and a number.
func inGroup(id andon.InstanceID, group andon.GroupID) bool {
	rest := string(id)
	prefix := string(group) + "."
	return len(rest) > len(prefix) && rest[:len(prefix)] == prefix
}
