package engine

import (
	"context"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// counters are the running ledgers that agents report. They live in memory only.
type counters struct {
	mu      sync.Mutex
	byPlace map[andon.Place]map[andon.AgentName][]andon.Ledger
}

func newCounters() *counters {
	return &counters{byPlace: map[andon.Place]map[andon.AgentName][]andon.Ledger{}}
}

// Count takes the running ledgers of an agent's proxy; those of places that the agent has nothing
// of are passed over.
func (e *Engine) Count(ctx context.Context, agent andon.AgentName, report andon.Counters) error {
	if _, _, err := e.agents.hear(agent, report.Epoch, e.now()); err != nil {
		return err
	}
	places := make([]andon.PlaceLedger, 0, len(report.Places))
	err := e.View(ctx, func(s *line.State) {
		for _, p := range report.Places {
			if s.Keeps(agent, p.Place) {
				places = append(places, p)
			}
		}
	})
	if err != nil {
		return err
	}
	e.counters.take(agent, places)
	return nil
}

func (c *counters) take(agent andon.AgentName, places []andon.PlaceLedger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range places {
		byAgent := c.byPlace[p.Place]
		if byAgent == nil {
			byAgent = map[andon.AgentName][]andon.Ledger{}
			c.byPlace[p.Place] = byAgent
		}
		byAgent[agent] = p.Ledgers
	}
}

// Ledgers returns the running ledgers of a place, summed over the agents that route it, in the
// order in which the first of them reports its deployments.
func (e *Engine) Ledgers(place andon.Place) []andon.Ledger {
	e.counters.mu.Lock()
	defer e.counters.mu.Unlock()
	var sum []andon.Ledger
	at := map[andon.DeploymentID]int{}
	for _, ledgers := range e.counters.byPlace[place] {
		for _, l := range ledgers {
			i, ok := at[l.Deployment]
			if !ok {
				at[l.Deployment] = len(sum)
				sum = append(sum, l)
				continue
			}
			sum[i] = sum[i].Plus(l)
		}
	}
	return sum
}

// note drops the ledgers of services that were removed.
func (c *counters) note(committed []andon.Event) {
	for _, event := range committed {
		if removed, ok := event.Body.(andon.ServiceRemoved); ok {
			c.forget(removed.Service)
		}
	}
}

func (c *counters) forget(service andon.ServiceName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for place := range c.byPlace {
		if place.Service == service {
			delete(c.byPlace, place)
		}
	}
}
