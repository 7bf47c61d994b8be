package deploy

import "github.com/andon-cd/andon/internal/andon"

// blueGreen brings the whole new group up beside the old one, proves it, moves all requests in
// one switch, and keeps the old group warm until the new one has stayed well for the soak time:
// going back is one switch too. Capacity never falls: the switch is from all old copies to all
// new ones.
func blueGreen(v *view) Step {
	if v.Step == andon.StepDraining || v.Step == andon.StepRemoving {
		return retireOld(v) // it stayed well: from now on the agents' self-healing keeps it so
	}
	return v.attentive(bringUp(v))
}

// bringUp drives the deployment of a whole group until it has all requests, which it gets in one
// switch or by the steps of a canary, and has stayed well for its time.
func bringUp(v *view) Step {
	if why := v.trouble(); why != "" {
		return Step{At: v.Step, Failed: why}
	}
	if waits := v.doubts(); len(waits) > 0 {
		return Step{At: v.Step, Waits: waits}
	}
	if n := v.missing(); n > 0 {
		return Step{At: andon.StepPlacing, Desired: v.place(n)}
	}
	if !v.routes() || !v.sameRoute(ids(v.ours)) {
		if waits := v.unready(v.ours); len(waits) > 0 {
			return Step{At: andon.StepPlacing, Waits: waits}
		}
		if step, done := v.smoked(v.ours); !done {
			return step
		}
	}
	if v.routes() {
		if step, sharing := v.share(); sharing {
			return step
		}
		if !v.sameRoute(ids(v.ours)) {
			return Step{At: andon.StepSwitching, Desired: v.route(ids(v.ours))}
		}
		if step, done := v.switched(); !done {
			return step
		}
	} else if v.Desired.Route != nil {
		return v.unroute()
	}
	if step, soaking := v.soak(); soaking {
		return step
	}
	return retireOld(v)
}

// retireOld takes the old group away, once the new one has all requests; what is to stay warm
// stays, once its requests have ended.
func retireOld(v *view) Step {
	gone, kept := v.partWarm()
	if step, retiring := v.retire(gone); retiring {
		return step
	}
	if waits := v.ending(kept); len(waits) > 0 {
		return Step{At: andon.StepDraining, Waits: waits}
	}
	if waits := v.stopped(); len(waits) > 0 {
		return Step{At: andon.StepRemoving, Waits: waits}
	}
	return Step{At: v.Step, Done: true}
}

// switched waits until the agents attest the route; false with the step while they do not.
func (v *view) switched() (Step, bool) {
	waits, trouble := v.attested()
	switch {
	case trouble != "":
		return Step{At: andon.StepSwitching, Failed: trouble}, false
	case len(waits) > 0:
		return Step{At: andon.StepSwitching, Waits: waits}, false
	}
	return Step{}, true
}

// unroute takes away the route that a place has from when its service had a port.
func (v *view) unroute() Step {
	d := v.Desired.Clone()
	d.Route = nil
	return Step{At: andon.StepSwitching, Desired: &d}
}
