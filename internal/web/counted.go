package web

import (
	"context"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/metrics"
)

// counted is one thing that a measure counts.
type counted struct {
	Name, Path string
	At         time.Time
	Value      string
	Note       string
}

// The lists return what a measure counts in a period, whose facts they may use up: the newest first,
// one more than a page shows when there are more.

func listChanges(ctx context.Context, p *pages, _ metrics.Facts, asked history.Period) (all []counted, err error) {
	changes, err := p.History.Changes(ctx, asked, mostListed+1)
	for _, c := range changes {
		all = append(all, countedVersion(c.VersionRef, c.Delivered, c.Lead(), "of it "+metrics.Short(c.Work())+" work"))
	}
	return all, err
}

// listRollouts lists those deployments to production that a condition selects. What each has is
// said of it and the one before.
func listRollouts(which func(*metrics.Rollout) bool, has func(r, before *metrics.Rollout) string) func(context.Context, *pages, metrics.Facts, history.Period) ([]counted, error) {
	return func(_ context.Context, _ *pages, facts metrics.Facts, _ history.Period) (all []counted, err error) {
		chosen := slices.DeleteFunc(facts.Rollouts, func(r metrics.Rollout) bool { return !which(&r) })
		for i := len(chosen) - 1; i >= 0 && len(all) <= mostListed; i-- {
			r, before := &chosen[i], (*metrics.Rollout)(nil)
			if i > 0 {
				before = &chosen[i-1]
			}
			all = append(all, counted{
				Name: string(r.Deployment), Path: deploymentPath(serviceOf(string(r.Deployment)), r.Deployment), At: r.Ended, Value: has(r, before), Note: became(r),
			})
		}
		return all, nil
	}
}

// became says what became of a deployment.
func became(r *metrics.Rollout) string {
	words := "version " + r.Version.String() + " " + string(r.Outcome)
	if r.Failed && r.Live() {
		words += ", and was rolled back from"
	}
	if r.Rework {
		words += ", after one that failed"
	}
	return words
}

func listCandidates(ctx context.Context, p *pages, _ metrics.Facts, asked history.Period) (all []counted, err error) {
	found, err := p.History.Candidatures(ctx, asked, mostListed+1)
	for _, c := range found {
		note := ""
		if c.Took > metrics.CandidateGoal {
			note = "over 30 minutes"
		}
		all = append(all, countedVersion(c.VersionRef, c.At, c.Took, note))
	}
	return all, err
}

func listCommitStages(ctx context.Context, p *pages, _ metrics.Facts, asked history.Period) (all []counted, err error) {
	found, err := p.History.CommitEnds(ctx, asked, mostListed+1)
	for _, c := range found {
		note := string(c.Outcome)
		if c.Slow {
			note += ", over its budget"
		}
		all = append(all, countedVersion(c.VersionRef, c.At, c.Took, note))
	}
	return all, err
}

func listStops(ctx context.Context, p *pages, _ metrics.Facts, asked history.Period) (all []counted, err error) {
	found, err := p.History.CordsIn(ctx, asked, mostListed+1)
	for _, c := range found {
		stood, _ := metrics.Span{From: c.Pulled, To: c.Pulled.Add(c.Stopped(asked.To))}.Within(asked.Span)
		all = append(all, counted{
			Name: string(c.ID) + ", " + c.Scope.String(), Path: stopPath(c), At: c.Pulled, Value: metrics.Short(stood.Took()), Note: c.Reason,
		})
	}
	return all, err
}

// stopPath leads to what stopped the line, or to what stands.
func stopPath(c history.Cord) string {
	switch {
	case c.Fix != nil:
		return versionPath(andon.VersionRef{Service: c.Fix.Service, Number: c.Fix.Broken})
	case c.Scope.Kind == andon.ScopeService:
		return servicePath(c.Scope.Service)
	default:
		return "/board"
	}
}

func countedVersion(v andon.VersionRef, at time.Time, took time.Duration, note string) counted {
	return counted{Name: string(v.Service) + " " + v.Number.String(), Path: versionPath(v), At: at, Value: metrics.Short(took), Note: note}
}
