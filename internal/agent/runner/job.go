package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
)

// job runs the steps of a job in a fresh checkout.
func (w *work) job(ctx context.Context) andon.TaskResult {
	// The checkout and the record both wait for the disk: they do it at the same time.
	began := make(chan error, 1)
	go func() { began <- w.begin() }()
	err := w.checkout(ctx)
	if err = errors.Join(err, <-began); err != nil {
		return failure(ctx, err)
	}
	return w.finish(ctx, w.steps(ctx, w.lease.Task.Steps))
}

// finish reads the reports of a job whose steps have run, and packs its artifact.
func (w *work) finish(ctx context.Context, result andon.TaskResult) andon.TaskResult {
	w.readReports(&result)
	if result.Outcome != andon.Succeeded || w.lease.Task.Artifact == nil {
		return result
	}
	stored, err := w.store(ctx)
	if err != nil {
		failed := failure(ctx, err)
		failed.Steps, failed.Tests = result.Steps, result.Tests
		return failed
	}
	result.Artifact = &stored
	return result
}

// steps runs the steps one after the other until one fails. What a step leaves running goes on
// until the last one has ended.
func (w *work) steps(ctx context.Context, steps []andon.Step) andon.TaskResult {
	if w.group == nil || w.group.ended {
		if err := w.begin(); err != nil {
			return failure(ctx, err)
		}
	}
	out, err := startOutput(w.at.Log)
	if err != nil {
		return failure(ctx, err)
	}
	result := andon.TaskResult{Outcome: andon.Succeeded}
	env := w.environment()
	for _, step := range steps {
		ran := w.step(ctx, step, env, out)
		result.Steps = append(result.Steps, ran.StepResult)
		if ran.Outcome != andon.Succeeded {
			result.Outcome, result.ExitCode, result.Reason = ran.Outcome, ran.ExitCode, ran.reason
			break
		}
	}
	w.group.end() // before the output ends: a process that a step left behind may hold it open
	out.close()
	return result
}

// A stepRun is the result of a step and a sentence about it.
type stepRun struct {
	andon.StepResult
	reason string
}

// step runs one step. In the log, a line "##[step] NAME" begins it; nothing else of Andon's own
// stands between the output of steps.
func (w *work) step(ctx context.Context, step andon.Step, env []string, out *output) stepRun {
	name := stepName(step)
	ran := stepRun{StepResult: andon.StepResult{Name: name, Outcome: andon.Succeeded, Started: time.Now().UTC()}}
	limited := ctx
	if step.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(ctx, step.Timeout, timeoutError(step.Timeout))
		defer cancel()
	}
	out.mark("##[step] " + name)
	exit, err := w.group.run(limited, w.workspace, env, []string{"/bin/sh", "-e", "-c", step.Run}, out.write)
	ran.Ended = time.Now().UTC()
	switch {
	case err != nil && limited.Err() != nil:
		stopped := interrupted(limited)
		ran.Outcome, ran.reason = stopped.Outcome, fmt.Sprintf("step %q: %s", name, stopped.Reason)
	case exhausted(err):
		ran.Outcome, ran.reason = andon.Lost, fmt.Sprintf("step %q could not be started: %v", name, err)
	case err != nil:
		ran.Outcome, ran.reason = andon.Failed, fmt.Sprintf("step %q could not be started: %v", name, err)
	case exit != 0:
		ran.Outcome, ran.ExitCode, ran.reason = andon.Failed, exit, fmt.Sprintf("step %q failed with %s", name, w.exitWords(exit))
	}
	return ran
}

// exitWords says how a step's shell ended, with what it means by the numbers that POSIX gives a
// meaning (Shell & Utilities, 2.8.2). Which commands there are differs from host to host.
func (w *work) exitWords(exit int) string {
	words := fmt.Sprintf("exit status %d", exit)
	switch exit {
	case 126:
		words += ": a command cannot be executed"
	case 127:
		words += ": a command was not found"
	default:
		return words
	}
	if w.lease.Agent == "" {
		return words
	}
	return words + " on " + string(w.lease.Agent)
}

// stepName returns what people call the step: its name, or the first line of what it runs.
func stepName(step andon.Step) string {
	if step.Name != "" {
		return step.Name
	}
	first, _, _ := strings.Cut(strings.TrimSpace(step.Run), "\n")
	return strings.TrimSpace(first)
}

// store packs the artifact and pushes it to the registry.
func (w *work) store(ctx context.Context) (andon.Artifact, error) {
	packed, err := artifact.Pack(ctx, w.workspace, *w.lease.Task.Artifact, w.temporary)
	if err != nil {
		return andon.Artifact{}, err
	}
	defer func() { _ = packed.Close() }() // the workspace is removed with what it left
	stored, err := w.runner.config.Push(ctx, w.lease.Task.Version, packed)
	if err != nil {
		return andon.Artifact{}, err
	}
	fmt.Fprintf(w.at.Log, "andon: artifact %s: %d files, %d bytes\n", stored.Digest, packed.Files, stored.Size)
	return stored, nil
}
