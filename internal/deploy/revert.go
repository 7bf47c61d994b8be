package deploy

import (
	"fmt"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// revert drives the place back to what was live before the deployment, whatever the strategy had
// done so far: missing copies of the old group come back, requests move to it as soon as that
// takes no healthy capacity away, and everything else goes. It proves nothing again. It always
// ends: what cannot be restored in time is left desired, and said to need attention. Agents that
// are away are not waited for, since they find what should be when they are back.
func revert(v *view) Step {
	var attention []string
	if n := v.missing(); n > 0 {
		return Step{At: andon.StepReverting, Desired: v.place(n)}
	}
	waits, late := v.recovering()
	attention = append(attention, late...)
	if next := v.routeBack(len(waits) == 0); next != nil {
		return Step{At: andon.StepReverting, Desired: next}
	}
	if len(waits) > 0 {
		return Step{At: andon.StepReverting, Waits: waits}
	}
	waits, trouble := v.attested()
	if trouble != "" {
		attention = append(attention, trouble)
	} else if len(waits) > 0 {
		return Step{At: andon.StepReverting, Waits: waits}
	}
	if step, retiring := v.retire(v.others); retiring {
		step.At = andon.StepReverting
		return step
	}
	if !v.routes() && v.Desired.Route != nil {
		d := v.Desired.Clone()
		d.Route = nil
		return Step{At: andon.StepReverting, Desired: &d}
	}
	if waits := v.stopped(); len(waits) > 0 {
		return Step{At: andon.StepReverting, Waits: waits}
	}
	return Step{At: andon.StepReverting, Done: true, Attention: strings.Join(attention, "; ")}
}

// recovering returns the waits for copies of the old group that are not healthy, and what is to
// be said of those whose time to become so has passed.
func (v *view) recovering() (waits []Wait, late []string) {
	for _, c := range v.ours {
		if v.lost(c) || v.healthy(c) {
			continue
		}
		since := v.latest(v.record(c.ID).Placed, v.StepSince)
		until := since.Add(c.Spec.Health.Start)
		if v.elapsed(since, until) {
			late = append(late, fmt.Sprintf("%s did not become healthy again: %s", c.ID, v.condition(c)))
			continue
		}
		waits = append(waits, Wait{
			Kind: andon.WaitCopies, On: string(c.ID), Since: since, Until: until,
			Reason: v.condition(c),
		})
	}
	return waits, late
}

// routeBack returns a Desired whose route is nearer to the old group; nil: it is there, or cannot
// be yet. Once all has recovered, or had its time to, every copy of the old group is routed.
func (v *view) routeBack(settled bool) *andon.Desired {
	if v.Desired.Route == nil && !v.routes() {
		return nil
	}
	if !v.routes() {
		if len(v.targets()) == 0 {
			return nil
		}
		return v.route(nil)
	}
	if settled {
		if v.sameRoute(ids(v.ours)) {
			return nil
		}
		return v.route(ids(v.ours))
	}
	var back []andon.InstanceID
	for _, c := range v.ours {
		if v.healthy(c) || v.Desired.Routed(c.ID) {
			back = append(back, c.ID)
		}
	}
	next := v.route(back)
	if v.healthyRouted(next.Route.Targets) < v.healthyRouted(v.targets()) || len(back) == 0 {
		return nil
	}
	if v.sameRoute(back) {
		return nil
	}
	return next
}
