package line

import (
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// Slow reports whether the newest version of the trunk is in its commit stage, or was, for longer
// than its budget.
func (svc *Service) Slow(now time.Time) bool {
	var v *Version
	for _, other := range svc.Versions {
		if other.Trunk && (v == nil || other.Order > v.Order) {
			v = other
		}
	}
	if v == nil || v.Pipeline == nil {
		return false
	}
	for _, e := range v.Stages {
		if e.Stage == andon.CommitStageName {
			return e.Slow
		}
	}
	return v.Run != nil && v.Run.Stage == andon.CommitStageName && now.Sub(v.Run.Started) > v.Pipeline.CommitBudget()
}
