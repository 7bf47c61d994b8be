package engine

import (
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

const (
	// soonestWake bounds how often the engine wakes itself.
	soonestWake = time.Millisecond
	// latestWake bounds how long it sleeps, so that a clock that jumped is noticed.
	latestWake = 5 * time.Second
	// retryWake is how long it waits after a failed append before it acts by itself again.
	retryWake = time.Second
)

// due returns the commands that the passing of time alone makes necessary.
func (e *Engine) due() []request {
	if e.state == nil {
		return nil // it is loaded first
	}
	now := e.now()
	verbs, _ := e.agents.overdue(now)
	at := e.state.Wake()
	setBack := now.Before(e.woke) // deadlines from before may be far away now: the line looks again
	if setBack || !at.IsZero() && !now.Before(at) {
		verbs = append(verbs, line.Tick{})
	}
	e.woke = now
	requests := make([]request, len(verbs))
	for i, v := range verbs {
		requests[i] = request{
			command: &line.Command{By: andon.ActorLine, Do: v},
			answer:  make(chan answer, 1), // nobody waits for it: a refusal means that it is over already
		}
	}
	return requests
}

// untilWake returns how long nothing is due.
func (e *Engine) untilWake() time.Duration {
	if e.broken != nil || e.state == nil {
		return retryWake
	}
	now := e.now()
	_, next := e.agents.overdue(now)
	next = earlier(next, e.state.Wake())
	if next.IsZero() {
		return latestWake
	}
	return min(max(next.Sub(now), soonestWake), latestWake)
}
