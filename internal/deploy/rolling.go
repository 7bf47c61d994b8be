package deploy

import (
	"slices"

	"github.com/andon-cd/andon/internal/andon"
)

// rolling replaces a few copies at a time: new copies are placed, proven and routed, and in the
// same switch as many old copies leave the route, drain and stop before the next new ones are
// placed. With neither of the plan's numbers it is one copy at a time, and the healthy copies in
// the route are never fewer than they were, or than the new release wants. MaxSurge is how many
// more copies there may be than the larger of both releases wants; MaxUnavailable how many fewer
// healthy copies may have requests than the new release wants: then old copies leave the route
// before new ones are there. Where nothing has requests yet, all new copies come at once.
func rolling(v *view) Step { return v.attentive(roll(v)) }

func roll(v *view) Step {
	if why := v.trouble(); why != "" {
		return Step{At: v.Step, Failed: why}
	}
	if waits := v.doubts(); len(waits) > 0 {
		return Step{At: v.Step, Waits: waits}
	}
	if v.routes() && v.Desired.Route != nil && v.RouteGeneration > 0 {
		if step, done := v.switched(); !done {
			return step
		}
	}
	if step, retiring := v.retireRolled(); retiring {
		return step
	}
	if waits := v.stopped(); len(waits) > 0 {
		return Step{At: andon.StepRemoving, Waits: waits}
	}
	waiting := v.waiting()
	if waits := v.unready(waiting); len(waits) > 0 {
		return Step{At: andon.StepPlacing, Waits: waits}
	}
	if len(waiting) > 0 {
		if step, done := v.smoked(waiting); !done {
			return step
		}
		if v.routes() {
			return Step{At: andon.StepSwitching, Desired: v.rollIn(waiting)}
		}
	}
	if n := v.missing(); n > 0 {
		return v.more(n)
	}
	if v.routes() && !v.sameRoute(ids(v.ours)) {
		return Step{At: andon.StepSwitching, Desired: v.route(ids(v.ours))} // the old copies that are too many
	}
	if !v.routes() && v.Desired.Route != nil {
		return v.unroute()
	}
	if step, retiring := v.retire(v.others); retiring {
		return step
	}
	if step, soaking := v.soak(); soaking {
		return step
	}
	return Step{At: v.Step, Done: true}
}

// more places missing copies, as many as there is room for beside the old ones. Where that is not
// enough, it takes as many old copies out of traffic as may be missing there, which makes room.
func (v *view) more(missing int) Step {
	if len(v.others) == 0 {
		return Step{At: andon.StepPlacing, Desired: v.place(missing)}
	}
	dropsRoute := !v.routes() && v.Desired.Route != nil // its old copies keep it until all new ones are there
	if v.Plan.MaxUnavailable <= 0 && v.Plan.MaxSurge <= 0 || dropsRoute {
		return Step{At: andon.StepPlacing, Desired: v.place(1)}
	}
	fit := max(0, min(missing, v.room()))
	if out := v.spare(missing - fit); len(out) > 0 {
		if v.Desired.Route != nil {
			return Step{At: andon.StepSwitching, Desired: v.route(v.without(out))}
		}
		if step, retiring := v.retire(out); retiring {
			return step
		}
	}
	return Step{At: andon.StepPlacing, Desired: v.place(max(1, fit))}
}

// room is how many more copies may exist.
func (v *view) room() int {
	most := v.release.Spec.Instances
	if v.Plan.Previous != nil {
		most = max(most, v.Plan.Previous.Spec.Instances)
	}
	return most + max(0, v.Plan.MaxSurge) - len(v.Desired.Copies)
}

// spare returns old copies that may leave the traffic before others come, at most n: those that
// are not healthy, and then as many healthy ones as may be unavailable.
func (v *view) spare(n int) []andon.Copy {
	var sick, well []andon.Copy
	serving := 0
	for _, c := range v.Desired.Copies {
		old := c.Group != v.group
		switch {
		case v.Desired.Route != nil && !v.Desired.Routed(c.ID):
		case !v.healthy(c):
			if old {
				sick = append(sick, c)
			}
		default:
			serving++
			if old {
				well = append(well, c)
			}
		}
	}
	may := max(0, serving-(v.release.Spec.Instances-max(0, v.Plan.MaxUnavailable)))
	out := append(sick, well[len(well)-min(len(well), may):]...)
	return out[:max(0, min(n, len(out)))]
}

// without returns the targets of the route but for the given copies.
func (v *view) without(out []andon.Copy) []andon.InstanceID {
	var keep []andon.InstanceID
	for _, t := range v.targets() {
		if !slices.ContainsFunc(out, func(c andon.Copy) bool { return c.ID == t.Instance }) {
			keep = append(keep, t.Instance)
		}
	}
	return keep
}

// waiting returns the new copies that have to be proven still. Those in the route are; a
// worker's are looked at each time.
func (v *view) waiting() []andon.Copy {
	if !v.routes() {
		return v.ours
	}
	var out []andon.Copy
	for _, c := range v.ours {
		if !v.Desired.Routed(c.ID) {
			out = append(out, c)
		}
	}
	return out
}

// rollIn routes proven copies, and takes as many old ones out as are not needed any more: those
// that are not healthy first.
func (v *view) rollIn(proven []andon.Copy) *andon.Desired {
	var old, next []andon.InstanceID
	for _, t := range v.targets() {
		if c, ok := v.Desired.Copy(t.Instance); ok && c.Group == v.group {
			next = append(next, c.ID)
		}
	}
	next = append(next, ids(proven)...)
	for _, healthy := range []bool{true, false} {
		for _, c := range v.others {
			if v.Desired.Routed(c.ID) && v.healthy(c) == healthy {
				old = append(old, c.ID)
			}
		}
	}
	keep := max(0, len(old)-len(proven))
	keep = min(keep, max(0, v.release.Spec.Instances-len(next)))
	return v.route(slices.Concat(next, old[:keep]))
}

// retireRolled takes away the old copies that have left the route; of a worker, as many as there
// are proven new ones that stand in for them.
func (v *view) retireRolled() (Step, bool) {
	if v.routes() {
		return v.retire(v.unroutedOthers())
	}
	proven := 0
	for _, c := range v.ours {
		if _, tested := v.smoked([]andon.Copy{c}); tested && v.healthy(c) {
			proven++
		}
	}
	surplus := min(len(v.others), len(v.others)+proven-v.release.Spec.Instances)
	if surplus <= 0 || proven == 0 || v.Desired.Route != nil {
		return Step{}, false
	}
	return v.retire(v.others[len(v.others)-surplus:])
}

// unroutedOthers returns the old copies that have left the route. Where nothing is routed yet,
// old copies (of a worker) are left alone until the new ones have taken over.
func (v *view) unroutedOthers() []andon.Copy {
	if v.Desired.Route == nil {
		return nil
	}
	var out []andon.Copy
	for _, c := range v.others {
		if !v.Desired.Routed(c.ID) {
			out = append(out, c)
		}
	}
	return out
}
