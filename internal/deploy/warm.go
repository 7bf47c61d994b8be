package deploy

import "github.com/andon-cd/andon/internal/andon"

// KeepsWarm reports whether the group that is live before the deployment stays when it succeeds,
// without requests, for the plan's time: then going back is one switch and needs no start. It is
// kept only where the requests moved from one whole group to another, and only if both have a
// route: a worker that stays goes on working.
func KeepsWarm(p *andon.Plan) bool {
	return p.Warm > 0 && (p.Strategy == andon.BlueGreen || p.Strategy == andon.Canary) &&
		p.Previous != nil && p.Previous.Spec.Port > 0 && p.Release.Spec.Port > 0 && p.Base != "" && p.Base != p.Group
}

// Reuses reports whether a deployment may use copies again that run its very release already.
func Reuses(p *andon.Plan) bool { return p.Strategy != andon.Replace }

// partWarm parts the old copies into those that go and those that stay warm.
func (v *view) partWarm() (gone, kept []andon.Copy) {
	if !KeepsWarm(&v.Plan) {
		return v.others, nil
	}
	for _, c := range v.others {
		if c.Group == v.Plan.Base {
			kept = append(kept, c)
		} else {
			gone = append(gone, c)
		}
	}
	return gone, kept
}

// clear takes those copies away first that are neither the goal's nor live: a group that was kept
// warm makes room. It returns nil when there are none, or none whose requests have ended, with the
// waits for those: they hold nothing up.
func (v *view) clear() (*andon.Desired, []Wait) {
	var stale []andon.Copy
	for _, c := range v.others {
		if c.Group != v.Plan.Base && !v.Desired.Routed(c.ID) {
			stale = append(stale, c)
		}
	}
	step, _ := v.retire(stale)
	return step.Desired, step.Waits
}
