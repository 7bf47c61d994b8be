package agent

import (
	"math/rand/v2"
	"time"
)

// A backoff is a pause that doubles from one failure to the next.
type backoff struct {
	first, most time.Duration
	next        time.Duration
}

// pause returns how long to wait now, a quarter more or less, so that many agents that lost
// their server do not come back in step.
func (b *backoff) pause() time.Duration {
	p := max(b.next, b.first)
	b.next = min(2*p, b.most)
	return p*3/4 + rand.N(p/2+1) //nolint:gosec // no secret
}

// reset begins again with the shortest pause.
func (b *backoff) reset() { b.next = b.first }

// towardsPlant is the back-off of calls to the server.
func towardsPlant() backoff { return backoff{first: 100 * time.Millisecond, most: 5 * time.Second} }

// towardsRefusal is the back-off towards a server that does not take the agent any more: only a
// person can change that.
func towardsRefusal() backoff { return backoff{first: 5 * time.Second, most: time.Minute} }
