package line

import (
	"fmt"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
)

// localAgent is the agent in the server's own process. Where nothing is said of hosts, everything
// runs there.
const localAgent andon.AgentName = "local"

// placed returns the agents that are chosen for copies in an environment, there or not: those
// that it selects, else those labelled with its name, else the local one, else all.
func (s *State) placed(e *andon.Environment) []andon.AgentName {
	selector := e.Place
	if selector.IsZero() {
		selector.Labels = map[string]string{andon.LabelEnvironment: string(e.Name)}
	}
	names := s.selected(selector)
	if len(names) > 0 || !e.Place.IsZero() {
		return names
	}
	if s.Agents[localAgent] != nil {
		return []andon.AgentName{localAgent}
	}
	return slices.DeleteFunc(sorted(s.Agents), s.removed)
}

// HostsOf returns the agents that are chosen for the copies of an environment, and those whose
// proxies get its routes, whether they are there or not.
func (s *State) HostsOf(e *andon.Environment) (copies, edges []andon.AgentName) {
	copies = s.placed(e)
	return copies, s.edges(e, copies)
}

// hosts returns the agents that copies in an environment go to, in turn: those of the chosen
// ones that are there and have the platform that the copies need: that of their release, which a
// rollback brings back as it was.
func (s *State) hosts(e *andon.Environment, platform string) []andon.AgentName {
	return slices.DeleteFunc(s.placed(e), func(name andon.AgentName) bool {
		a := s.Agents[name]
		return a.Lost || !a.runs(platform)
	})
}

// edges returns the agents whose proxies get the routes of an environment, also those that are
// away, which find them when they are back: those that it selects, else those labelled as edges,
// else the hosts of the copies.
func (s *State) edges(e *andon.Environment, hosts []andon.AgentName) []andon.AgentName {
	selector := e.Edge
	if selector.IsZero() {
		selector.Labels = map[string]string{andon.LabelRole: andon.RoleEdge}
	}
	if names := s.selected(selector); len(names) > 0 {
		return names
	}
	return slices.Clone(hosts)
}

// selected returns the agents that a selector chooses, in rising order.
func (s *State) selected(selector andon.Selector) []andon.AgentName {
	return slices.DeleteFunc(sorted(s.Agents), func(name andon.AgentName) bool {
		return s.removed(name) || !selector.Selects(name, s.Agents[name].Labels)
	})
}

// runs reports whether the agent has a platform; empty: processes.
func (a *Agent) runs(platform string) bool {
	if platform == "" {
		platform = andon.PlatformProcess
	}
	if len(a.Platforms) == 0 {
		return platform == andon.PlatformProcess
	}
	return slices.Contains(a.Platforms, platform)
}

// hostHold returns the wait for an agent that copies could go to.
func (s *State) hostHold(pl andon.Place, w andon.Wait) []andon.Wait {
	e := s.Environments[pl.Environment]
	if e == nil || len(s.hosts(e, e.Platform)) > 0 {
		return nil
	}
	w.Kind, w.On = andon.WaitAgent, string(localAgent)
	w.Reason = fmt.Sprintf("no agent is there to run copies of %s", pl)
	w.Action = "andon host"
	chosen := s.placed(e)
	if len(chosen) > 0 {
		w.On = string(chosen[0])
	}
	for _, name := range chosen {
		if a := s.Agents[name]; !a.Lost {
			w.On = string(name)
			w.Reason = fmt.Sprintf("no agent that is there runs %s on the platform %s", pl, e.Platform)
		}
	}
	return []andon.Wait{w}
}

// serves reports whether an agent's proxy has the copies of other hosts in the route of a place.
func (p *Place) serves(name andon.AgentName) bool {
	return p.Desired.Route != nil && slices.Contains(p.Desired.Route.Edges, name)
}

// elsewhere adds where those copies of a place listen that run on other hosts than the agent's.
func (p *Place) elsewhere(name andon.AgentName, addresses *map[andon.InstanceID]string) {
	for _, c := range p.Desired.Copies {
		r := p.Copies[c.ID]
		if c.Agent != name && r != nil && r.Observed.Address != "" {
			put(addresses, c.ID, r.Observed.Address)
		}
	}
}

// farEdges returns the agents that route requests to copies on an agent's host which it attests,
// and that are not that agent.
func (s *State) farEdges(obs *andon.Observation) []andon.AgentName {
	var names []andon.AgentName
	add := func(p *Place) {
		if p == nil || p.Desired.Route == nil {
			return
		}
		for _, name := range p.Desired.Route.Edges {
			if name != obs.Agent && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, i := range obs.Instances {
		if pl, ok := placeOf(i.ID); ok {
			add(s.Places[pl.Key()])
		}
	}
	if a := s.Agents[obs.Agent]; obs.Full && a != nil {
		for _, key := range a.places {
			add(s.Places[key])
		}
	}
	return names
}
