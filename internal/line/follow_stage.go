package line

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// stageNext returns what follows for a version in a stage: its deployment, then its jobs, then
// its end.
func (s *State) stageNext(v *Version, now time.Time) ([]andon.Body, []andon.Wait) {
	if env := v.deploysTo(); env != "" {
		switch {
		case v.Run.Deployment == "":
			return s.stageDeploys(v, env, now)
		case v.Run.DeploymentOutcome == "":
			w := s.waitOf(v)
			w.Kind, w.On, w.Deployment, w.Since = andon.WaitDeployment, string(v.Run.Deployment), v.Run.Deployment, v.Run.Started
			w.Reason = fmt.Sprintf("deployment %s has not ended", v.Run.Deployment)
			return nil, []andon.Wait{w}
		case v.Run.DeploymentOutcome != andon.Succeeded:
			return s.finishStage(v, stageOutcome(v.Run.DeploymentOutcome), v.Run.DeploymentReason, now), nil
		}
	}
	return s.jobsNext(v, now)
}

// stageOutcome is what a stage ends with whose deployment did not succeed.
func stageOutcome(o andon.Outcome) andon.Outcome {
	switch o {
	case andon.NeedsAttention:
		return o
	case andon.Aborted, andon.Cancelled, andon.Superseded:
		return andon.Cancelled
	default:
		return andon.Failed
	}
}

// stageDeploys begins the deployment of a stage, whose place is free for it already.
func (s *State) stageDeploys(v *Version, env andon.EnvironmentName, now time.Time) ([]andon.Body, []andon.Wait) {
	plan, problem := s.plan(v, env, andon.DeployForward, andon.ActorLine, "")
	if problem != nil {
		return s.finishStage(v, andon.Failed, problem.Message, now), nil
	}
	plan.Stage = v.Run.Stage
	if waits := s.hostHold(plan.Place, s.waitOf(v)); len(waits) > 0 {
		return nil, waits
	}
	started := s.complete(plan)
	return []andon.Body{andon.DeploymentPlanned{Plan: started}, andon.DeploymentStarted{Plan: started}}, nil
}

// jobsNext queues the jobs whose needs are met, and ends the stage when one failed or all
// succeeded.
func (s *State) jobsNext(v *Version, now time.Time) ([]andon.Body, []andon.Wait) {
	jobs := v.jobs()
	for _, j := range jobs { // the first failure decides: feedback is worth more than the rest
		if r := v.Run.Jobs[j.Name]; r != nil && r.Outcome != "" && r.Outcome != andon.Succeeded {
			return s.finishStage(v, jobOutcome(r.Outcome), jobReason(j.Name, r), now), nil
		}
	}
	var ready []andon.Body
	var waits []andon.Wait
	for _, j := range jobs {
		switch r := v.Run.Jobs[j.Name]; {
		case r == nil && v.Run.met(j.Needs):
			ready = append(ready, andon.TaskQueued{Task: s.jobTask(v, j)})
		case r != nil && r.Outcome == "":
			waits = append(waits, s.taskWait(v, r.Task))
		}
	}
	switch {
	case len(ready) > 0:
		return ready, nil
	case len(waits) > 0:
		return nil, waits
	default:
		return s.passStage(v, now), nil
	}
}

func (r *StageRun) met(needs []andon.JobName) bool {
	return !slices.ContainsFunc(needs, func(n andon.JobName) bool {
		j := r.Jobs[n]
		return j == nil || j.Outcome != andon.Succeeded
	})
}

// taskWait says that a version waits for one of its tasks, and what that task does.
func (s *State) taskWait(v *Version, id andon.TaskID) andon.Wait {
	w := s.waitOf(v)
	w.Kind, w.On, w.Task, w.Since = andon.WaitTask, string(id), id, v.Run.Started
	if t := s.Tasks[id]; t != nil {
		w.Since = t.Queued
		w.Reason = fmt.Sprintf("job %s waits for an agent", t.Task.Job)
		if t.Agent != "" {
			w.Since = t.Leased
			w.Reason = fmt.Sprintf("job %s runs on agent %s", t.Task.Job, t.Agent)
		}
	}
	return w
}

func jobOutcome(o andon.Outcome) andon.Outcome {
	switch o {
	case andon.NeedsAttention:
		return o
	default:
		return andon.Failed
	}
}

func jobReason(name andon.JobName, r *JobRun) string {
	what := "failed"
	switch r.Outcome {
	case andon.TimedOut:
		what = "took longer than it may"
	case andon.Cancelled:
		what = "was ended by its agent"
	case andon.Lost:
		what = fmt.Sprintf("was lost with its agent %d times", maxAttempts)
	case andon.NeedsAttention:
		what = "needs attention"
	}
	if r.Reason != "" {
		return fmt.Sprintf("job %s %s: %s", name, what, r.Reason)
	}
	return fmt.Sprintf("job %s %s", name, what)
}

// passStage ends a stage whose jobs have all succeeded.
func (s *State) passStage(v *Version, now time.Time) []andon.Body {
	if v.Next != commitStage {
		return s.finishStage(v, andon.Succeeded, "", now)
	}
	if src := v.Pipeline.Commit.Artifact; src != nil && v.builtArtifact() == nil {
		return s.finishStage(v, andon.Failed, fmt.Sprintf("job %s succeeded but delivered no artifact", src.Job), now)
	}
	return s.finishStage(v, andon.Succeeded, "", now)
}

// builtArtifact returns what the commit stage delivered.
func (v *Version) builtArtifact() *andon.Artifact {
	src := v.Pipeline.Commit.Artifact
	if src == nil {
		return nil
	}
	r := v.Run.Jobs[src.Job]
	if r == nil || r.Artifact == nil || !r.Artifact.Digest.Valid() {
		return nil
	}
	return r.Artifact
}

// finishStage ends the stage that a version is in, and says all that this means: what it earned
// and which cords it releases, or that it is rejected and stops the line. Jobs that still run are
// cancelled.
func (s *State) finishStage(v *Version, outcome andon.Outcome, reason string, now time.Time) []andon.Body {
	run := v.Run
	var bodies []andon.Body
	var cancelled []string
	for _, name := range sorted(run.Jobs) {
		if t := s.Tasks[run.Jobs[name].Task]; t != nil && !t.Cancel {
			bodies = append(bodies, andon.TaskCancelled{Task: t.Task.ID, Reason: fmt.Sprintf("stage %s ended: %s", run.Stage, outcome)})
			cancelled = append(cancelled, string(name))
		}
	}
	if len(cancelled) > 0 && outcome != andon.Cancelled {
		reason += fmt.Sprintf("; cancelled because of that: %s", strings.Join(cancelled, ", "))
	}
	finished := andon.StageFinished{
		Version: v.Ref, Stage: run.Stage, Run: run.Run, Outcome: outcome, Reason: reason,
		Took: max(0, now.Sub(run.Started)),
	}
	if v.Next == commitStage {
		finished.Slow = finished.Took > v.Pipeline.CommitBudget()
		if outcome == andon.Succeeded {
			finished.Artifact = v.builtArtifact()
		}
	}
	bodies = append(bodies, finished)
	switch outcome {
	case andon.Succeeded:
		return append(bodies, s.earned(v)...)
	case andon.Cancelled:
		return append(bodies, andon.VersionEnded{Version: v.Ref, Outcome: outcome, Reason: reason})
	default:
		return append(bodies, s.rejected(v, run.Stage, outcome, reason, now)...)
	}
}

// earned returns what a version gets for passing its present stage.
func (s *State) earned(v *Version) []andon.Body {
	var bodies []andon.Body
	name := v.Stage()
	if st := v.stage(); st != nil && st.Grants != "" && !v.Maturity.AtLeast(st.Grants) {
		bodies = append(bodies, andon.MaturityChanged{
			Version: v.Ref, From: v.Maturity, To: st.Grants, Reason: fmt.Sprintf("passed stage %s", name),
		})
	}
	for _, c := range s.Cords {
		if c.candidate(v) && c.Fix.Stage == name {
			bodies = append(bodies, released(c, v, fmt.Sprintf("passed stage %s", name)))
		}
	}
	return bodies
}

// rejected returns what follows for a version that failed: on the trunk it stops the line.
func (s *State) rejected(v *Version, stage andon.StageName, outcome andon.Outcome, reason string, now time.Time) []andon.Body {
	bodies := []andon.Body{
		andon.MaturityChanged{Version: v.Ref, From: v.Maturity, To: andon.Rejected, Reason: fmt.Sprintf("stage %s: %s", stage, reason)},
		andon.VersionEnded{Version: v.Ref, Outcome: outcome, Reason: fmt.Sprintf("stage %s: %s", stage, reason)},
	}
	if v.Trunk {
		bodies = append(bodies, s.redStage(v, stage, fmt.Sprintf("%s failed in stage %s: %s", v.Ref, stage, reason), now)...)
	}
	return bodies
}
