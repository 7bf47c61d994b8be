package line

import (
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func (s *State) applyServiceAdded(b andon.ServiceAdded, at time.Time) {
	svc := &Service{Name: b.Service, Source: b.Source, Added: at}
	if r := s.Removed[b.Service]; r != nil {
		svc.Newest = r.Newest
	}
	s.Services[b.Service] = svc
}

func (s *State) applyServiceRemoved(b andon.ServiceRemoved) {
	svc := s.Services[b.Service]
	if svc == nil {
		return
	}
	delete(s.Services, b.Service)
	removed := s.Removed[b.Service]
	if removed == nil {
		removed = &Removed{}
		s.Removed[b.Service] = removed
	}
	removed.Newest = svc.Newest
	for _, p := range s.Places {
		if p.Place.Service != b.Service {
			continue
		}
		if p.Deployments > 0 {
			put(&removed.Deployments, p.Place.Environment, p.Deployments)
		}
		*p = Place{
			Place: p.Place, Desired: p.Desired, RouteGeneration: p.RouteGeneration, RouteChanged: p.RouteChanged,
			Copies: p.Copies, Routes: p.Routes, Deployments: p.Deployments, Hosts: p.Hosts, Removing: true,
		}
		s.todo.markPlace(p.Place)
		s.settleRemoval(p)
	}
}

// settleRemoval forgets the place of a removed service once nothing of it is left. A service of
// the same name that waits for the place gets it instead.
func (s *State) settleRemoval(p *Place) {
	switch {
	case !p.Removing || len(p.Copies) > 0 || len(p.Desired.Copies) > 0 || p.Desired.Route != nil:
	case len(p.Queued) > 0 || p.Active != nil || p.Holder != nil:
		p.Removing = false
	default:
		s.forgetPlace(p.Place.Key())
	}
}

// place returns a place, which is made when it is first needed.
func (s *State) place(pl andon.Place) *Place {
	key := pl.Key()
	p := s.Places[key]
	if p == nil {
		p = &Place{Place: pl, Desired: andon.Desired{Place: pl}}
		if r := s.Removed[pl.Service]; r != nil {
			p.Deployments = r.Deployments[pl.Environment]
		}
		p.Removing = s.Services[pl.Service] == nil
		s.Places[key] = p
	}
	return p
}

// forgetPlace forgets a place but for its counter: a service of the same name may have planned
// deployments there while the copies of the removed one were stopping.
func (s *State) forgetPlace(key string) {
	p := s.Places[key]
	if r := s.Removed[p.Place.Service]; r != nil && p.Deployments > 0 {
		put(&r.Deployments, p.Place.Environment, p.Deployments)
	}
	for _, name := range p.Hosts {
		if a := s.Agents[name]; a != nil {
			a.forget(key)
		}
	}
	delete(s.Places, key)
}

// addHost notes that an agent has, or had, something of the place, so that it is told what
// should be there.
func (s *State) addHost(p *Place, name andon.AgentName) {
	for _, have := range p.Hosts {
		if have == name {
			return
		}
	}
	p.Hosts = append(p.Hosts, name)
	if a := s.Agents[name]; a != nil {
		a.learn(p.Place.Key())
	}
}

// learn and forget keep the list of the places that the agent is told about.
func (a *Agent) learn(key string) {
	if i, known := slices.BinarySearch(a.places, key); !known {
		a.places = slices.Insert(a.places, i, key)
	}
}

func (a *Agent) forget(key string) {
	if i, known := slices.BinarySearch(a.places, key); known {
		a.places = slices.Delete(a.places, i, i+1)
	}
}

// index builds what is derived from the state for speed.
func (s *State) index() {
	for key, p := range s.Places {
		for _, name := range p.Hosts {
			if a := s.Agents[name]; a != nil {
				a.learn(key)
			}
		}
	}
	for id, t := range s.Tasks {
		if a := s.Agents[t.Agent]; a != nil {
			put(&a.leases, id, struct{}{})
		}
	}
}
