package agent

import (
	"context"
	"reflect"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// lookAgain is how often the proxy is asked for its counters and whether it still does what it
// should, when nothing else happens.
const lookAgain = time.Second

// A router is the loop that converges: keepers for the copies that should be, routes that
// follow their health, and the end of those that should not be once no route names them.
type router struct {
	agent   *Agent
	wake    signal // what should be has changed
	applied []traffic.Route
	known   bool // the proxy has told its state, so that applied may be compared with it
	linger  lingerer
}

// run converges until ctx ends.
func (r *router) run(ctx context.Context) {
	pause := backoff{first: 50 * time.Millisecond, most: 5 * time.Second}
	var drained <-chan struct{}
	if t := r.agent.config.Traffic; t != nil {
		drained = t.Drained()
	}
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	for {
		if r.pass(ctx) {
			pause.reset()
			timer.Reset(lookAgain)
			if r.idle() {
				timer.Stop()
			}
		} else {
			timer.Reset(pause.pause())
		}
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-r.agent.board.health:
		case <-drained:
		case <-timer.C:
		}
	}
}

// idle reports whether there is nothing to look at again.
func (r *router) idle() bool {
	return r.agent.config.Traffic == nil || (r.known && len(r.applied) == 0)
}

// pass brings the host one step closer to what should be. It returns false if it should be
// tried again soon.
func (r *router) pass(ctx context.Context) bool {
	desired, told := r.agent.store.all()
	r.agent.fleet.converge(ctx, desired)
	r.agent.lookout.converge(ctx, desired, r.agent.store.elsewhere())
	// Before anything is known of what should be, the proxy is left as it is: it may serve, or
	// say that the services are being started.
	if r.agent.config.Traffic != nil && (told || len(desired) > 0) {
		if !r.route(ctx, desired) {
			return false
		}
	}
	r.agent.fleet.retire(ctx, desired, told)
	return true
}

// route makes the proxy's routes follow what should be and who is well.
func (r *router) route(ctx context.Context, desired []andon.Desired) bool {
	state, ok := r.look(ctx)
	if !ok {
		return false
	}
	copies, _ := r.agent.board.show()
	r.agent.lookout.states(copies)
	routes := routesFor(r.agent.config.Name, desired, copies)
	before := r.applied
	if !r.known { // an agent that has just begun may find a switch that its proxy was not told of
		before = routesIn(state, copies)
	}
	handOver(routes, before, desired, copies, r.agent.lookout.asks)
	r.linger.extend(routes, r.applied, desired, state, time.Now())
	if !r.known || !reflect.DeepEqual(routes, r.applied) || !follows(state, routes) {
		apply, cancel := context.WithTimeout(ctx, traffic.ApplyTimeout)
		err := r.agent.config.Traffic.Apply(apply, routes)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				r.agent.config.Log.Warn("the routes cannot be changed", "error", err)
			}
			r.agent.board.setRoutes(r.routeStates(desired, state))
			return false
		}
		r.applied, r.known = routes, true
		if state, ok = r.look(ctx); !ok {
			return false
		}
	}
	r.agent.board.setRoutes(r.routeStates(desired, state))
	return true
}

// look asks the proxy what it does.
func (r *router) look(ctx context.Context) (traffic.State, bool) {
	ctx, cancel := context.WithTimeout(ctx, traffic.ApplyTimeout)
	defer cancel()
	state, err := r.agent.config.Traffic.State(ctx)
	if err != nil && ctx.Err() == nil {
		r.agent.config.Log.Warn("the proxy does not tell what it does", "error", err)
	}
	return state, err == nil
}

// routesFor returns the complete routes of an agent's proxy: traffic goes to the copies that are
// routed and healthy, of all hosts if the route is at edges; all others of the place keep the
// requests that they have. When no copy is healthy, traffic goes to those that were and still run:
// who asks all of them in vain is more likely slow itself, and a request that is tried is not worse
// off than one that is refused.
func routesFor(agent andon.AgentName, desired []andon.Desired, copies map[andon.InstanceID]andon.InstanceState) []traffic.Route {
	routes := make([]traffic.Route, 0, len(desired))
	for _, d := range desired {
		serves, all := d.Serves(agent)
		if !serves {
			continue
		}
		route := traffic.Route{Place: d.Place, Generation: d.Generation, Hosts: d.Route.Hosts, Ledger: d.Route.Ledger}
		weights := make(map[andon.InstanceID]int, len(d.Route.Targets))
		for _, t := range d.Route.Targets {
			weights[t.Instance] = max(t.Weight, 1)
		}
		if d.Route.Requests.Sticky {
			route.Sticky = andon.StickyCookie
		}
		var unwell []traffic.Target
		for _, c := range d.Copies {
			s := copies[c.ID]
			if s.Address == "" || c.Agent != agent && !all {
				continue
			}
			target := traffic.Target{Instance: c.ID, Address: s.Address, Weight: max(weights[c.ID], 1)}
			switch {
			case weights[c.ID] > 0 && s.Phase == andon.PhaseHealthy:
				route.Targets = append(route.Targets, target)
			case weights[c.ID] > 0 && s.Phase == andon.PhaseUnhealthy:
				unwell = append(unwell, target)
			default:
				route.Draining = append(route.Draining, target)
			}
		}
		if len(route.Targets) == 0 {
			route.Targets = unwell
		} else {
			route.Draining = append(route.Draining, unwell...)
		}
		route.MaxBody = d.Route.Requests.MaxBody
		route.MaxInFlight = d.Route.Requests.InFlight * int64(len(route.Targets))
		routes = append(routes, route)
	}
	return routes
}

// routesIn returns who has traffic by what the proxy tells, as routes. It does not tell weights:
// all have the same.
func routesIn(state traffic.State, copies map[andon.InstanceID]andon.InstanceState) []traffic.Route {
	routes := make([]traffic.Route, 0, len(state.Routes))
	for _, s := range state.Routes {
		route := traffic.Route{Place: s.Place}
		for _, id := range s.Targets {
			route.Targets = append(route.Targets, traffic.Target{Instance: id, Address: copies[id].Address, Weight: 1})
		}
		routes = append(routes, route)
	}
	return routes
}

// follows reports whether the proxy does what the routes say; a new proxy may have forgotten.
func follows(state traffic.State, routes []traffic.Route) bool {
	if len(state.Routes) != len(routes) {
		return false
	}
	for _, route := range routes {
		s, ok := stateOf(state, route.Place)
		if !ok || s.Generation != route.Generation || len(s.Targets) != len(route.Targets) {
			return false
		}
		serves := make(map[andon.InstanceID]bool, len(s.Targets))
		for _, id := range s.Targets {
			serves[id] = true
		}
		for _, t := range route.Targets {
			if !serves[t.Instance] {
				return false
			}
		}
	}
	return true
}

// routeStates returns what the agent attests of the routes. A place whose route was taken away
// is attested with nothing in it, for as long as the place is known.
func (r *router) routeStates(desired []andon.Desired, state traffic.State) map[andon.Place]andon.RouteState {
	states := make(map[andon.Place]andon.RouteState, len(desired))
	for _, d := range desired {
		s, ok := stateOf(state, d.Place)
		if !ok {
			serves, _ := d.Serves(r.agent.config.Name)
			if _, had := r.agent.board.route(d.Place); had && !serves {
				states[d.Place] = andon.RouteState{Place: d.Place, Generation: d.Generation}
			}
			continue
		}
		rs := andon.RouteState{Place: d.Place, Generation: s.Generation, Targets: s.Targets, Address: s.Address, Ledgers: s.Ledgers, Groups: s.Groups}
		serves := make(map[andon.InstanceID]bool, len(s.Targets))
		for _, id := range s.Targets {
			serves[id] = true
		}
		for _, c := range d.Copies {
			if !serves[c.ID] && s.InFlight[c.ID] > 0 {
				rs.Draining = append(rs.Draining, c.ID)
			}
		}
		states[d.Place] = rs
	}
	return states
}

func stateOf(state traffic.State, place andon.Place) (traffic.RouteState, bool) {
	for _, s := range state.Routes {
		if s.Place == place {
			return s, true
		}
	}
	return traffic.RouteState{}, false
}
