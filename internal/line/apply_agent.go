package line

import (
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func (s *State) applyAgentConnected(b andon.AgentConnected, at time.Time) {
	a := s.Agents[b.Agent]
	if a == nil {
		a = &Agent{Name: b.Agent}
		s.Agents[b.Agent] = a
		for key, p := range s.Places { // of an agent that was forgotten and comes again
			for _, name := range p.Hosts {
				if name == b.Agent {
					a.learn(key)
				}
			}
		}
	}
	a.Epoch, a.Slots, a.Labels, a.Build = b.Epoch, b.Slots, s.labelled(b.Agent, b.Labels), b.Build
	a.Platforms, a.Protocol, a.Address, a.Proxy, a.Targets = b.Platforms, b.Protocol, b.Address, b.Proxy, b.MostTargets
	a.Since, a.Lost, a.Reason = at, false, ""
	a.heard = false // in this connection
	s.markAll()
}

func (s *State) applyAgentLost(b andon.AgentLost, at time.Time) {
	a := s.Agents[b.Agent]
	if a == nil {
		return
	}
	a.Since, a.Lost, a.Reason = at, true, b.Reason
	s.markAll()
}
