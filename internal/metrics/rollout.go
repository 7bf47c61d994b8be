package metrics

import (
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Deployed is one deployment of a service to production that began there and has ended.
type Deployed struct {
	Deployment andon.DeploymentID
	Version    andon.VersionNumber
	Kind       andon.DeploymentKind
	Outcome    andon.Outcome
	Started    time.Time
	Ended      time.Time
}

// A Rollout is a deployment to production as the figures of DORA see it. Rollbacks are none: they
// are how one that failed is recovered from.
type Rollout struct {
	Deployed
	// Failed: it did not succeed, or a rollback followed it, so that it took somebody's intervention,
	// Andon's own included.
	Failed bool
	// Recovered is when production was well again after it failed; zero: it is not yet, or did not fail.
	Recovered time.Time
	// Rework: it is the first that succeeded after one that failed, so that it is work which nobody
	// had planned.
	Rework bool
}

// Recovery returns how long production was not well because of a rollout that failed: from its
// beginning if it never became live, otherwise from when it did; false while it is not recovered.
func (r *Rollout) Recovery() (time.Duration, bool) {
	if r.Recovered.IsZero() {
		return 0, false
	}
	if r.Outcome == andon.Succeeded {
		return r.Recovered.Sub(r.Ended), true
	}
	return r.Recovered.Sub(r.Started), true
}

// Rollouts reads what became of the deployments of one service to production, given in the order
// in which they ended.
func Rollouts(all []Deployed) []Rollout {
	h := story{live: none, newest: map[andon.VersionNumber]int{}}
	for _, d := range all {
		if d.Kind == andon.DeployRollback {
			h.rolledBack(d)
		} else {
			h.rolledOut(d)
		}
	}
	return h.rollouts
}

// A story is what became of a service in production so far.
type story struct {
	rollouts []Rollout
	newest   map[andon.VersionNumber]int // the last rollout of a version that became live
	live     int                         // the rollout that is live
	broken   []int                       // those that production has not recovered from
	repair   bool                        // the next rollout that succeeds is the repair of one that failed
}

// none is the index of no rollout.
const none = -1

func (h *story) rolledOut(d Deployed) {
	this := len(h.rollouts)
	h.rollouts = append(h.rollouts, Rollout{Deployed: d, Failed: d.Outcome != andon.Succeeded})
	switch d.Outcome {
	case andon.Succeeded:
		h.recover(d.Ended)
		h.rollouts[this].Rework, h.repair = h.repair, false
		h.live, h.newest[d.Version] = this, this
	case andon.NeedsAttention:
		h.broken, h.repair = append(h.broken, this), true
	default: // what was live before is live again
		h.rollouts[this].Recovered, h.repair = d.Ended, true
	}
}

// rolledBack takes a rollback in: what was live needed it, unless it is what the rollback led to,
// away from a rollout in the middle of it.
func (h *story) rolledBack(d Deployed) {
	if h.live != none && h.rollouts[h.live].Version != d.Version {
		h.rollouts[h.live].Failed, h.repair = true, true
		h.broken = append(h.broken, h.live)
	}
	if d.Outcome != andon.Succeeded {
		return
	}
	h.recover(d.Ended)
	h.live = none
	if i, ok := h.newest[d.Version]; ok {
		h.live = i
	}
}

// recover notes that production is well again. A rollout that was recovered from before, and was
// made live once more since, keeps its first recovery.
func (h *story) recover(at time.Time) {
	for _, i := range h.broken {
		if h.rollouts[i].Recovered.IsZero() {
			h.rollouts[i].Recovered = at
		}
	}
	h.broken = h.broken[:0]
}
