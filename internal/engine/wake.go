package engine

import (
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

const (
	// soonestWake bounds how often the engine wakes itself.
	soonestWake = time.Millisecond
	// overdueWake is how long it waits when a term has run out since it last acted by itself.
	overdueWake = 50 * time.Millisecond
	// latestWake bounds how long it sleeps, so that a clock that jumped is noticed.
	latestWake = 5 * time.Second
	// longestPause is how long the engine may not look at its clock before that counts as a leap.
	longestPause = latestWake + 10*time.Second
	// smallestStep is how far the clock must be set back to count as a leap.
	smallestStep = time.Second
	// retryWake is how long it waits after a failed append before it acts by itself again.
	retryWake = time.Second
)

// due returns the commands that the passing of time alone makes necessary.
func (e *Engine) due() []request {
	if e.state == nil {
		return nil // it is loaded first
	}
	now := e.look()
	verbs, _ := e.agents.overdue(now)
	at := e.state.Wake()
	if e.setBack || !at.IsZero() && !now.Before(at) {
		verbs = append(verbs, line.Tick{})
	}
	e.setBack = false
	requests := make([]request, len(verbs))
	for i, v := range verbs {
		requests[i] = request{
			command: &line.Command{By: andon.ActorLine, Do: v},
			answer:  make(chan answer, 1), // nobody waits for it: a refusal means that it is over already
		}
	}
	return requests
}

// look reads the clock, and finds out whether it was set or has not been looked at for long.
func (e *Engine) look() time.Time {
	now := e.now()
	passed := now.Sub(e.looked)
	if !e.looked.IsZero() && (passed > longestPause || passed < -smallestStep) {
		e.log.Warn("the clock was set, or this process was not run for a while: agents and leases get new terms", "by", passed)
		e.agents.leap(passed, now)
	}
	if passed < 0 {
		e.setBack = true
	}
	e.looked = now
	return now
}

// untilWake returns how long nothing is due.
func (e *Engine) untilWake() time.Duration {
	if e.broken != nil || e.state == nil {
		return retryWake
	}
	now := e.now()
	overdue, next := e.agents.overdue(now)
	if len(overdue) > 0 {
		return overdueWake
	}
	next = earlier(next, e.state.Wake())
	if next.IsZero() {
		return latestWake
	}
	return min(max(next.Sub(now), soonestWake), latestWake)
}
