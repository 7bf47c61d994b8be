package web

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/metrics"
)

// A measure is a figure with its definition and what it counts.
type measure struct {
	Name  string // of its page
	Title string
	Rule  string // what it is
	Kind  string // what is counted, as the head of a list
	Value string // what each of them has, as the head of a column

	value  func(m *metrics.Measures) string          // in words, of a period in which it is known
	height func(m *metrics.Measures) (float64, bool) // for a plot; false: not known
	counts func(m *metrics.Measures) string          // how many
	list   func(ctx context.Context, p *pages, facts metrics.Facts, asked history.Period) ([]counted, error)
}

// measures are all of them: the five of DORA, and what this plant promises besides.
var measures = [...]measure{
	{
		Name: "lead-time", Title: "Change lead time", Rule: "From commit to production: the median.", Kind: "Change", Value: "Lead time",
		value:  func(m *metrics.Measures) string { return metrics.Short(m.Lead) },
		height: func(m *metrics.Measures) (float64, bool) { return m.Lead.Seconds(), m.Changes > 0 },
		counts: func(m *metrics.Measures) string { return metrics.Many(m.Changes, "change") },
		list:   listChanges,
	},
	{
		Name: "deployments", Title: "Deployment frequency", Rule: "Deployments to production that became live. Rollbacks are none.", Kind: "Deployment", Value: "Took",
		value:  func(m *metrics.Measures) string { return fmt.Sprintf("%.1f a day", m.PerDay) },
		height: func(m *metrics.Measures) (float64, bool) { return m.PerDay, m.Deployments > 0 },
		counts: func(m *metrics.Measures) string { return metrics.Many(m.Deployments, "deployment") },
		list:   listRollouts(isLive, tookItself),
	},
	{
		Name: "recovery", Title: "Failed deployment recovery time", Rule: "From a deployment that failed until production was well again: the median.", Kind: "Deployment", Value: "Until well",
		value:  func(m *metrics.Measures) string { return metrics.Short(m.Recovery) },
		height: func(m *metrics.Measures) (float64, bool) { return m.Recovery.Seconds(), m.Recovered > 0 },
		counts: func(m *metrics.Measures) string {
			return metrics.Many(m.Recovered, "deployment") + " that production recovered from"
		},
		list: listRollouts(func(r *metrics.Rollout) bool { _, well := r.Recovery(); return r.Failed && well }, func(r, _ *metrics.Rollout) string {
			took, _ := r.Recovery()
			return metrics.Short(took)
		}),
	},
	{
		Name: "failed", Title: "Change fail rate", Rule: "Deployments to production that failed, or were rolled back from, of all.", Kind: "Deployment that failed", Value: "Took",
		value:  func(m *metrics.Measures) string { return metrics.Percent(m.FailRate) },
		height: func(m *metrics.Measures) (float64, bool) { return m.FailRate, m.Rollouts > 0 },
		counts: func(m *metrics.Measures) string {
			return fmt.Sprintf("%d of %s", m.Failed, metrics.Many(m.Rollouts, "deployment"))
		},
		list: listRollouts(func(r *metrics.Rollout) bool { return r.Failed }, tookItself),
	},
	{
		Name: "rework", Title: "Deployment rework rate", Rule: "Deployments that became live as the first after one that failed, of all that became live.", Kind: "Deployment", Value: "Took",
		value:  func(m *metrics.Measures) string { return metrics.Percent(m.ReworkRate) },
		height: func(m *metrics.Measures) (float64, bool) { return m.ReworkRate, m.Deployments > 0 },
		counts: func(m *metrics.Measures) string {
			return fmt.Sprintf("%d of %s", m.Rework, metrics.Many(m.Deployments, "deployment"))
		},
		list: listRollouts(func(r *metrics.Rollout) bool { return r.Rework }, tookItself),
	},
	{
		Name: "between", Title: "Between deliveries", Rule: "From one deployment that became live to the next: the mean.", Kind: "Deployment", Value: "After the one before",
		value:  func(m *metrics.Measures) string { return metrics.Short(m.Between) },
		height: func(m *metrics.Measures) (float64, bool) { return m.Between.Seconds(), m.Deployments > 1 },
		counts: func(m *metrics.Measures) string { return metrics.Many(m.Deployments, "deployment") },
		list: listRollouts(isLive, func(r, before *metrics.Rollout) string {
			if before == nil {
				return "the first"
			}
			return metrics.Short(r.Ended.Sub(before.Ended))
		}),
	},
	{
		Name: "candidates", Title: "Commit to release candidate", Rule: "Until a commit's version was a release candidate: the median. 30 minutes are the goal.", Kind: "Version", Value: "Took",
		value:  func(m *metrics.Measures) string { return metrics.Short(m.Candidate) },
		height: func(m *metrics.Measures) (float64, bool) { return m.Candidate.Seconds(), m.Candidates > 0 },
		counts: func(m *metrics.Measures) string {
			return metrics.Many(m.Candidates, "release candidate") + within(m.Candidates, m.InTime, "within 30 minutes")
		},
		list: listCandidates,
	},
	{
		Name: "commit-stage", Title: "Commit stage", Rule: "How long it took, whether it ended well or not: the median.", Kind: "Version", Value: "Took",
		value:  func(m *metrics.Measures) string { return metrics.Short(m.CommitStage) },
		height: func(m *metrics.Measures) (float64, bool) { return m.CommitStage.Seconds(), m.CommitStages > 0 },
		counts: func(m *metrics.Measures) string {
			return metrics.Many(m.CommitStages, "run") + within(m.CommitStages, m.WithinBudget, "within budget")
		},
		list: listCommitStages,
	},
	{
		Name: "stops", Title: "The line stood still", Rule: "How long cords were pulled, added up.", Kind: "Cord", Value: "Stood in this time",
		value:  func(m *metrics.Measures) string { return metrics.Short(m.StoodStill) },
		height: func(m *metrics.Measures) (float64, bool) { return m.StoodStill.Seconds(), true },
		counts: stopsByCause,
		list:   listStops,
	},
}

// mostDORA is how many of them are those of DORA.
const mostDORA = 5

func within(of int, share float64, words string) string {
	if of == 0 {
		return ""
	}
	return ", " + metrics.Percent(share) + " " + words
}

// stopsByCause writes why lines stood.
func stopsByCause(m *metrics.Measures) string {
	var all []string
	for _, cause := range metrics.StopCauses() {
		if took := m.StoodStillFor[cause]; took > 0 {
			all = append(all, metrics.Short(took)+" "+stopWords[cause])
		}
	}
	if len(all) == 0 {
		return "no cord was pulled"
	}
	return strings.Join(all, ", ")
}

// stopWords say why a line stood.
var stopWords = map[metrics.StopCause]string{
	metrics.StopStage: "because a stage failed", metrics.StopRollback: "because of a rollback", metrics.StopPerson: "because a person pulled the cord",
}

func isLive(r *metrics.Rollout) bool { return r.Live() }

func tookItself(r, _ *metrics.Rollout) string {
	return metrics.Short(max(0, r.Ended.Sub(r.Started)).Round(time.Millisecond))
}
