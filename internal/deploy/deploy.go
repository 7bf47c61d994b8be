package deploy

import (
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// MaxRestarts is how often a new copy may be restarted before its deployment fails.
const MaxRestarts = 3

// MaxFalls is how often a new copy that has requests, or is watched, may fail a probe before its
// deployment fails: one failed probe may say more of a busy host than of the copy, if the next one
// finds the copy well.
const MaxFalls = 2

// SwitchLimit is how long agents may take to attest a changed route.
const SwitchLimit = time.Minute

// StopLimit is how much longer than its own stop time a copy may take to be attested stopped
// before a deployment goes on without it.
const StopLimit = time.Minute

// A Record is what is known of one copy besides that it is desired.
type Record struct {
	Agent    andon.AgentName     `json:"agent"`
	Observed andon.InstanceState `json:"observed"`          // as its agent last attested it; Phase is empty before that
	Since    time.Time           `json:"since,omitzero"`    // when the observed phase began
	Placed   time.Time           `json:"placed,omitzero"`   // when it last came into the desired copies
	Unrouted time.Time           `json:"unrouted,omitzero"` // when it left the desired route; zero: it is in it, or never was
	Removed  time.Time           `json:"removed,omitzero"`  // when it left the desired copies; zero: it is among them
	Stop     time.Duration       `json:"stop_ns,omitempty"` // its stop time, once it is removed
	Falls    int                 `json:"falls,omitempty"`   // how often it was healthy and then was not, by a probe
}

// Saw notes what the copy's agent attests now.
func (r *Record) Saw(now andon.InstanceState, at time.Time) {
	if r.Observed.Phase != now.Phase {
		r.Since = at
	}
	if r.Observed.Phase == andon.PhaseHealthy && now.Phase == andon.PhaseUnhealthy {
		r.Falls++
	}
	r.Observed = now
}

// A Smoke says what became of the smoke tests of one copy.
type Smoke struct {
	Task    andon.TaskID  `json:"task"`
	Outcome andon.Outcome `json:"outcome,omitempty"` // empty: they have not ended
	Reason  string        `json:"reason,omitempty"`
	// Run is the life of the copy (andon.InstanceState) when they were asked for: what they found
	// says nothing of another one. 0: not known.
	Run   int64 `json:"run,omitempty"`
	Again int   `json:"again,omitempty"` // how often the copy was tested before, in another life
}

// An Input is everything that decides the next step of a deployment. Next changes nothing in it.
type Input struct {
	Plan andon.Plan
	// Reverting says that the goal is what was live before, as soon as that is safe.
	Reverting bool
	Step      andon.DeploymentStep // where the deployment is
	StepSince time.Time
	Started   time.Time // when the deployment began to change its place

	Desired         andon.Desired
	RouteGeneration int64     // of the Desired that last changed the route
	RouteChanged    time.Time // when that was
	Copies          map[andon.InstanceID]*Record
	Routes          map[andon.AgentName]*andon.RouteState
	Lost            map[andon.AgentName]time.Time // agents that are away, and since when
	Smokes          map[andon.InstanceID]*Smoke
	Worse           string // what is worse about the new group than about the old one (Compare); empty: nothing is known to be

	Now time.Time
}

// A Step is what comes next. It has exactly one of: Desired, Smoke, Failed, Done, or nothing of
// these and at least one wait.
type Step struct {
	At      andon.DeploymentStep // where the deployment is
	Desired *andon.Desired       // what should be from now on; the caller gives it its generation
	Smoke   []andon.InstanceID   // copies to test now
	Waits   []Wait               // why it does not move
	Failed  string               // why the deployment fails; it must revert
	Done    bool                 // the goal is reached
	// Attention, with Done, says what could not be restored and needs a person.
	Attention string
}

// A Wait is one reason why a deployment does not move.
type Wait struct {
	Kind   andon.WaitKind
	On     string
	Since  time.Time
	Until  time.Time // when it ends at the latest; zero: not known
	Reason string
}

// Next returns the next step of a deployment. Calling it again without a change in its input
// gives the same answer.
func Next(in Input) Step {
	v := look(in)
	if in.Reverting {
		return revert(v)
	}
	stale, draining := v.clear()
	if stale != nil {
		return Step{At: v.Step, Desired: stale}
	}
	return wakeFor(strategyOf(in.Plan.Strategy)(v), draining)
}

func strategyOf(s andon.Strategy) func(*view) Step {
	switch s {
	case andon.BlueGreen:
		return blueGreen
	case andon.Canary:
		return canary
	case andon.Replace:
		return replace
	default:
		return rolling
	}
}
