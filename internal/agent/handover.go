package agent

import (
	"slices"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// handOver lets the copies that had the traffic keep it until this host has asked all copies on
// other hosts that are to have it whether they are well, and while it has reached none that is.
// They are, by what their own agents attest, but the host finds that out by a probe of its own,
// which may end a moment after the switch; so it does with its own copies when its agent has just
// begun. The server sees who has traffic, and waits.
func handOver(routes, before []traffic.Route, desired []andon.Desired, copies map[andon.InstanceID]andon.InstanceState, asks func(andon.Copy) bool) {
	for i := range routes {
		r := &routes[i]
		d := desired[slices.IndexFunc(desired, func(d andon.Desired) bool { return d.Place == r.Place })]
		asked := !slices.ContainsFunc(d.Copies, func(c andon.Copy) bool { return d.Routed(c.ID) && asks(c) })
		if asked && len(r.Targets) > 0 {
			continue
		}
		j := slices.IndexFunc(before, func(b traffic.Route) bool { return b.Place == r.Place })
		if j < 0 {
			continue
		}
		r.Draining = slices.DeleteFunc(r.Draining, func(t traffic.Target) bool {
			k := slices.IndexFunc(before[j].Targets, func(b traffic.Target) bool { return b.Instance == t.Instance && b.Address == t.Address })
			if k < 0 || d.Routed(t.Instance) || copies[t.Instance].Phase != andon.PhaseHealthy {
				return false
			}
			r.Targets = append(r.Targets, before[j].Targets[k])
			return true
		})
		r.MaxInFlight = d.Route.Requests.InFlight * int64(len(r.Targets))
	}
}
