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
	byPlace map[andon.Place]map[andon.AgentName]andon.PlaceLedger
}

func newCounters() *counters {
	return &counters{byPlace: map[andon.Place]map[andon.AgentName]andon.PlaceLedger{}}
}

// Count takes the running ledgers of an agent's proxy; those of places that the agent has nothing
// of are passed over. Where a deployment compares its groups, the line looks at what all proxies
// of the place have counted.
func (e *Engine) Count(ctx context.Context, agent andon.AgentName, report andon.Counters) error {
	if _, _, err := e.agents.hear(agent, report.Epoch, e.now()); err != nil {
		return err
	}
	places := make([]andon.PlaceLedger, 0, len(report.Places))
	var watched []watchedPlace
	err := e.View(ctx, func(s *line.State) {
		for _, p := range report.Places {
			if !s.Keeps(agent, p.Place) {
				continue
			}
			places = append(places, p)
			if id, ok := s.Watched(p.Place); ok {
				watched = append(watched, watchedPlace{p.Place, id})
			}
		}
	})
	if err != nil {
		return err
	}
	e.counters.take(agent, places)
	for _, w := range watched {
		judge := line.Judge{Deployment: w.deployment, Groups: e.counters.groups(w.place)}
		if _, err := e.Do(ctx, andon.ActorLine, judge); err != nil {
			return err
		}
	}
	return nil
}

// A watchedPlace is one whose active deployment compares its groups.
type watchedPlace struct {
	place      andon.Place
	deployment andon.DeploymentID
}

// groups returns what all proxies of a place counted of each group.
func (c *counters) groups(place andon.Place) []andon.GroupStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	var groups []andon.GroupStats
	for _, told := range c.byPlace[place] {
		groups = append(groups, told.Groups...)
	}
	return groups
}

func (c *counters) take(agent andon.AgentName, places []andon.PlaceLedger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range places {
		byAgent := c.byPlace[p.Place]
		if byAgent == nil {
			byAgent = map[andon.AgentName]andon.PlaceLedger{}
			c.byPlace[p.Place] = byAgent
		}
		byAgent[agent] = p
	}
}

// Ledgers returns the running ledgers of a place, summed over the agents that route it, in the
// order in which the first of them reports its deployments.
func (e *Engine) Ledgers(place andon.Place) []andon.Ledger {
	e.counters.mu.Lock()
	defer e.counters.mu.Unlock()
	var sum []andon.Ledger
	at := map[andon.DeploymentID]int{}
	for _, told := range e.counters.byPlace[place] {
		for _, l := range told.Ledgers {
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
