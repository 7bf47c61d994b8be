package deploy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
)

// soak waits for the plan's soak time, counted from when the deployment came to that step. It
// returns false when the time has passed.
func (v *view) soak() (Step, bool) {
	if v.Plan.Soak <= 0 {
		return Step{}, false
	}
	since := v.Now
	if v.Step == andon.StepSoaking {
		since = v.StepSince
	}
	until := since.Add(v.Plan.Soak)
	if v.elapsed(since, until) {
		return Step{}, false
	}
	return Step{At: andon.StepSoaking, Waits: []Wait{{
		Kind: andon.WaitSoak, On: string(v.Plan.ID), Since: since, Until: until,
		Reason: fmt.Sprintf("all must stay well for %s", andon.Brief(v.Plan.Soak)),
	}}}, true
}

func sortWaits(waits []Wait) {
	slices.SortFunc(waits, func(a, b Wait) int { return cmp.Compare(a.On, b.On) })
}
