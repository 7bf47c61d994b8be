package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// A table is everything that requests are routed by. It never changes: a switch puts another
// in its place.
type table struct {
	hosts  index[string, *route]
	places index[andon.Place, *route]
	untold bool // nobody has said yet which routes there are
}

// route returns the route of the place, nil if it has none.
func (t *table) route(p andon.Place) *route {
	r, _ := t.places.get(p)
	return r
}

// routeOf returns the route for the host of a request, nil if there is none.
func (t *table) routeOf(host string) *route {
	if r, ok := t.hosts.get(host); ok {
		return r
	}
	r, _ := t.hosts.get(canonicalHost(host))
	return r
}

// A route is what the proxy does for one place. But for the counters it never changes.
type route struct {
	spec     traffic.Route
	targets  []choice
	shares   []*share
	draining []*target
	ledger   *ledger
	turns    []uint16 // indexes of shares, in the order and number of their weights
	turn     atomic.Uint32
	sticky   map[string]*choice // by the value of the cookie; nil: the route is not sticky
}

// A choice is a target with its weight in one route.
type choice struct {
	*target
	weight int64
	group  *group // counts what it answers; nil: nothing does
	cookie string // that leads to it in a sticky route
}

// A share is the targets of one group. What a group gets of the requests is exactly what its
// targets' weights say: that is how a canary is dosed. Within the group load counts as well.
type share struct {
	choices []*choice
	turns   []uint16 // indexes of choices
	turn    atomic.Uint32
}

// share groups the route's targets, once all are there.
func (r *route) share() {
	byGroup := map[andon.GroupID]*share{}
	totals := map[*share]int64{}
	for i := range r.targets {
		c := &r.targets[i]
		sh := byGroup[c.instance.Group()]
		if sh == nil {
			sh = &share{}
			byGroup[c.instance.Group()] = sh
			r.shares = append(r.shares, sh)
		}
		sh.choices = append(sh.choices, c)
		totals[sh] += c.weight
	}
	var weights []int64
	for _, sh := range r.shares {
		weights = append(weights, totals[sh])
		var within []int64
		for _, c := range sh.choices {
			within = append(within, c.weight)
		}
		sh.turns = turns(within)
	}
	r.turns = turns(weights)
}

// maxTurns bounds the length of a round; weights are scaled down to it.
const maxTurns = 1024

// turns spreads each index over a round as evenly as its weight allows (smooth weighted
// round-robin), so that also one request at a time is shared by weight.
func turns(weights []int64) []uint16 {
	var total int64
	for _, w := range weights {
		total += w
	}
	round := total
	if d := divisor(weights); d > 1 {
		round /= d
	}
	round = min(round, maxTurns)
	order := make([]uint16, 0, round)
	credit := make([]int64, len(weights))
	for range round {
		best := 0
		for i, w := range weights {
			credit[i] += w
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		order = append(order, uint16(best))
	}
	return order
}

func divisor(weights []int64) int64 {
	var d int64
	for _, w := range weights {
		for b := w; b != 0; {
			d, b = b, d%b
		}
	}
	return d
}

// pick chooses who gets the next request: one of the group whose turn it is, unless that has
// nobody but the excluded target or suspect ones. It returns nil if the route has no (other) target.
func (r *route) pick(except *target) *choice {
	switch len(r.shares) {
	case 0:
		return nil
	case 1:
		c, _ := r.shares[0].pick(except)
		return c
	}
	first := int(r.turns[(r.turn.Add(1)-1)%uint32(len(r.turns))])
	var fallback *choice
	for i := range r.shares {
		c, suspect := r.shares[(first+i)%len(r.shares)].pick(except)
		if c != nil && !suspect {
			return c
		}
		if fallback == nil {
			fallback = c
		}
	}
	return fallback
}

// pick chooses within the group: whose turn it is, unless another would have fewer in flight for
// its weight even with the request than that one has without it. It passes over the excluded
// target, and prefers those that are not suspect.
func (sh *share) pick(except *target) (best *choice, bestSuspect bool) {
	now := int64(clock())
	if len(sh.choices) == 1 {
		c := sh.choices[0]
		if c.target == except {
			return nil, false
		}
		return c, c.suspect.Load() > now
	}
	first := int(sh.turns[(sh.turn.Add(1)-1)%uint32(len(sh.turns))])
	var bestLoad int64
	for i := range sh.choices {
		c := sh.choices[(first+i)%len(sh.choices)]
		if c.target == except {
			continue
		}
		suspect, load := c.suspect.Load() > now, c.load.Load()
		if i > 0 {
			load++
		}
		if best == nil || bestSuspect && !suspect || bestSuspect == suspect && load*best.weight < bestLoad*c.weight {
			best, bestSuspect, bestLoad = c, suspect, load
		}
	}
	return best, bestSuspect
}

// full reports whether the route has as many requests in flight as it may have.
func (r *route) full() bool {
	if r.spec.MaxInFlight == 0 {
		return false
	}
	var sum int64
	for i := range r.targets {
		sum += r.targets[i].load.Load()
	}
	return sum >= r.spec.MaxInFlight
}

// all yields every target of the route, those that drain too.
func (r *route) all(yield func(*target) bool) {
	for _, c := range r.targets {
		if !yield(c.target) {
			return
		}
	}
	for _, t := range r.draining {
		if !yield(t) {
			return
		}
	}
}

// with returns the table in which the given routes replace those of their places, or are added,
// and those of the removed places are gone. An error is of kind invalid.
func (t *table) with(set []*route, removed []andon.Place) (*table, error) {
	hosts, places := t.hosts.edit(), t.places.edit()
	forget := func(p andon.Place) {
		if old, ok := places.get(p); ok {
			for _, h := range old.spec.Hosts {
				hosts.remove(h)
			}
			places.remove(p)
		}
	}
	for _, p := range removed {
		forget(p)
	}
	for _, r := range set {
		forget(r.spec.Place)
	}
	for _, r := range set {
		places.set(r.spec.Place, r)
		for _, h := range r.spec.Hosts {
			if other, taken := hosts.get(h); taken && other != r {
				return nil, andon.Errorf(andon.KindInvalid, "The host name %s is routed to %s and to %s.", h, other.spec.Place, r.spec.Place).
					WithHint("Give each of the two a host name of its own.")
			}
			hosts.set(h, r)
		}
	}
	return &table{hosts: hosts.index, places: places.index}, nil
}

// validate says what is wrong with a route by itself.
func validate(r traffic.Route) error {
	invalid := func(format string, args ...any) error {
		return andon.Errorf(andon.KindInvalid, "The route of %s %s.", r.Place, fmt.Sprintf(format, args...))
	}
	for _, h := range r.Hosts {
		if h == "" || canonicalHost(h) != h {
			return invalid("has the host name %q, which is not lower-case without port and final dot", h)
		}
	}
	seen := map[andon.InstanceID]bool{}
	for _, t := range slices.Concat(r.Targets, r.Draining) {
		if seen[t.Instance] {
			return invalid("names %s twice", t.Instance)
		}
		seen[t.Instance] = true
		if _, _, err := net.SplitHostPort(t.Address); err != nil {
			return invalid("has the address %q for %s, which is not host:port", t.Address, t.Instance)
		}
	}
	for _, t := range r.Targets {
		if t.Weight < 1 || t.Weight > 1_000_000 {
			return invalid("gives %s the weight %d, which is not from 1 to 1,000,000", t.Instance, t.Weight)
		}
	}
	if r.Sticky != "" && !isToken(r.Sticky) {
		return invalid("has the cookie %q, which is no name of a cookie", r.Sticky)
	}
	if r.MaxInFlight < 0 || r.MaxBody < 0 {
		return invalid("has a negative limit")
	}
	if len(r.Targets) > 1000 {
		return invalid("has %d targets, more than 1,000", len(r.Targets))
	}
	return nil
}

// canonicalHost returns the host of a request's Host header as routes name it: lower-case,
// without port and final dot.
func canonicalHost(host string) string {
	if strings.HasPrefix(host, "[") {
		if a, err := netip.ParseAddrPort(host); err == nil {
			return "[" + a.Addr().String() + "]"
		}
	} else if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
