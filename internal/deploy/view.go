package deploy

import (
	"fmt"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A view is an input as a strategy looks at it: with the copies of the goal's group apart from
// all others.
type view struct {
	Input
	group   andon.GroupID  // to make live; empty: nothing shall be left
	release *andon.Release // what its copies are; nil with an empty group
	ours    []andon.Copy   // desired copies of the group
	others  []andon.Copy   // every other desired copy
}

func look(in Input) *view {
	v := &view{Input: in, group: in.Plan.Group, release: &in.Plan.Release}
	if in.Reverting {
		v.group, v.release = in.Plan.Base, in.Plan.Previous
		if v.release == nil {
			v.group = ""
		}
	}
	for _, c := range in.Desired.Copies {
		if v.group != "" && c.Group == v.group {
			v.ours = append(v.ours, c)
		} else {
			v.others = append(v.others, c)
		}
	}
	return v
}

// routes reports whether the goal's copies get requests: a worker has no port and no route.
func (v *view) routes() bool { return v.release != nil && v.release.Spec.Port > 0 }

// missing is how many copies of the group are not desired yet.
func (v *view) missing() int {
	if v.release == nil {
		return 0
	}
	return max(0, v.release.Spec.Instances-len(v.ours))
}

// record returns what is known of a copy; for one that nothing is known of, the zero record.
func (v *view) record(id andon.InstanceID) Record {
	if r := v.Copies[id]; r != nil {
		return *r
	}
	return Record{}
}

// healthy reports whether the copy was last attested healthy, as exactly what it should be.
func (v *view) healthy(c andon.Copy) bool {
	o := v.record(c.ID).Observed
	return o.Phase == andon.PhaseHealthy && o.Artifact == c.Artifact && o.Config == c.Config
}

// lost reports whether the copy's agent is away.
func (v *view) lost(c andon.Copy) bool {
	_, lost := v.Lost[c.Agent]
	return lost
}

// ClockSlack is how far the clock may go back without a deadline counting as passed.
const ClockSlack = time.Minute

// elapsed reports whether the time from since until the deadline has passed. Deadlines are when
// something is done: a waker that comes exactly then finds them passed. When the clock was set
// back to well before the time began, nobody knows how much of it has passed: it counts as
// passed, so that no deployment hangs for as long as the clock was wrong.
func (v *view) elapsed(since, deadline time.Time) bool {
	return !v.Now.Before(deadline) || v.Now.Before(since.Add(-ClockSlack))
}

// condition says in words why a copy is not healthy.
func (v *view) condition(c andon.Copy) string {
	o := v.record(c.ID).Observed
	switch {
	case o.Phase == "":
		return fmt.Sprintf("%s has not been seen yet", c.ID)
	case o.Phase == andon.PhaseHealthy && o.Artifact != c.Artifact:
		return fmt.Sprintf("%s runs artifact %s instead of %s", c.ID, o.Artifact.Short(), c.Artifact.Short())
	case o.Phase == andon.PhaseHealthy && o.Config != c.Config:
		return fmt.Sprintf("%s runs with another configuration", c.ID)
	case o.Reason != "":
		return fmt.Sprintf("%s is %s: %s", c.ID, o.Phase, o.Reason)
	default:
		return fmt.Sprintf("%s is %s", c.ID, o.Phase)
	}
}

// healthyRouted counts the healthy copies among targets.
func (v *view) healthyRouted(targets []andon.Target) int {
	n := 0
	for _, t := range targets {
		if c, ok := v.Desired.Copy(t.Instance); ok && v.healthy(*c) {
			n++
		}
	}
	return n
}

// targets returns the present targets of the route.
func (v *view) targets() []andon.Target {
	if v.Desired.Route == nil {
		return nil
	}
	return v.Desired.Route.Targets
}

// latest returns the later of two times at which a wait may have begun. One that is well to come
// says nothing: the clock was set back since.
func (v *view) latest(a, b time.Time) time.Time {
	soon := v.Now.Add(ClockSlack)
	switch {
	case a.After(soon) && !b.After(soon):
		return b
	case b.After(soon) && !a.After(soon):
		return a
	case a.After(b):
		return a
	default:
		return b
	}
}
