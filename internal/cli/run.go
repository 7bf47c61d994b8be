package cli

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
)

type runCmd struct {
	Dir string `arg:"" optional:"" default:"." help:"Somewhere in the repository."`
}

// A ran is what `andon run --json` prints.
type ran struct {
	Service   string        `json:"service"`
	Succeeded bool          `json:"succeeded"`
	TookMS    int64         `json:"took_ms"`
	Jobs      []ranJob      `json:"jobs"`
	Artifact  *api.Artifact `json:"artifact,omitempty"`
}

type ranJob struct {
	Job      string           `json:"job"`
	Outcome  api.Outcome      `json:"outcome"`
	Reason   string           `json:"reason,omitempty"`
	ExitCode int              `json:"exit_code,omitempty"`
	TookMS   int64            `json:"took_ms"`
	Tests    *api.TestSummary `json:"tests,omitempty"`
}

// Run runs the commit stage of the working tree, as an agent would, and keeps nothing.
func (cmd *runCmd) Run(c *call) error {
	dir, err := filepath.Abs(cmd.Dir)
	if err != nil {
		return err
	}
	top, inGit := topOf(c.ctx, dir)
	if !inGit {
		return andon.Errorf(andon.KindInvalid, "%s is not in a git repository", dir).
			WithHint("Run `git init` there: the commit stage runs what git would commit.")
	}
	// Which environments there are does not matter to the commit stage.
	_, parsed, problems, err := readPipeline(nil, filepath.Join(top, pipelineFile), nil)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		if c.json {
			return problems[0]
		}
		fmt.Fprint(c.err, form.Format(problems))
		return codeError(exitFailed)
	}
	output := c.out
	if c.json {
		output = c.err
	}
	started := time.Now()
	result, err := runner.Local(c.ctx, runner.LocalRun{
		Tree: top, Pipeline: parsed, Output: output,
		Commit: andon.CommitID(ask(c.ctx, top, "rev-parse", "--verify", "--quiet", "HEAD")),
		Branch: branchOf(c.ctx, top),
	})
	if err != nil {
		if c.ctx.Err() != nil {
			return andon.Errorf(andon.KindConflict, "the run was interrupted").Because(err)
		}
		return err
	}
	answer := summary(parsed.Service, result, time.Since(started))
	if c.json {
		c.sayJSON(c.out, answer)
	} else {
		cmd.say(c, answer)
	}
	if !answer.Succeeded {
		return codeError(exitFailed)
	}
	return nil
}

func summary(service andon.ServiceName, result runner.LocalResult, took time.Duration) ran {
	answer := ran{Service: string(service), Succeeded: result.Succeeded(), TookMS: took.Milliseconds(), Jobs: []ranJob{}}
	for _, j := range result.Jobs {
		job := ranJob{
			Job: string(j.Name), Outcome: api.Outcome(j.Result.Outcome), Reason: j.Result.Reason,
			ExitCode: j.Result.ExitCode, TookMS: j.Result.Ended.Sub(j.Result.Started).Milliseconds(),
		}
		if t := j.Result.Tests; t != nil {
			job.Tests = &api.TestSummary{Passed: t.Passed, Failed: t.Failed, Skipped: t.Skipped, Flaky: t.Flaky, TookMS: t.Duration.Milliseconds()}
			for _, f := range t.Failures {
				job.Tests.Failures = append(job.Tests.Failures, api.TestFailure{Name: f.Name, Message: f.Message, File: f.File, Line: f.Line})
			}
		}
		answer.Jobs = append(answer.Jobs, job)
	}
	if a := result.Artifact; a != nil {
		answer.Artifact = &api.Artifact{Digest: string(a.Digest), Size: a.Size}
	}
	return answer
}

func (cmd *runCmd) say(c *call, answer ran) {
	p := c.paint(c.out)
	fmt.Fprintln(c.out)
	var t table
	for _, j := range answer.Jobs {
		tests := ""
		if j.Tests != nil {
			tests = fmt.Sprintf("%d passed, %d failed, %d skipped", j.Tests.Passed, j.Tests.Failed, j.Tests.Skipped)
		}
		t.row(j.Job, string(j.Outcome), span(milliseconds(j.TookMS)), first(j.Reason, tests))
	}
	t.write(c.out, "")
	if answer.Artifact != nil {
		fmt.Fprintf(c.out, "artifact %s, %s\n", short(answer.Artifact.Digest), bytesWords(answer.Artifact.Size))
	}
	if answer.Succeeded {
		fmt.Fprintln(c.out, p.green("The commit stage passes."))
	} else {
		fmt.Fprintln(c.out, p.red("The commit stage fails."))
	}
}
