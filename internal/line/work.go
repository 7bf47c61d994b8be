package line

import (
	"slices"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// WorkFor returns everything that an agent should do. The caller gives it its revision. The
// slices are the caller's; what the elements point to is the state's and never changes.
func (s *State) WorkFor(name andon.AgentName) andon.Work {
	a := s.Agents[name]
	if a == nil {
		return andon.Work{}
	}
	work := andon.Work{Leases: make([]andon.Lease, 0, len(a.leases)), Desired: make([]andon.Desired, 0, len(a.places))}
	for _, id := range sorted(a.leases) {
		t := s.Tasks[id]
		work.Leases = append(work.Leases, andon.Lease{Task: t.Task, Agent: name, Attempt: t.Attempt, Token: t.Token, Cancel: t.Cancel})
	}
	for _, key := range a.places {
		p := s.Places[key]
		work.Desired = append(work.Desired, p.Desired)
		if p.serves(name) {
			p.elsewhere(name, &work.Addresses)
		}
	}
	return work
}

// MayLog reports whether an agent may write to a log: to that of a task that is leased to it, in
// this attempt, and to those of the copies that are placed on it.
func (s *State) MayLog(name andon.AgentName, stream string) bool {
	a := s.Agents[name]
	if a == nil {
		return false
	}
	if id, ok := strings.CutPrefix(stream, andon.InstanceLogStream("")); ok {
		pl, _ := placeOf(andon.InstanceID(id))
		p := s.PlaceOf(pl)
		return p != nil && p.Copies[andon.InstanceID(id)] != nil && p.Copies[andon.InstanceID(id)].Agent == name
	}
	for id := range a.leases {
		if andon.TaskLogStream(id, s.Tasks[id].Attempt) == stream {
			return true
		}
	}
	return false
}

// Keeps reports whether an agent has, or had, something of a place.
func (s *State) Keeps(name andon.AgentName, pl andon.Place) bool {
	p := s.PlaceOf(pl)
	return p != nil && slices.Contains(p.Hosts, name)
}

// Concerned returns the agents whose work an event changed that has just been applied.
func (s *State) Concerned(e andon.Event) []andon.AgentName {
	switch b := e.Body.(type) {
	case andon.AgentConnected:
		return []andon.AgentName{b.Agent}
	case andon.TaskLeased:
		return []andon.AgentName{b.Agent}
	case andon.TaskEnded:
		if b.Agent != "" {
			return []andon.AgentName{b.Agent}
		}
	case andon.TaskCancelled:
		if t := s.Tasks[b.Task]; t != nil && t.Agent != "" {
			return []andon.AgentName{t.Agent}
		}
	case andon.DesiredChanged:
		if p := s.Places[b.Desired.Place.Key()]; p != nil {
			return slices.Clone(p.Hosts)
		}
	case andon.Observed:
		return s.farEdges(&b.Observation)
	}
	return nil
}
