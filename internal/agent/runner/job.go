package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
)

// lastOutput is how long output is still read after all processes of a task are dead: a process
// that cannot be found may hold the pipe open.
const lastOutput = time.Second

// job runs the steps of a job in a fresh checkout.
func (w *work) job(ctx context.Context) andon.TaskResult {
	if err := w.checkout(ctx); err != nil {
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

// steps runs the steps one after the other until one fails.
func (w *work) steps(ctx context.Context, steps []andon.Step) andon.TaskResult {
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

// step runs one step. In the log, a line "##[step] NAME" begins it.
func (w *work) step(ctx context.Context, step andon.Step, env []string, out *output) stepRun {
	name := stepName(step)
	ran := stepRun{StepResult: andon.StepResult{Name: name, Outcome: andon.Succeeded, Started: time.Now().UTC()}}
	limited := ctx
	if step.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(ctx, step.Timeout, errTimeout)
		defer cancel()
	}
	fmt.Fprintf(out.write, "##[step] %s\n", name)
	exit, err := w.group.run(limited, w.workspace, env, []string{"/bin/sh", "-e", "-c", step.Run}, out.write)
	ran.Ended = time.Now().UTC()
	switch {
	case err != nil && limited.Err() != nil:
		stopped := interrupted(limited)
		ran.Outcome, ran.reason = stopped.Outcome, fmt.Sprintf("step %q: %s", name, stopped.Reason)
	case err != nil:
		ran.Outcome, ran.reason = andon.Failed, fmt.Sprintf("step %q could not be started: %v", name, err)
	case exit != 0:
		ran.Outcome, ran.ExitCode, ran.reason = andon.Failed, exit, fmt.Sprintf("step %q failed with exit status %d", name, exit)
	}
	return ran
}

// stepName returns what people call the step: its name, or the first line of what it runs.
func stepName(step andon.Step) string {
	if step.Name != "" {
		return step.Name
	}
	first, _, _ := strings.Cut(strings.TrimSpace(step.Run), "\n")
	return first
}

// store packs the artifact and pushes it to the registry.
func (w *work) store(ctx context.Context) (andon.Artifact, error) {
	packed, err := artifact.Pack(ctx, w.workspace, w.lease.Task.Artifact.Path, w.temporary)
	if err != nil {
		return andon.Artifact{}, err
	}
	defer packed.Close()
	stored, err := w.runner.config.Push(ctx, w.lease.Task.Version, packed)
	if err != nil {
		return andon.Artifact{}, err
	}
	fmt.Fprintf(w.at.Log, "andon: artifact %s: %d files, %d bytes\n", stored.Digest, packed.Files, stored.Size)
	return stored, nil
}

// An output carries what the processes of a task write, in order, to its log.
type output struct {
	write *os.File
	read  *os.File
	done  chan struct{}
}

// outputBuffer is how much is read at once; the log's writer gets pieces of at most that size.
const outputBuffer = 64 << 10

func startOutput(log io.Writer) (*output, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe for the output: %w", err)
	}
	o := &output{write: write, read: read, done: make(chan struct{})}
	go func() {
		defer close(o.done)
		buffer := make([]byte, outputBuffer)
		for {
			n, err := read.Read(buffer)
			if n > 0 {
				if _, writeErr := log.Write(buffer[:n]); writeErr != nil {
					// The log cannot be kept: the processes must not block on it.
					_, _ = io.Copy(io.Discard, read)
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return o, nil
}

// close returns when everything that was written has reached the log.
func (o *output) close() {
	o.write.Close()
	if err := o.read.SetReadDeadline(time.Now().Add(lastOutput)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		o.read.Close()
	}
	<-o.done
	o.read.Close()
}
