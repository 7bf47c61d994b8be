package httpapi

import (
	"maps"
	"slices"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

// wirePlan returns a plan for people; commits are the versions between what is live and what
// will be.
func wirePlan(p line.Preview, commits []history.VersionSummary, pace deploy.Pace) api.Plan {
	plan := p.Plan
	out := api.Plan{
		Service: string(plan.Service), Environment: string(plan.Environment), Version: int64(plan.Release.Version),
		Kind: api.DeploymentKind(plan.Kind), Strategy: api.Strategy(plan.Strategy), Platform: andon.PlatformProcess,
		Aborts: string(p.Aborts), Quarantines: int64(p.Quarantines),
		Agents: texts(plan.Agents), Edges: texts(plan.Edges), Hosts: texts(plan.Hosts),
		SoakMS: plan.Soak.Milliseconds(), Steps: each(p.Steps(), wireAhead), Placement: []api.Placement{},
		Pace: api.Pace{ExpectedMS: pace.Takes.Milliseconds(), AtLeastMS: pace.Least.Milliseconds(), From: pace.From},
	}
	if plan.Release.Spec.Platform != "" {
		out.Platform = plan.Release.Spec.Platform
	}
	if deploy.ReusesGroup(&plan) {
		out.Reuses = string(plan.Group)
	}
	if deploy.KeepsWarm(&plan) {
		out.WarmMS = plan.Warm.Milliseconds()
	}
	shares := deploy.Shares(plan)
	for _, agent := range slices.Sorted(maps.Keys(shares)) {
		out.Placement = append(out.Placement, api.Placement{Agent: string(agent), Copies: shares[agent]})
	}
	out.Changes = wireChanges(plan, commits)
	if plan.Previous != nil {
		out.Previous = int64(plan.Previous.Version)
	}
	return out
}

func wireChanges(plan andon.Plan, commits []history.VersionSummary) api.Changes {
	before, settings := andon.Release{}, []deploy.KeyDifference(nil)
	if plan.Previous != nil {
		before = *plan.Previous
		settings = deploy.Settings(before.Spec, plan.Release.Spec)
	}
	return api.Changes{
		Commits:       each(commits, wireChange),
		Artifact:      difference(before.Artifact, plan.Release.Artifact),
		Configuration: difference(before.Config, plan.Release.Config),
		Environment:   each(deploy.Variables(before.Spec, plan.Release.Spec), wireKey),
		Settings:      each(settings, wireKey),
		Copies:        api.CountsChange{From: before.Spec.Instances, To: plan.Release.Spec.Instances},
	}
}

func wireChange(v history.VersionSummary) api.Change {
	return api.Change{Version: int64(v.Number), Commit: string(v.Commit), Author: v.Author, Subject: v.Subject}
}

func wireKey(k deploy.KeyDifference) api.KeyChange {
	return api.KeyChange{Key: k.Key, Change: k.Change, From: k.From, To: k.To}
}

func wireAhead(s deploy.StepAhead) api.PlanStep {
	out := api.PlanStep{Step: api.DeploymentStep(s.Step), Does: s.Does, AtLeastMS: s.Takes.Milliseconds()}
	if len(s.Agents) > 0 {
		out.Agents = texts(s.Agents)
	}
	return out
}

func difference[S ~string](from, to S) api.Difference {
	return api.Difference{From: string(from), To: string(to), Same: from == to}
}

func wireShare(s history.Share) api.Share {
	out := api.Share{Time: s.Time.UTC()}
	if s.Whole > 0 {
		out.Percent = 100 * float64(s.Ours) / float64(s.Whole)
	}
	return out
}

func wireVerdict(v history.Verdict) api.Verdict {
	return api.Verdict{
		Time: v.Time.UTC(), Verdict: api.VerdictWord(v.Verdict), Reason: v.Reason, Before: wireAnswers(v.Before), After: wireAnswers(v.After),
	}
}

func wireAnswers(g andon.GroupStats) api.Answers {
	out := api.Answers{Requests: g.Requests, Errors: g.Errors}
	if d, ok := g.Within(0.95); ok {
		out.P95MS = float64(d.Microseconds()) / 1000
	}
	return out
}
