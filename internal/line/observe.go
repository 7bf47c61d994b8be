package line

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

// decide records an observation, without what is known already. Running ledgers alone are no
// change: they grow with every request.
func (o Observe) decide(d *decision) error {
	obs := o.Observation
	if err := d.s.checkEpoch(obs.Agent, obs.Epoch); err != nil {
		return err
	}
	d.s.hear(obs.Agent)
	obs.Routes = withoutGroups(obs.Routes)
	if obs.Full && d.s.matches(&obs) {
		return nil
	}
	if !obs.Full {
		obs.Instances = slices.DeleteFunc(slices.Clone(obs.Instances), func(i andon.InstanceState) bool { return d.s.knows(obs.Agent, i) })
		obs.Routes = slices.DeleteFunc(slices.Clone(obs.Routes), func(r andon.RouteState) bool { return d.s.knowsRoute(obs.Agent, r) })
		if len(obs.Instances) == 0 && len(obs.Routes) == 0 {
			return nil
		}
	}
	d.emit(andon.Observed{Observation: obs})
	return nil
}

// withoutGroups leaves out the counts of groups, which would be most of the journal: Judge brings
// them where they are wanted.
func withoutGroups(routes []andon.RouteState) []andon.RouteState {
	routes = slices.Clone(routes)
	for i := range routes {
		routes[i].Groups = nil
	}
	return routes
}

// checkEpoch refuses what comes from an older connection of an agent, or from one that was given
// up: the agent has to say hello again.
func (s *State) checkEpoch(name andon.AgentName, epoch int64) error {
	a := s.Agents[name]
	switch {
	case a == nil:
		return andon.Errorf(andon.KindNotFound, "there is no agent %s", name).WithHint("the agent must say hello first")
	case a.Lost || a.Epoch != epoch:
		return andon.Errorf(andon.KindConflict, "connection %d of agent %s is over", epoch, name).
			WithHint("the agent must say hello again")
	}
	return nil
}

// knows reports whether an attested copy is known to be exactly so.
func (s *State) knows(agent andon.AgentName, i andon.InstanceState) bool {
	pl, ok := placeOf(i.ID)
	if !ok || !s.mayHave(pl) {
		return true // no copy of ours: nothing would be done with it
	}
	p := s.Places[pl.Key()]
	if p == nil {
		return i.Phase == andon.PhaseStopped
	}
	r := p.Copies[i.ID]
	if r == nil {
		return i.Phase == andon.PhaseStopped
	}
	return r.Agent != agent || r.Observed == i
}

func (s *State) knowsRoute(agent andon.AgentName, r andon.RouteState) bool {
	p := s.Places[r.Place.Key()]
	if p == nil {
		return true
	}
	have := p.Routes[agent]
	if have == nil {
		return false
	}
	old := *have
	old.Ledgers, r.Ledgers = nil, nil
	return reflect.DeepEqual(old, r)
}

// matches reports whether a full observation says exactly what is known of the agent.
func (s *State) matches(obs *andon.Observation) bool {
	named := map[andon.InstanceID]bool{}
	routed := map[string]bool{}
	for _, i := range obs.Instances {
		named[i.ID] = true
		if !s.knows(obs.Agent, i) {
			return false
		}
	}
	for _, r := range obs.Routes {
		routed[r.Place.Key()] = true
		if !s.knowsRoute(obs.Agent, r) {
			return false
		}
	}
	for _, key := range s.Agents[obs.Agent].places {
		p := s.Places[key]
		for id, r := range p.Copies {
			if r.Agent == obs.Agent && r.Observed.Phase != "" && !named[id] {
				return false
			}
		}
		if p.Routes[obs.Agent] != nil && !routed[key] {
			return false
		}
	}
	return true
}

func (s *State) applyObserved(obs andon.Observation, at time.Time) {
	a := s.Agents[obs.Agent]
	if a == nil {
		return
	}
	touched := map[string]struct{}{}
	if obs.Full {
		s.forgetUnnamed(a, obs, at)
		for _, key := range a.places {
			touched[key] = struct{}{}
		}
	}
	for _, i := range obs.Instances {
		if pl, ok := placeOf(i.ID); ok && s.mayHave(pl) {
			s.observeCopy(s.place(pl), obs.Agent, i, at)
			touched[pl.Key()] = struct{}{}
		}
	}
	for _, r := range obs.Routes {
		if p := s.Places[r.Place.Key()]; p != nil {
			put(&p.Routes, obs.Agent, &r)
			touched[r.Place.Key()] = struct{}{}
		}
	}
	for key := range touched {
		p := s.Places[key]
		s.todo.markPlace(p.Place)
		s.todo.markService(p.Place.Service)
		s.settleRemoval(p)
	}
}

// forgetUnnamed drops what an agent attested before and does not name in a full observation.
func (s *State) forgetUnnamed(a *Agent, obs andon.Observation, at time.Time) {
	named := map[andon.InstanceID]bool{}
	for _, i := range obs.Instances {
		named[i.ID] = true
	}
	for _, key := range a.places {
		p := s.Places[key]
		for id, r := range p.Copies {
			if r.Agent != a.Name || named[id] {
				continue
			}
			if _, desired := p.Desired.Copy(id); desired {
				r.Observed, r.Since = andon.InstanceState{}, at
			} else {
				delete(p.Copies, id)
			}
		}
		delete(p.Routes, a.Name)
	}
}

func (s *State) observeCopy(p *Place, agent andon.AgentName, i andon.InstanceState, at time.Time) {
	r := p.Copies[i.ID]
	if r != nil && r.Agent != agent {
		return
	}
	if i.Phase == andon.PhaseStopped {
		if _, desired := p.Desired.Copy(i.ID); !desired {
			delete(p.Copies, i.ID)
			return
		}
	}
	if r == nil {
		r = &deploy.Record{Agent: agent}
		put(&p.Copies, i.ID, r)
		s.addHost(p, agent)
	}
	r.Saw(i, at)
}

// mayHave reports whether there is such a place, or could be: an agent may have copies of a
// service that was forgotten.
func (s *State) mayHave(pl andon.Place) bool {
	return s.Places[pl.Key()] != nil || andon.ValidName(string(pl.Service)) && andon.ValidName(string(pl.Environment))
}

// placeOf returns the place of a copy from its ID: SERVICE.ENVIRONMENT.DEPLOYMENT.I.
func placeOf(id andon.InstanceID) (andon.Place, bool) {
	parts := strings.Split(string(id), ".")
	if len(parts) != 4 {
		return andon.Place{}, false
	}
	return andon.Place{Service: andon.ServiceName(parts[0]), Environment: andon.EnvironmentName(parts[1])}, true
}
