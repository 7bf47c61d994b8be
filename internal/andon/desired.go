package andon

import "slices"

// Desired is what should be for one service in one environment. The plant keeps one for
// each Place and changes it one small step at a time; agents converge on it, also while
// the server is away.
type Desired struct {
	Place
	Generation int64  `json:"generation"` // grows with each change in the plant; agents refuse an older one
	Copies     []Copy `json:"copies,omitempty"`
	Route      *Route `json:"route,omitempty"` // nil: nothing to route (a worker, or nothing deployed)
}

// A Copy is one instance that should run on one agent's host.
type Copy struct {
	ID       InstanceID    `json:"id"`
	Group    GroupID       `json:"group"`
	Agent    AgentName     `json:"agent"`
	Version  VersionNumber `json:"version"`
	Artifact Digest        `json:"artifact"`
	Config   ConfigHash    `json:"config"`
	Spec     RunSpec       `json:"spec"`
}

// A Route says which copies get the requests for which host names. The agents that keep the
// proxies give traffic only to those targets that they themselves last observed healthy.
type Route struct {
	Hosts   []string `json:"hosts"` // lower-case host names without port
	Targets []Target `json:"targets"`
	// Edges are the agents whose proxies get the route, with the copies of all hosts. Empty, as
	// before there were several hosts: each agent that has copies, with its own alone.
	Edges  []AgentName  `json:"edges,omitempty"`
	Ledger DeploymentID `json:"ledger"` // the deployment that requests are counted for
	// Requests are those of the release that the route belongs to.
	Requests Requests `json:"requests,omitzero"`
}

// A Target is a copy in a route, with its share of the traffic.
type Target struct {
	Instance InstanceID `json:"instance"`
	Weight   int        `json:"weight"` // relative, at least 1
}

// Copy returns the copy of that ID.
func (d *Desired) Copy(id InstanceID) (*Copy, bool) {
	for i := range d.Copies {
		if d.Copies[i].ID == id {
			return &d.Copies[i], true
		}
	}
	return nil, false
}

// Routed reports whether the route names the instance.
func (d *Desired) Routed(id InstanceID) bool {
	if d.Route == nil {
		return false
	}
	for _, t := range d.Route.Targets {
		if t.Instance == id {
			return true
		}
	}
	return false
}

// Serves reports whether the proxy of an agent that is told of d is to get the route, and whether
// with the copies of all hosts or with its own alone.
func (d *Desired) Serves(name AgentName) (serves, all bool) {
	switch {
	case d.Route == nil:
		return false, false
	case len(d.Route.Edges) > 0:
		return slices.Contains(d.Route.Edges, name), true
	}
	return true, false
}

// Edges returns the agents whose proxies have the route: those that it names, or, if it is from
// before routes named any, those that have copies.
func (d *Desired) Edges() []AgentName {
	if d.Route == nil {
		return nil
	}
	if len(d.Route.Edges) > 0 {
		return d.Route.Edges
	}
	var agents []AgentName
	for _, c := range d.Copies {
		if !slices.Contains(agents, c.Agent) {
			agents = append(agents, c.Agent)
		}
	}
	return agents
}

// Clone returns a copy of d whose slices and route can be changed without changing d's.
// The maps inside the copies' specifications are shared: they never change.
func (d Desired) Clone() Desired {
	d.Copies = append([]Copy(nil), d.Copies...)
	if d.Route != nil {
		r := *d.Route
		r.Hosts = append([]string(nil), r.Hosts...)
		r.Targets = append([]Target(nil), r.Targets...)
		r.Edges = append([]AgentName(nil), r.Edges...)
		d.Route = &r
	}
	return d
}

// A Phase is where a copy is in its life, as its agent observes it.
type Phase string

// The phases of a copy.
const (
	PhaseStarting  Phase = "starting"  // placed, not yet healthy
	PhaseHealthy   Phase = "healthy"   // its last probe succeeded
	PhaseUnhealthy Phase = "unhealthy" // it was healthy, and its last probe failed: it has no traffic
	PhaseExited    Phase = "exited"    // its process ended; it is restarted after a back-off
	PhaseFailed    Phase = "failed"    // it cannot be started (artifact missing or corrupt, command not found, disk full)
	PhaseStopped   Phase = "stopped"   // it was removed and is gone: the last word about a copy
)

// Phases lists every phase.
func Phases() []Phase {
	return []Phase{PhaseStarting, PhaseHealthy, PhaseUnhealthy, PhaseExited, PhaseFailed, PhaseStopped}
}

// An InstanceState is what an agent attests of one copy.
type InstanceState struct {
	ID       InstanceID `json:"id"`
	Phase    Phase      `json:"phase"`
	Artifact Digest     `json:"artifact,omitempty"` // what really runs
	Config   ConfigHash `json:"config,omitempty"`
	Address  string     `json:"address,omitempty"` // host:port where the copy listens
	Restarts int        `json:"restarts,omitempty"`
	// Run tells one life of the copy from the next: it grows when the process is started again,
	// also by another agent. 0: the copy does not run, or its agent does not say.
	Run    int64  `json:"run,omitempty"`
	Reason string `json:"reason,omitempty"` // one sentence when it is not healthy
}

// A RouteState is what an agent attests of the route of one place.
type RouteState struct {
	Place
	Generation int64        `json:"generation"`         // of the Desired whose route the proxy serves
	Targets    []InstanceID `json:"targets,omitempty"`  // copies that get new requests now: routed and healthy
	Draining   []InstanceID `json:"draining,omitempty"` // copies out of the route that still have requests in flight
	Address    string       `json:"address,omitempty"`  // 127.0.0.1:PORT, a listener of the proxy for this route alone
	Ledgers    []Ledger     `json:"ledgers,omitempty"`  // as of this observation, of the newest deployments
	// Groups is what each group answered, as of this observation, by the ledgers above. Like them it
	// alone is no change: what strategies judge by comes with Counters.
	Groups []GroupStats `json:"groups,omitempty"`
}

// An Observation is what an agent attests when it changes: the copies and routes that differ
// from what it said before. The first one after an agent connects is Full and names everything.
type Observation struct {
	Agent     AgentName       `json:"agent"`
	Epoch     int64           `json:"epoch"` // of the agent's connection, as told when it connected
	Full      bool            `json:"full,omitempty"`
	Instances []InstanceState `json:"instances,omitempty"`
	Routes    []RouteState    `json:"routes,omitempty"`
}

// A Ledger counts the requests that the proxy handled for one place since one deployment
// began to move its traffic, until the next one did.
type Ledger struct {
	Deployment   DeploymentID `json:"deployment"`
	Served       int64        `json:"served"`                // answered by a copy with any status, retried ones included
	Retried      int64        `json:"retried,omitempty"`     // sent to another copy before anything of them was answered
	Failed       int64        `json:"failed,omitempty"`      // answered by the proxy itself with 502, 503 or 504, or cut off by a copy
	ClientGone   int64        `json:"client_gone,omitempty"` // ended by the client before the answer was complete
	Unknown      int64        `json:"unknown,omitempty"`     // in flight when the proxy itself was killed
	AtSwitch     int64        `json:"at_switch,omitempty"`   // in flight on the old copies when traffic moved
	Drained      int64        `json:"drained,omitempty"`     // of those, ended by themselves
	CutOff       int64        `json:"cut_off,omitempty"`     // of those, closed because the drain time was over
	Upgraded     int64        `json:"upgraded,omitempty"`    // websockets and other upgraded connections opened
	Moved        int64        `json:"moved,omitempty"`       // of those drained or cut off, such connections: their clients open them again
	LongestDrain int64        `json:"longest_drain_ms,omitempty"`
}

// Requests returns the number of requests that the ledger accounts for.
func (l Ledger) Requests() int64 { return l.Served + l.Failed + l.ClientGone + l.Unknown }

// Plus returns the sum of two ledgers of one deployment, kept by two proxies.
func (l Ledger) Plus(m Ledger) Ledger {
	l.Served += m.Served
	l.Retried += m.Retried
	l.Failed += m.Failed
	l.ClientGone += m.ClientGone
	l.Unknown += m.Unknown
	l.AtSwitch += m.AtSwitch
	l.Drained += m.Drained
	l.CutOff += m.CutOff
	l.Upgraded += m.Upgraded
	l.Moved += m.Moved
	l.LongestDrain = max(l.LongestDrain, m.LongestDrain)
	return l
}
