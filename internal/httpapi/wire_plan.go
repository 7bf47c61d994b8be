package httpapi

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

// planSteps says in words what the deployment will do.
func planSteps(p andon.Plan) []api.PlanStep {
	copies := count(p.Release.Spec.Instances, "copy", "copies")
	where := ""
	if p.Strategy == andon.Replace {
		where = " as new instances"
	}
	steps := []api.PlanStep{{Step: api.StepPlacing, Does: "start " + copies + " of version " + p.Release.Version.String() + where + " and wait until they are healthy"}}
	if len(p.Release.Smoke) > 0 {
		steps = append(steps, api.PlanStep{Step: api.StepSmoking, Does: "run " + count(len(p.Release.Smoke), "smoke test", "smoke tests") + " against each of them before it has traffic"})
	}
	if len(p.Hosts) > 0 {
		steps = append(steps, switchSteps(p)...)
	}
	if p.Soak > 0 {
		steps = append(steps, api.PlanStep{Step: api.StepSoaking, Does: "watch them for " + brief(p.Soak) + watching(p.Watch)})
	}
	if p.Previous != nil {
		if len(p.Hosts) > 0 {
			steps = append(steps, api.PlanStep{Step: api.StepDraining, Does: "let requests on the old copies end, for at most " + p.Previous.Spec.Drain.String()})
		}
		old := count(p.Previous.Spec.Instances, "copy", "copies") + " of version " + p.Previous.Version.String()
		does := "stop " + old
		if deploy.KeepsWarm(&p) {
			does = "keep " + old + " warm, without traffic, for " + brief(p.Warm) + ", and stop them then"
		}
		steps = append(steps, api.PlanStep{Step: api.StepRemoving, Does: does})
	}
	return steps
}

// switchSteps says how the traffic moves.
func switchSteps(p andon.Plan) []api.PlanStep {
	all := api.PlanStep{Step: api.StepSwitching, Does: "move all traffic to them at once"}
	switch {
	case p.Strategy == andon.Rolling:
		all.Does = "move traffic to them, " + byHowMany(p.Rollout)
	case p.Strategy == andon.Canary && p.Previous != nil && len(p.Canary) > 0:
		var steps []api.PlanStep
		for _, s := range p.Canary {
			steps = append(steps,
				api.PlanStep{Step: api.StepSwitching, Does: "give them " + strconv.Itoa(s.Weight) + " % of the traffic"},
				api.PlanStep{Step: api.StepPausing, Does: "watch them for " + brief(s.Pause) + watching(p.Watch)})
		}
		all.Does = "give them all of the traffic"
		return append(steps, all)
	}
	return []api.PlanStep{all}
}

// byHowMany says how many copies a rolling deployment replaces at a time.
func byHowMany(r andon.Rollout) string {
	if r.MaxUnavailable <= 0 && r.MaxSurge <= 0 {
		return "one copy at a time"
	}
	return fmt.Sprintf("with at most %s more than wanted, and at most %d fewer in traffic", count(r.MaxSurge, "copy", "copies"), r.MaxUnavailable)
}

// watching says what a deployment compares with the old copies.
func watching(w *andon.Watch) string {
	if w == nil {
		return ""
	}
	limits := []string{fmt.Sprintf("more than %g percentage points more of their requests fail than of those to the old copies", w.Errors)}
	if w.Latency > 0 {
		limits = append(limits, fmt.Sprintf("the 95th percentile of their latency is more than %g times that of the old ones", w.Latency))
	}
	return ", and go back if " + strings.Join(limits, " or ")
}

func brief(d time.Duration) string { return d.Round(time.Millisecond).String() }
