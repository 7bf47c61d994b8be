package httpapi

import (
	"context"
	"fmt"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// What can be waited for, besides a maturity and live:ENVIRONMENT.
const (
	goalBuilt   = "built"
	goalStopped = "stopped"
	goalEnded   = "ended"
	goalLive    = "live"
)

// A goal is what somebody waits for a version to reach.
type goal struct {
	what        string // one of the constants, or a maturity
	environment andon.EnvironmentName
}

func parseGoal(text string) (goal, error) {
	what, env, _ := strings.Cut(text, ":")
	switch {
	case what == goalLive && andon.ValidName(env):
		return goal{what, andon.EnvironmentName(env)}, nil
	case env == "" && !strings.Contains(text, ":") && (what == goalBuilt || what == goalStopped || what == goalEnded ||
		what == string(andon.ReleaseCandidate) || what == string(andon.Certified)):
		return goal{what: what}, nil
	}
	return goal{}, andon.Errorf(andon.KindInvalid, "%.100q is nothing to wait for", text).
		WithHint("wait for built, release-candidate, certified, live:ENVIRONMENT, stopped or ended")
}

// A verdict says whether a goal is reached, or cannot be reached any more. Without either, it is
// open.
type verdict struct {
	reached, unreachable bool
	reason               string
	problem              error
}

func reached(format string, args ...any) verdict {
	return verdict{reached: true, reason: fmt.Sprintf(format, args...)}
}

func unreachable(format string, args ...any) verdict {
	return verdict{unreachable: true, reason: fmt.Sprintf(format, args...)}
}

func open(format string, args ...any) verdict {
	return verdict{reason: fmt.Sprintf(format, args...)}
}

// reachedBy returns why an event alone means that the goal was reached, even if what follows has
// taken it back already; empty: it does not.
func (g goal) reachedBy(e andon.Event, ref andon.VersionRef) string {
	switch b := e.Body.(type) {
	case andon.DeploymentEnded:
		if g.what == goalLive && b.Environment == g.environment && b.Service == ref.Service && b.Version == ref.Number && b.Outcome == andon.Succeeded {
			return fmt.Sprintf("%s is live in %s", ref, g.environment)
		}
	case andon.MaturityChanged:
		if b.Version == ref && b.To.AtLeast(andon.Maturity(g.what)) && andon.Maturity(g.what).AtLeast(andon.ReleaseCandidate) {
			return fmt.Sprintf("%s is %s", ref, b.To)
		}
	case andon.CordPulled:
		if g.what == goalStopped && b.Cord.Scope.Covers(ref.Service, "") {
			return fmt.Sprintf("the line is stopped: %s", b.Cord.Reason)
		}
	case andon.VersionEnded:
		if g.what == goalEnded && b.Version == ref {
			return ending(ref, b.Outcome, b.Reason)
		}
	}
	return ""
}

func ending(ref andon.VersionRef, outcome andon.Outcome, reason string) string {
	if reason != "" {
		return fmt.Sprintf("the way of %s ended: %s (%s)", ref, outcome, reason)
	}
	return fmt.Sprintf("the way of %s ended: %s", ref, outcome)
}

// judge decides from the state.
func (g goal) judge(s *line.State, v *line.Version) verdict {
	switch g.what {
	case goalBuilt:
		return g.judgeBuilt(v)
	case goalStopped:
		return g.judgeStopped(s, v)
	case goalEnded:
		if v.Open() {
			return open("%s is in stage %s", v.Ref, v.Stage())
		}
		return reached("%s", ending(v.Ref, v.Ended.Outcome, v.Ended.Reason))
	case goalLive:
		return g.judgeLive(s, v)
	default:
		return g.judgeMaturity(v)
	}
}

func (g goal) judgeBuilt(v *line.Version) verdict {
	if v.Next >= 0 {
		return reached("%s is built", v.Ref)
	}
	if v.Open() {
		return open("%s is in its commit stage", v.Ref)
	}
	return unreachable("%s", ending(v.Ref, v.Ended.Outcome, v.Ended.Reason))
}

func (g goal) judgeMaturity(v *line.Version) verdict {
	want := andon.Maturity(g.what)
	switch {
	case v.Maturity == andon.Quarantined:
		return unreachable("%s is quarantined: it was rolled back", v.Ref)
	case v.Earned.AtLeast(want):
		return reached("%s is %s", v.Ref, v.Earned)
	case !v.Open():
		return unreachable("%s", ending(v.Ref, v.Ended.Outcome, v.Ended.Reason))
	case !v.Trunk:
		return unreachable("%s is on branch %s: only versions of the trunk are promoted", v.Ref, v.Branch)
	case !grantsLater(v, want):
		return unreachable("no stage that %s still has before it grants %s", v.Ref, want)
	default:
		return open("%s is %s, in stage %s", v.Ref, v.Maturity, v.Stage())
	}
}

// grantsLater reports whether a stage that the version has not passed grants a maturity.
func grantsLater(v *line.Version, want andon.Maturity) bool {
	if v.Pipeline == nil {
		return false
	}
	for i, st := range v.Pipeline.Stages {
		if i >= v.Next && st.Grants.AtLeast(want) {
			return true
		}
	}
	return false
}

func errNoEnvironment(env andon.EnvironmentName) error {
	return andon.Errorf(andon.KindNotFound, "there is no environment %s", env).WithHint("`andon status` lists the environments")
}

func (g goal) judgeLive(s *line.State, v *line.Version) verdict {
	if s.Environments[g.environment] == nil {
		return verdict{problem: errNoEnvironment(g.environment)}
	}
	p := s.PlaceOf(andon.Place{Service: v.Ref.Service, Environment: g.environment})
	if p != nil {
		if p.Live != nil && p.Live.Version == v.Ref.Number && !leaves(p, v.Ref.Number) {
			return reached("%s is live in %s", v.Ref, g.environment)
		}
		if goes(p, v.Ref.Number) {
			return open("%s is being deployed to %s", v.Ref, g.environment)
		}
	}
	switch {
	case v.Maturity == andon.Quarantined:
		return unreachable("%s is quarantined: it was rolled back", v.Ref)
	case !v.Open() && v.Ended.Outcome == andon.Succeeded && p != nil && p.Live != nil:
		return unreachable("%s is not live in %s: version %s is", v.Ref, g.environment, p.Live.Version)
	case !v.Open():
		return unreachable("%s", ending(v.Ref, v.Ended.Outcome, v.Ended.Reason))
	case !v.Trunk:
		return unreachable("%s is on branch %s: only versions of the trunk are promoted", v.Ref, v.Branch)
	case !deploysLater(v, g.environment):
		return unreachable("no stage that %s still has before it deploys to %s", v.Ref, g.environment)
	default:
		return open("%s is in stage %s", v.Ref, v.Stage())
	}
}

// leaves reports whether a version that is live is being rolled back.
func leaves(p *line.Place, live andon.VersionNumber) bool {
	rollsBack := func(d *line.Deployment) bool {
		return d.Plan.Kind == andon.DeployRollback && d.Plan.Release.Version != live
	}
	for _, d := range p.Queued {
		if rollsBack(d) {
			return true
		}
	}
	return p.Active != nil && p.Active.Step != andon.StepReverting && rollsBack(p.Active)
}

// goes reports whether a deployment that has not failed brings a version to a place, or one that
// goes back brings it again.
func goes(p *line.Place, n andon.VersionNumber) bool {
	for _, d := range p.Queued {
		if d.Plan.Release.Version == n {
			return true
		}
	}
	d := p.Active
	if d == nil {
		return false
	}
	if d.Step == andon.StepReverting {
		return d.Plan.Previous != nil && d.Plan.Previous.Version == n
	}
	return d.Plan.Release.Version == n
}

func deploysLater(v *line.Version, env andon.EnvironmentName) bool {
	if v.Pipeline == nil {
		return false
	}
	for i, st := range v.Pipeline.Stages {
		if i >= v.Next && st.Deploy == env {
			return true
		}
	}
	return false
}

func (g goal) judgeStopped(s *line.State, v *line.Version) verdict {
	svc := s.Services[v.Ref.Service]
	for _, c := range s.Cords {
		if s.Concerns(c.Scope, svc) {
			return reached("the line is stopped: %s", c.Reason)
		}
	}
	if v.Open() {
		return open("%s is in stage %s, and the line runs", v.Ref, v.Stage())
	}
	return unreachable("the line runs, and %s", ending(v.Ref, v.Ended.Outcome, v.Ended.Reason))
}

// judgeOld decides for a version that the line does not keep any more: its way is over, and
// nothing runs of it.
func (a *API) judgeOld(ctx context.Context, ref andon.VersionRef, g goal) (verdict, error) {
	if err := a.fresh(ctx); err != nil {
		return verdict{}, err
	}
	v, err := a.History.Version(ctx, ref)
	if err != nil {
		return verdict{}, err
	}
	over := ending(ref, v.Outcome, v.Reason)
	switch g.what {
	case goalEnded:
		return reached("%s", over), nil
	case goalBuilt:
		for _, st := range v.Stages {
			if st.Stage == andon.CommitStageName && st.Outcome == andon.Succeeded {
				return reached("%s is built", ref), nil
			}
		}
	case string(andon.ReleaseCandidate), string(andon.Certified):
		if v.Maturity.AtLeast(andon.Maturity(g.what)) {
			return reached("%s is %s", ref, v.Maturity), nil
		}
	case goalStopped:
		var stopped verdict
		err := a.Engine.View(ctx, func(s *line.State) {
			for _, c := range s.Cords {
				if svc := s.Services[ref.Service]; svc != nil && s.Concerns(c.Scope, svc) {
					stopped = reached("the line is stopped: %s", c.Reason)
				}
			}
		})
		if err != nil || stopped.reached {
			return stopped, err
		}
	}
	return unreachable("%s", over), nil
}
