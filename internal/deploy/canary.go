package deploy

import (
	"fmt"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
)

// canary brings the whole new group up beside the old one and proves it, as blueGreen does, and
// then gives it the shares of the requests that the plan's steps say, each for its time, before it
// gets all. Capacity never falls: the old copies keep their places in the route until the end.
// Where nothing has requests yet, or the copies have no route, there is nothing to share.
func canary(v *view) Step { return blueGreen(v) }

// share gives the new group the next share of the requests, or waits while it has one. It returns
// false when the group is to have all of them: after the last step, and in other strategies.
func (v *view) share() (Step, bool) {
	old := v.routedOthers()
	if v.Plan.Strategy != andon.Canary || len(old) == 0 || len(v.ours) == 0 {
		return Step{}, false
	}
	at, weight := v.shared(old)
	if weight > 0 {
		if step, done := v.switched(); !done {
			return step, true
		}
		if step, pausing := v.pause(at); pausing {
			return step, true
		}
	}
	for _, s := range v.Plan.Canary {
		if s.Weight > weight && s.Weight < 100 {
			return Step{At: andon.StepSwitching, Desired: v.split(s.Weight, old)}, true
		}
	}
	return Step{}, false
}

// shared returns the step whose share the new group has, and its weight; 0: it has none of them.
func (v *view) shared(old []andon.Copy) (andon.CanaryStep, int) {
	for _, s := range v.Plan.Canary {
		if s.Weight > 0 && s.Weight < 100 && slices.Equal(v.targets(), v.split(s.Weight, old).Route.Targets) {
			return s, s.Weight
		}
	}
	return andon.CanaryStep{}, 0
}

// pause waits for the time of a step, counted from when the deployment came to it; false when it
// has passed.
func (v *view) pause(at andon.CanaryStep) (Step, bool) {
	since := v.Now
	if v.Step == andon.StepPausing {
		since = v.StepSince
	}
	until := since.Add(at.Pause)
	if at.Pause <= 0 || v.elapsed(since, until) {
		return Step{}, false
	}
	return Step{At: andon.StepPausing, Waits: []Wait{{
		Kind: andon.WaitSoak, On: string(v.Plan.ID), Since: since, Until: until,
		Reason: fmt.Sprintf("the new copies get %d %% of the requests for %s", at.Weight, andon.Brief(at.Pause)),
	}}}, true
}

// split returns a Desired in which the new group gets that share of the requests.
func (v *view) split(percent int, old []andon.Copy) *andon.Desired {
	d := v.route(append(ids(old), ids(v.ours)...))
	after, before := Split(percent, len(v.ours), len(old))
	for i := range d.Route.Targets {
		d.Route.Targets[i].Weight = before
		if i >= len(old) {
			d.Route.Targets[i].Weight = after
		}
	}
	return d
}

// Split returns the weights of each new and of each old copy with which the new ones together get
// exactly that many percent of the requests. All three are at least 1, percent is at most 99.
func Split(percent, after, before int) (weightAfter, weightBefore int) {
	a, b := percent*before, (100-percent)*after
	d, rest := a, b
	for rest != 0 {
		d, rest = rest, d%rest
	}
	return a / d, b / d
}

// routedOthers returns the old copies that have requests.
func (v *view) routedOthers() []andon.Copy {
	var out []andon.Copy
	for _, c := range v.others {
		if v.Desired.Routed(c.ID) {
			out = append(out, c)
		}
	}
	return out
}
