package web

import (
	"fmt"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
)

// A stageReport is one run of a stage of a version, or a stage that it has not entered.
type stageReport struct {
	history.StageRun
	Look     string
	Admitted *history.Admission // who let it in; nil: nobody needed to, or it is not in yet
	Gate     bool               // somebody must let it in
	Deploys  andon.EnvironmentName
	Grants   andon.Maturity
	Jobs     []jobReport
}

// A jobReport is what became of one task.
type jobReport struct {
	history.Task
	Name   string
	Look   string
	Waited time.Duration // for an agent
	Took   time.Duration // of the last attempt; zero: it runs
	Agent  andon.AgentName
	Since  time.Time // since when it runs or waits; zero: it ended
	Reason string
	Tests  *andon.TestSummary
	Steps  []stepReport
}

// A stepReport is what became of one step.
type stepReport struct {
	Name string
	Look string
	Took time.Duration
	Exit int
}

// reportStages tells the runs of a version's stages, and then the stages that are ahead of it.
func reportStages(v history.Version) []stageReport {
	var all []stageReport
	entered := map[andon.StageName]bool{}
	for _, run := range v.Stages {
		entered[run.Stage] = true
		r := stageReport{StageRun: run, Look: "moving"}
		if run.Outcome != "" {
			r.Look = outcomeLook(run.Outcome)
		}
		r.describe(v.Pipeline)
		for i, a := range v.Admissions {
			if a.Stage == run.Stage && !a.Time.After(run.Started) {
				r.Admitted = &v.Admissions[i]
			}
		}
		for _, t := range run.Tasks {
			r.Jobs = append(r.Jobs, reportJob(t))
		}
		all = append(all, r)
	}
	if v.Pipeline == nil || !v.Trunk {
		return all
	}
	for _, st := range v.Pipeline.Stages {
		if !entered[st.Name] {
			r := stageReport{StageRun: history.StageRun{Stage: st.Name}, Look: "ahead"}
			r.describe(v.Pipeline)
			all = append(all, r)
		}
	}
	return all
}

// describe says what a stage is there for.
func (r *stageReport) describe(p *andon.Pipeline) {
	if p == nil {
		return
	}
	if st, _, ok := p.Stage(r.Stage); ok {
		r.Gate, r.Deploys, r.Grants = st.Approval != nil, st.Deploy, st.Grants
	}
}

// Mark is the sign of the look.
func (r stageReport) Mark() string { return mark(r.Look) }

// Mark is the sign of the look.
func (j jobReport) Mark() string { return mark(j.Look) }

// Mark is the sign of the look.
func (s stepReport) Mark() string { return mark(s.Look) }

// Mark is the sign of the look.
func (w whereabout) Mark() string { return mark(w.Look) }

func reportJob(t history.Task) jobReport {
	j := jobReport{Task: t, Name: string(t.Job), Look: "waiting", Since: t.Queued, Reason: t.Cancelled}
	if t.Kind == andon.TaskSmoke {
		j.Name = "smoke test of " + string(t.Instance)
	}
	if t.Outcome != "" {
		j.Look, j.Since = outcomeLook(t.Outcome), time.Time{}
	}
	if len(t.Attempts) == 0 {
		return j
	}
	last := t.Attempts[len(t.Attempts)-1]
	j.Waited, j.Agent = t.Attempts[0].Leased.Sub(t.Queued), last.Agent
	if last.Ended.IsZero() {
		j.Look, j.Since = "moving", last.Leased
		return j
	}
	j.Took = last.Ended.Sub(last.Leased)
	if last.Result == nil {
		return j
	}
	j.Tests = last.Result.Tests
	if last.Result.Reason != "" {
		j.Reason = last.Result.Reason
	}
	for _, s := range last.Result.Steps {
		j.Steps = append(j.Steps, stepReport{Name: s.Name, Look: outcomeLook(s.Outcome), Took: s.Ended.Sub(s.Started), Exit: s.ExitCode})
	}
	return j
}

// A testReport is what all jobs of a version said of their tests.
type testReport struct {
	andon.TestSummary
	Jobs     int // that reported
	Failures []failedTest
}

// A failedTest is one failed test case, of a job.
type failedTest struct {
	andon.TestFailure
	Job string
	Log string
}

func reportTests(runs []stageReport) (all testReport) {
	for _, run := range runs {
		for _, j := range run.Jobs {
			if j.Tests == nil {
				continue
			}
			all.Jobs++
			all.Passed += j.Tests.Passed
			all.Failed += j.Tests.Failed
			all.Skipped += j.Tests.Skipped
			all.Flaky += j.Tests.Flaky
			all.Duration += j.Tests.Duration
			for _, f := range j.Tests.Failures {
				all.Failures = append(all.Failures, failedTest{f, fmt.Sprintf("%s of %s", j.Name, run.Stage), j.Attempts[len(j.Attempts)-1].Log})
			}
		}
	}
	return all
}

// bytesOf writes a number of bytes as people read it.
func bytesOf(n int64) string {
	const unit = 1000
	switch {
	case n < unit:
		return fmt.Sprintf("%d bytes", n)
	case n < unit*unit:
		return fmt.Sprintf("%.1f kB", float64(n)/unit)
	case n < unit*unit*unit:
		return fmt.Sprintf("%.1f MB", float64(n)/unit/unit)
	default:
		return fmt.Sprintf("%.1f GB", float64(n)/unit/unit/unit)
	}
}
