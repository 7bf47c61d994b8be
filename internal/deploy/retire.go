package deploy

import (
	"fmt"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
)

// retire takes those of the given copies away that are out of the route and whose requests have
// ended, or have had their time to. The route must be attested before: until then requests may
// still reach them. It returns false when none of them is left.
func (v *view) retire(copies []andon.Copy) (Step, bool) {
	var gone []andon.Copy
	step := Step{At: andon.StepDraining}
	for _, c := range copies {
		if v.Desired.Routed(c.ID) {
			continue
		}
		if waits := v.ending([]andon.Copy{c}); len(waits) > 0 {
			step.Waits = append(step.Waits, waits...)
			continue
		}
		gone = append(gone, c)
	}
	if len(gone) > 0 {
		return Step{At: andon.StepRemoving, Desired: v.remove(gone)}, true
	}
	return step, len(step.Waits) > 0
}

// ending returns the waits for the requests that those of the copies have in flight that are out of
// the route, each until its time to drain is over.
func (v *view) ending(copies []andon.Copy) []Wait {
	var waits []Wait
	for _, c := range copies {
		r := v.record(c.ID)
		until := r.Unrouted.Add(c.Spec.Drain)
		if v.Desired.Routed(c.ID) || !v.draining(c) || v.elapsed(r.Unrouted, until) {
			continue
		}
		waits = append(waits, Wait{
			Kind: andon.WaitDrain, On: string(c.ID), Since: r.Unrouted, Until: until,
			Reason: fmt.Sprintf("requests in flight on %s end", c.ID),
		})
	}
	return waits
}

// draining reports whether the copy still has requests in flight, as far as is known. Of an
// agent that is away, or just back, that is not known, so the copy keeps its full time.
func (v *view) draining(c andon.Copy) bool {
	r := v.record(c.ID)
	if r.Unrouted.IsZero() {
		return false
	}
	for _, agent := range v.Desired.Edges() {
		if _, lost := v.Lost[agent]; lost || v.Routes[agent] == nil {
			return true
		}
	}
	for agent, rs := range v.Routes { // also of agents whose proxy had the route before
		if slices.Contains(rs.Draining, c.ID) || slices.Contains(rs.Targets, c.ID) {
			return true
		}
		if _, lost := v.Lost[agent]; !lost && rs.Generation < v.RouteGeneration {
			return true // it may have sent it requests since it last told
		}
	}
	return v.lost(c)
}

// stopped returns the waits for copies that are no longer desired and still there. A copy on an
// agent that is away stops when the agent is back; one that does not stop in time is left to
// its agent.
func (v *view) stopped() []Wait {
	var waits []Wait
	for id, r := range v.Copies {
		if r.Removed.IsZero() {
			continue
		}
		if _, lost := v.Lost[r.Agent]; lost {
			continue
		}
		until := r.Removed.Add(r.Stop + StopLimit)
		if v.elapsed(r.Removed, until) {
			continue
		}
		waits = append(waits, Wait{
			Kind: andon.WaitStop, On: string(id), Since: r.Removed, Until: until,
			Reason: because(fmt.Sprintf("%s stops", id), r.Observed.Reason),
		})
	}
	sortWaits(waits)
	return waits
}
