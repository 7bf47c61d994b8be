package runner

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
	"github.com/andon-cd/andon/internal/vcs"
)

// A LocalRun is the commit stage of a working tree, without a plant.
type LocalRun struct {
	Tree     string // the top of a git working tree
	Pipeline *andon.Pipeline
	Commit   andon.CommitID // what the working tree is based on
	Branch   string
	Output   io.Writer // gets whole lines, each with the job's name before it
}

// A LocalResult is what became of it.
type LocalResult struct {
	Jobs     []LocalJob
	Artifact *andon.Artifact
}

// A LocalJob is the result of one job.
type LocalJob struct {
	Name   andon.JobName
	Result andon.TaskResult
}

// Succeeded reports whether every job did.
func (r LocalResult) Succeeded() bool {
	return !slices.ContainsFunc(r.Jobs, func(j LocalJob) bool { return j.Result.Outcome != andon.Succeeded })
}

// Local runs the jobs of a commit stage one after the other, each in a fresh copy of the working
// tree: the files that git knows, and those that it does not know and does not ignore. A job
// whose needs failed is cancelled. Everything that it makes is removed, the cache excepted.
func Local(ctx context.Context, run LocalRun) (LocalResult, error) {
	dir, err := os.MkdirTemp("", "andon-run-*")
	if err != nil {
		return LocalResult{}, fmt.Errorf("making a directory for the run: %w", err)
	}
	defer func() { _ = removeTree(dir) }()
	l := &local{LocalRun: run, dir: dir, outcomes: map[andon.JobName]andon.Outcome{}}
	var result LocalResult
	for _, job := range inOrder(run.Pipeline.Commit.Jobs) {
		ran := l.job(ctx, job)
		l.outcomes[job.Name] = ran.Outcome
		result.Jobs = append(result.Jobs, LocalJob{job.Name, ran})
		if ran.Artifact != nil {
			result.Artifact = ran.Artifact
		}
	}
	return result, ctx.Err()
}

// inOrder sorts jobs so that each comes after those that it needs, else as written. The parser
// has refused cycles.
func inOrder(jobs []andon.Job) []andon.Job {
	var sorted []andon.Job
	done := map[andon.JobName]bool{}
	for range jobs {
		for _, job := range jobs {
			ready := !slices.ContainsFunc(job.Needs, func(n andon.JobName) bool { return !done[n] })
			if !done[job.Name] && ready {
				done[job.Name] = true
				sorted = append(sorted, job)
			}
		}
	}
	return sorted
}

type local struct {
	LocalRun
	dir      string
	outcomes map[andon.JobName]andon.Outcome
}

func (l *local) job(ctx context.Context, job andon.Job) andon.TaskResult {
	log := &prefixer{to: l.Output, prefix: string(job.Name) + " | "}
	defer log.flush()
	for _, need := range job.Needs {
		if l.outcomes[need] != andon.Succeeded {
			return andon.TaskResult{Outcome: andon.Cancelled, Reason: fmt.Sprintf("job %s, which it needs, did not succeed", need)}
		}
	}
	lease := andon.Lease{Attempt: 1, Token: andon.Token(len(l.outcomes) + 1), Task: andon.Task{
		ID: andon.TaskID(fmt.Sprintf("%s.local-%d.commit.%s", l.Pipeline.Service, os.Getpid(), job.Name)), Kind: andon.TaskJob,
		Version: andon.VersionRef{Service: l.Pipeline.Service}, Commit: l.Commit, Stage: andon.CommitStageName, Job: job.Name,
		Timeout: job.Timeout, Steps: job.Steps, JUnit: job.JUnit, Env: map[string]string{"ANDON_BRANCH": l.Branch},
	}}
	for k, v := range job.Env {
		lease.Task.Env[k] = v
	}
	if a := l.Pipeline.Commit.Artifact; a != nil && a.Job == job.Name {
		lease.Task.Artifact = a
	}
	return l.run(ctx, lease, log)
}

// run runs a lease as the agent would, but in a copy of the working tree, and keeps no artifact.
func (l *local) run(ctx context.Context, lease andon.Lease, log io.Writer) andon.TaskResult {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = l.dir
	}
	r, err := Open(Config{Dir: filepath.Join(l.dir, "runner"), Push: keepNothing})
	if err != nil {
		return failure(ctx, err)
	}
	defer r.Close()
	timeout := lease.Task.Timeout
	if timeout <= 0 {
		timeout = andon.DefaultJobTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, timeoutError(timeout))
	defer cancel()
	started := time.Now().UTC()
	w, err := r.open(lease, Surroundings{Log: log})
	if err != nil {
		return failure(ctx, err)
	}
	defer w.close()
	w.cache = filepath.Join(cache, "andon", string(l.Pipeline.Service))
	if err := os.MkdirAll(w.cache, 0o700); err != nil {
		return failure(ctx, err)
	}
	if _, err := vcs.CopyWorkingTree(ctx, l.Tree, w.workspace); err != nil {
		return failure(ctx, err)
	}
	result := w.finish(ctx, w.steps(ctx, lease.Task.Steps))
	result.Started, result.Ended = started, time.Now().UTC()
	return result
}

func keepNothing(_ context.Context, _ andon.VersionRef, packed *artifact.Packed) (andon.Artifact, error) {
	return andon.Artifact{Digest: packed.Digest, Size: packed.Size}, nil
}

// A prefixer writes whole lines with a prefix.
type prefixer struct {
	mu     sync.Mutex
	to     io.Writer
	prefix string
	rest   []byte
}

// maxLine is the longest line that is kept together.
const maxLine = 64 << 10

func (p *prefixer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, b...)
	rest := p.rest
	for {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 && len(rest) < maxLine {
			p.rest = append(p.rest[:0], rest...)
			return len(b), nil
		}
		next := end + 1
		if end < 0 {
			end, next = maxLine, maxLine
		}
		if err := p.line(rest[:end]); err != nil {
			return 0, err
		}
		rest = rest[next:]
	}
}

func (p *prefixer) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.rest) > 0 {
		_ = p.line(p.rest)
		p.rest = nil
	}
}

func (p *prefixer) line(text []byte) error {
	_, err := fmt.Fprintf(p.to, "%s%s\n", p.prefix, text)
	return err
}
