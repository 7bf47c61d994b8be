package line

import (
	"fmt"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// restartGrace is how long deployments wait, after the state was loaded, for agents to attest
// what is there now.
const restartGrace = 10 * time.Second

// hear notes that an agent has attested something since the state was loaded.
func (s *State) hear(name andon.AgentName) {
	a := s.Agents[name]
	if a == nil || a.heard {
		return
	}
	a.heard = true
	for _, key := range a.places {
		s.todo.markPlace(s.Places[key].Place)
	}
}

// Attests reports whether what is known of an agent's copies and routes is what it attests: it is
// connected, and has said what is there in this connection and since the server started.
// Otherwise it is only what somebody saw last, in a restored plant long ago.
func (s *State) Attests(name andon.AgentName) bool {
	a := s.Agents[name]
	return a != nil && a.heard && !a.Lost
}

// Heard returns the connections of the agents that have attested something since the state was
// loaded, for StillHeard.
func (s *State) Heard() map[andon.AgentName]int64 {
	heard := make(map[andon.AgentName]int64, len(s.Agents))
	for name, a := range s.Agents {
		if a.heard && !a.Lost {
			heard[name] = a.Epoch
		}
	}
	return heard
}

// StillHeard tells a state that was loaded in the place of a discarded one which connections had
// been heard there: they live on, and their agents do not repeat what was journalled.
func (s *State) StillHeard(heard map[andon.AgentName]int64) {
	for name, epoch := range heard {
		if a := s.Agents[name]; a != nil && !a.Lost && a.Epoch == epoch {
			a.heard = true
		}
	}
}

// unheard returns the agents whose word a deployment waits for after a start: what is known of
// their copies is as old as the server's end. Otherwise a soak would pass that nobody watched,
// and a copy would be too late that became healthy in the meantime.
func (s *State) unheard(p *Place, now time.Time) []andon.Wait {
	until := s.todo.loaded.Add(restartGrace)
	if now.Before(s.todo.loaded) || !now.Before(until) {
		return nil
	}
	var waits []andon.Wait
	for _, name := range p.Hosts {
		if a := s.Agents[name]; a != nil && !a.Lost && !a.heard {
			w := queuedWait(p.Active)
			w.Kind, w.On, w.Since, w.Until = andon.WaitAgent, string(name), s.todo.loaded, until
			w.Reason = fmt.Sprintf("agent %s has not said what runs there since the server started", name)
			waits = append(waits, w)
		}
	}
	return waits
}
