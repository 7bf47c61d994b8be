package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
	"github.com/andon-cd/andon/internal/vcs"
)

// Config is what a runner needs.
type Config struct {
	Dir string // of records, workspaces and caches; one runner at a time uses it
	// Source returns the directory of a bare repository on this host that has the commit.
	Source func(ctx context.Context, service andon.ServiceName, commit andon.CommitID) (bareDir string, err error)
	// Push stores an artifact in the plant's registry.
	Push func(ctx context.Context, version andon.VersionRef, packed *artifact.Packed) (andon.Artifact, error)
	// Log gets what nobody else hears of; nil: it is dropped.
	Log *slog.Logger
}

// Surroundings is where a task finds what it tests, and where its output goes.
type Surroundings struct {
	CopyURL   string // of the copy under test, in a smoke test
	RouteURL  string // of the service in the environment that the stage deployed to
	RouteHost string
	Log       io.Writer // called from one goroutine at a time; may block, which holds the task up
}

// A Runner runs tasks in a directory of its own. Its methods may be called at the same time.
type Runner struct {
	config   Config
	removing sync.WaitGroup // of what tasks left that have ended
	removals chan struct{}  // bounds how many are removed at once
}

// mostRemovals is how many workspaces are removed at once. When more tasks end than can be removed
// after, they wait, so that the disk holds only so many dead workspaces.
const mostRemovals = 2

// Open prepares the directory. Recover must be called before the first Run, and Close after the last.
func Open(config Config) (*Runner, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	r := &Runner{config: config, removals: make(chan struct{}, mostRemovals)}
	for _, dir := range []string{config.Dir, r.records(), r.workspaces(), r.caches()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making the runner's directory: %w", err)
		}
		if dir == config.Dir || dir == r.workspaces() {
			spread(dir)
		}
	}
	return r, nil
}

// Close returns when the workspaces and records of the tasks that were run are removed. It ends no
// task.
func (r *Runner) Close() { r.removing.Wait() }

func (r *Runner) records() string    { return filepath.Join(r.config.Dir, "running") }
func (r *Runner) workspaces() string { return filepath.Join(r.config.Dir, "workspaces") }
func (r *Runner) caches() string     { return filepath.Join(r.config.Dir, "cache") }

// Run runs a task and returns when it has ended and nothing of it runs any more; its workspace and
// record may still be on their way out, so that the result need not wait for that. When ctx ends, the task is killed and the result is andon.Cancelled. A task that could not begin or keep its
// artifact for a reason outside of the commit that may pass (the repository or the registry does
// not answer, the agent's disk is full) ends as andon.Lost, so that the line tries it again, as
// often as it allows; everything else that is wrong is andon.Failed with a sentence.
func (r *Runner) Run(ctx context.Context, lease andon.Lease, at Surroundings) andon.TaskResult {
	started := time.Now().UTC()
	result := r.run(ctx, lease, at)
	result.Started, result.Ended = started, time.Now().UTC()
	if result.Outcome != andon.Succeeded && result.Reason != "" {
		fmt.Fprintf(at.Log, "andon: %s\n", result.Reason)
	}
	return result
}

func (r *Runner) run(ctx context.Context, lease andon.Lease, at Surroundings) andon.TaskResult {
	if err := known(lease.Task); err != nil {
		return failure(ctx, err)
	}
	timeout := lease.Task.Timeout
	if timeout <= 0 {
		timeout = andon.DefaultJobTimeout
	}
	limited, cancel := context.WithTimeoutCause(ctx, timeout, timeoutError(timeout))
	defer cancel()
	w, err := r.open(lease, at)
	if err != nil {
		return failure(limited, err)
	}
	defer w.close()
	if lease.Task.Kind == andon.TaskSmoke {
		return w.smoke(limited)
	}
	return w.job(limited)
}

// A timeoutError is why a context ended that had this long.
type timeoutError time.Duration

func (t timeoutError) Error() string {
	return fmt.Sprintf("it ran longer than %s and was killed", andon.Brief(time.Duration(t)))
}

// failure is the result of a task that could not do its work for a reason outside of its steps.
func failure(ctx context.Context, err error) andon.TaskResult {
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	e, ok := errors.AsType[*andon.Error](err)
	if !ok {
		switch {
		case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
			return andon.TaskResult{Outcome: andon.Lost, Reason: "the disk of the agent is full (make room on its host)"}
		case exhausted(err):
			return andon.TaskResult{Outcome: andon.Lost, Reason: fmt.Sprintf("the host of the agent has no room for another process (%v)", err)}
		}
		return andon.TaskResult{Outcome: andon.Failed, Reason: fmt.Sprintf("the agent could not run it: %v", err)}
	}
	reason := e.Message
	if e.Hint != "" {
		reason += " (" + e.Hint + ")"
	}
	if e.Kind == andon.KindUnreachable || e.Kind == andon.KindTimeout || e.Kind == andon.KindUnavailable {
		return andon.TaskResult{Outcome: andon.Lost, Reason: reason}
	}
	return andon.TaskResult{Outcome: andon.Failed, Reason: reason}
}

// exhausted reports whether the host had no processes, files or memory left for us.
func exhausted(err error) bool {
	return slices.ContainsFunc([]error{syscall.EAGAIN, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}, func(no error) bool { return errors.Is(err, no) })
}

// interrupted is the result of a task whose context ended.
func interrupted(ctx context.Context) andon.TaskResult {
	if t, ok := errors.AsType[timeoutError](context.Cause(ctx)); ok {
		return andon.TaskResult{Outcome: andon.TimedOut, Reason: t.Error()}
	}
	return andon.TaskResult{Outcome: andon.Cancelled, Reason: "it was cancelled and killed"}
}

// A work is one task that is being run.
type work struct {
	runner    *Runner
	lease     andon.Lease
	at        Surroundings
	workspace string
	temporary string
	cache     string
	group     *group // of the steps that run, or ran last; nil: none did
}

// open makes the task's directories.
func (r *Runner) open(lease andon.Lease, at Surroundings) (*work, error) {
	top := filepath.Join(r.workspaces(), fmt.Sprintf("%d", lease.Token))
	w := &work{
		runner: r, lease: lease, at: at,
		workspace: filepath.Join(top, "checkout"), temporary: filepath.Join(top, "tmp"),
		cache: filepath.Join(r.caches(), string(lease.Task.Version.Service)),
	}
	if err := removeTree(top); err != nil {
		return nil, fmt.Errorf("clearing the workspace: %w", err)
	}
	for _, dir := range []string{w.workspace, w.temporary, w.cache} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making the workspace: %w", err)
		}
	}
	now := time.Now()
	if err := os.Chtimes(w.cache, now, now); err != nil { // what Recover goes by
		return nil, fmt.Errorf("making the workspace: %w", err)
	}
	return w, nil
}

// begin gives the steps that follow a process group, and writes the record of it to disk before
// any of them can run.
func (w *work) begin() error {
	group, err := startGroup(w.workspace)
	if err != nil {
		return err
	}
	w.group = group
	if err := w.runner.record(w.lease, group); err != nil {
		group.end()
		return err
	}
	return nil
}

// close kills what is left of the task. Its workspace and its record are removed meanwhile, which
// takes the disk a while; where a crash comes first, Recover does it, and finds nothing to kill.
func (w *work) close() {
	if w.group != nil {
		w.group.end()
	}
	r := w.runner
	r.removals <- struct{}{}
	r.removing.Go(func() {
		defer func() { <-r.removals }()
		if err := removeTree(filepath.Dir(w.workspace)); err != nil {
			r.config.Log.Warn("a workspace could not be removed", "task", w.lease.Task.ID, "err", err)
		}
		if err := r.forget(w.lease.Token); err != nil {
			r.config.Log.Warn("the record of a task could not be removed", "task", w.lease.Task.ID, "err", err)
		}
	})
}

// checkout puts the commit's files into the workspace.
func (w *work) checkout(ctx context.Context) error {
	dir, err := w.runner.config.Source(ctx, w.lease.Task.Version.Service, w.lease.Task.Commit)
	if err != nil {
		return err
	}
	// git is outside of the group, and may outlive this process: so it is found as a stray is.
	repo := vcs.Repo{Dir: dir, Env: []string{stray + "=" + w.workspace}}
	return repo.Checkout(ctx, w.lease.Task.Commit, w.workspace)
}

func (w *work) environment() []string {
	return stepEnvironment(w.lease, w.at, w.workspace, w.cache, w.temporary)
}
