package agent

import (
	"slices"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// handOver lets the copies that had the traffic keep it while this host has not reached all copies
// on other hosts that are to have it. Those are well, by what their own agents attest, but the host
// finds that out by a probe of its own, which may come a moment after the switch: until then there
// could be nobody here to take a request. The server sees who has traffic, and waits.
func handOver(agent andon.AgentName, routes, before []traffic.Route, desired []andon.Desired, copies map[andon.InstanceID]andon.InstanceState) {
	for i := range routes {
		r := &routes[i]
		d := desired[slices.IndexFunc(desired, func(d andon.Desired) bool { return d.Place == r.Place })]
		if !unreached(agent, d, copies) {
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

// unreached reports whether a copy on another host is to have traffic of which this host does not
// know yet whether it is well.
func unreached(agent andon.AgentName, d andon.Desired, copies map[andon.InstanceID]andon.InstanceState) bool {
	_, all := d.Serves(agent)
	return all && slices.ContainsFunc(d.Copies, func(c andon.Copy) bool {
		phase := copies[c.ID].Phase
		return c.Agent != agent && d.Routed(c.ID) && phase != andon.PhaseHealthy && phase != andon.PhaseUnhealthy
	})
}
