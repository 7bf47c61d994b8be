package proxy

import (
	"slices"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// difference returns what has to be said to get from one complete set of routes to the next,
// and the next set as a copy that nobody else can change. It is full, and so refused by the
// proxy, if the next set names a place twice. Callers mostly keep the order of their routes;
// that is the fast way.
func difference(have, want []traffic.Route) (applyCall, []traffic.Route) {
	var c applyCall
	next := make([]traffic.Route, len(want))
	var places map[andon.Place]int // of have; made when the order differs
	same := len(have) == len(want)
	for i, r := range want {
		at := i
		if i >= len(have) || have[i].Place != r.Place {
			same = false
			if places == nil {
				places = positions(have)
			}
			var known bool
			if at, known = places[r.Place]; !known {
				at = -1
			}
		}
		if at >= 0 && sameRoute(have[at], r) {
			next[i] = have[at]
			continue
		}
		next[i] = cloneRoute(r)
		c.Set = append(c.Set, next[i])
	}
	if same {
		return c, next
	}
	named := positions(next)
	if len(named) != len(next) {
		return applyCall{Full: true, Set: next}, next
	}
	for _, r := range have {
		if _, still := named[r.Place]; !still {
			c.Remove = append(c.Remove, r.Place)
		}
	}
	return c, next
}

func positions(routes []traffic.Route) map[andon.Place]int {
	at := make(map[andon.Place]int, len(routes))
	for i, r := range routes {
		at[r.Place] = i
	}
	return at
}

func sameRoute(a, b traffic.Route) bool {
	return a.Generation == b.Generation && a.Ledger == b.Ledger && a.Sticky == b.Sticky &&
		a.MaxInFlight == b.MaxInFlight && a.MaxBody == b.MaxBody && slices.Equal(a.Hosts, b.Hosts) &&
		slices.Equal(a.Targets, b.Targets) && slices.Equal(a.Draining, b.Draining)
}

func cloneRoute(r traffic.Route) traffic.Route {
	r.Hosts, r.Targets, r.Draining = slices.Clone(r.Hosts), slices.Clone(r.Targets), slices.Clone(r.Draining)
	return r
}
