package agent

import (
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// lingering is how much longer than its stop time a copy may be in the way of its own end: the
// order to stop reaches its host, the process is waited for, its connections end.
const lingering = 5 * time.Second

// A lingerer lets copies that are not wanted any more end their connections themselves. A copy
// whose time to drain is over is told to stop, and only then can it know that whoever holds a
// websocket or reads a stream must go elsewhere: it says so while the proxy still carries it. The
// router alone uses it.
type lingerer struct {
	stops map[andon.InstanceID]time.Duration // of the copies that are wanted
	until map[andon.InstanceID]time.Time     // of those that were: when what they have left is cut off
}

// extend adds to the routes, as draining, the copies that the ones before them name, that nobody
// wants any more, and that still have requests in flight.
func (l *lingerer) extend(routes, before []traffic.Route, desired []andon.Desired, state traffic.State, now time.Time) {
	stops := make(map[andon.InstanceID]time.Duration)
	for _, d := range desired {
		for _, c := range d.Copies {
			stops[c.ID] = c.Spec.Stop
		}
	}
	until := make(map[andon.InstanceID]time.Time)
	for i := range routes {
		s, _ := stateOf(state, routes[i].Place)
		for _, t := range namedBefore(before, routes[i].Place) {
			if _, wanted := stops[t.Instance]; wanted || s.InFlight[t.Instance] == 0 {
				continue
			}
			end, known := l.until[t.Instance]
			if !known {
				end = now.Add(l.stops[t.Instance] + lingering)
			}
			until[t.Instance] = end
			if now.Before(end) {
				routes[i].Draining = append(routes[i].Draining, t)
			}
		}
	}
	l.stops, l.until = stops, until
}

// namedBefore returns what a place's route named, in traffic or draining.
func namedBefore(routes []traffic.Route, place andon.Place) []traffic.Target {
	for _, r := range routes {
		if r.Place == place {
			return slices.Concat(r.Targets, r.Draining)
		}
	}
	return nil
}
