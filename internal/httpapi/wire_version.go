package httpapi

import (
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
)

// each returns what wire makes of each element; never nil, so that JSON shows an empty list.
func each[From, To any](from []From, wire func(From) To) []To {
	to := make([]To, 0, len(from))
	for _, f := range from {
		to = append(to, wire(f))
	}
	return to
}

// texts returns names as strings.
func texts[S ~string](from []S) []string {
	return each(from, func(s S) string { return string(s) })
}

// moment is a time that may not have come; nil then.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}

// between is how long something took; 0 while it goes on.
func between(from, to time.Time) int64 {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return to.Sub(from).Milliseconds()
}

func wireVersion(v history.VersionSummary) api.Version {
	return api.Version{
		Service: string(v.Service), Number: int64(v.Number), Commit: string(v.Commit), Parent: string(v.Parent),
		Branch: v.Branch, Trunk: v.Trunk, Author: v.Author, Subject: v.Subject,
		Committed: v.Committed.UTC(), Created: v.Created.UTC(), By: string(v.CreatedBy),
		Maturity: api.Maturity(v.Maturity), Artifact: wireArtifact(v.Artifact),
		Ended: moment(v.Ended), Outcome: api.Outcome(v.Outcome), Reason: v.Reason,
		SupersededBy: int64(v.SupersededBy), Problem: wireError(v.Problem),
	}
}

func wireArtifact(a *andon.Artifact) *api.Artifact {
	if a == nil {
		return nil
	}
	return &api.Artifact{Digest: string(a.Digest), Size: a.Size}
}

func wirePipeline(p *andon.Pipeline) *api.Pipeline {
	if p == nil {
		return nil
	}
	out := &api.Pipeline{BudgetMS: p.CommitBudget().Milliseconds()}
	out.Stages = append(out.Stages, api.PipelineStage{Name: string(andon.CommitStageName), Jobs: each(p.Commit.Jobs, wireJob)})
	for _, s := range p.Stages {
		out.Stages = append(out.Stages, api.PipelineStage{
			Name: string(s.Name), Approval: s.Approval != nil, Deploy: string(s.Deploy),
			Grants: api.Maturity(s.Grants), Jobs: each(s.Jobs, wireJob),
		})
	}
	return out
}

func wireJob(j andon.Job) api.PipelineJob {
	return api.PipelineJob{Name: string(j.Name), Needs: texts(j.Needs), Steps: each(j.Steps, func(s andon.Step) string {
		if s.Name != "" {
			return s.Name
		}
		return firstLine(s.Run)
	})}
}

// firstLine returns the first line of a command, for people.
func firstLine(s string) string {
	for i, c := range s {
		if c == '\n' {
			return s[:i]
		}
	}
	return s
}

func wireStageRun(s history.StageRun) api.StageRun {
	return api.StageRun{
		Stage: string(s.Stage), Run: s.Run, Started: s.Started.UTC(), Ended: moment(s.Finished), TookMS: s.Took.Milliseconds(),
		Outcome: api.Outcome(s.Outcome), Reason: s.Reason, Slow: s.Slow, Tasks: each(s.Tasks, wireTask),
	}
}

func wireTask(t history.Task) api.Task {
	return api.Task{
		ID: string(t.ID), Kind: api.TaskKind(t.Kind), Job: string(t.Job), Deployment: string(t.Deployment), Instance: string(t.Instance),
		Queued: t.Queued.UTC(), Ended: moment(t.Ended), Outcome: api.Outcome(t.Outcome), Cancelled: t.Cancelled,
		Attempts: each(t.Attempts, wireAttempt),
	}
}

func wireAttempt(a history.Attempt) api.Attempt {
	out := api.Attempt{Number: a.Number, Agent: string(a.Agent), Log: a.Log, Started: a.Leased.UTC(), Ended: moment(a.Ended)}
	if r := a.Result; r != nil {
		out.Outcome, out.Reason, out.ExitCode = api.Outcome(r.Outcome), r.Reason, r.ExitCode
		out.Tests = wireTests(r.Tests)
		for _, s := range r.Steps {
			out.Steps = append(out.Steps, api.StepResult{
				Name: s.Name, Outcome: api.Outcome(s.Outcome), ExitCode: s.ExitCode, TookMS: between(s.Started, s.Ended),
			})
		}
	}
	return out
}

func wireTests(t *andon.TestSummary) *api.TestSummary {
	if t == nil {
		return nil
	}
	out := &api.TestSummary{Passed: t.Passed, Failed: t.Failed, Skipped: t.Skipped, Flaky: t.Flaky, TookMS: t.Duration.Milliseconds()}
	for _, f := range t.Failures {
		out.Failures = append(out.Failures, api.TestFailure{Name: f.Name, Message: f.Message, File: f.File, Line: f.Line})
	}
	return out
}

func wireMaturity(c history.MaturityChange) api.MaturityChange {
	return api.MaturityChange{From: api.Maturity(c.From), To: api.Maturity(c.To), Time: c.Time.UTC(), By: string(c.By), Reason: c.Reason}
}

func wireAdmission(d history.Admission) api.Admission {
	return api.Admission{Stage: string(d.Stage), Time: d.Time.UTC(), By: string(d.By), Reason: d.Reason}
}
