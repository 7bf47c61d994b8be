package runner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
)

// patience is how long a test waits for what must happen, also on a machine that is busy.
const patience = 2 * time.Minute

// A bed is a runner with a repository to run jobs from.
type bed struct {
	t      testing.TB
	dir    string
	repo   string // bare
	commit andon.CommitID
	runner *runner.Runner
	pushed []andon.Digest
}

// newBed commits the files and opens a runner for them.
func newBed(t testing.TB, files map[string]string) *bed {
	t.Helper()
	b := &bed{t: t, dir: t.TempDir()}
	b.repo, b.commit = commitFiles(t, files)
	b.runner = b.open(func(context.Context, andon.ServiceName, andon.CommitID) (string, error) { return b.repo, nil })
	t.Cleanup(b.runner.Close)
	return b
}

func (b *bed) open(source func(context.Context, andon.ServiceName, andon.CommitID) (string, error)) *runner.Runner {
	b.t.Helper()
	r, err := runner.Open(runner.Config{
		Dir: b.dir, Source: source,
		Push: func(_ context.Context, _ andon.VersionRef, p *artifact.Packed) (andon.Artifact, error) {
			b.pushed = append(b.pushed, p.Digest)
			return andon.Artifact{Digest: p.Digest, Size: p.Size}, nil
		},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// commitFiles makes a bare repository with one commit of the files.
func commitFiles(t testing.TB, files map[string]string) (repo string, commit andon.CommitID) {
	t.Helper()
	tree := t.TempDir()
	writeFiles(t, tree, files)
	git(t, tree, "init", "-q", "-b", "main")
	git(t, tree, "add", "-A")
	git(t, tree, "commit", "-q", "--allow-empty", "-m", "first")
	repo = filepath.Join(t.TempDir(), "shop.git")
	git(t, tree, "clone", "-q", "--bare", ".", repo)
	return repo, andon.CommitID(git(t, repo, "rev-parse", "HEAD"))
}

func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// job returns a lease of a job with one step for each script.
func (b *bed) job(scripts ...string) andon.Lease {
	task := andon.Task{
		ID: "shop.7.commit.build.1", Kind: andon.TaskJob, Stage: andon.CommitStageName, Job: "build",
		Version: andon.VersionRef{Service: "shop", Number: 7}, Commit: b.commit, Timeout: 2 * patience,
	}
	for _, script := range scripts {
		task.Steps = append(task.Steps, andon.Step{Run: script})
	}
	return andon.Lease{Task: task, Agent: "local", Attempt: 1, Token: 1}
}

// run runs a lease to its end.
func (b *bed) run(lease andon.Lease) (andon.TaskResult, string) {
	b.t.Helper()
	log := newLog()
	result := b.runner.Run(b.t.Context(), lease, runner.Surroundings{Log: log})
	b.leftNothing()
	return result, log.String()
}

// leftNothing fails the test when a record or workspace is still there.
func (b *bed) leftNothing() {
	b.t.Helper()
	b.runner.Close()
	for _, dir := range []string{"running", "workspaces"} {
		entries, err := os.ReadDir(filepath.Join(b.dir, dir))
		if err != nil || len(entries) > 0 {
			b.t.Errorf("%s holds %v after the task (%v)", dir, entries, err)
		}
	}
}

// outOfTime runs a job that is to be out of time once its shell has written a word with a number,
// with as much time as the shell needs for that on this machine. The number is that of a process, which
// must not run any more then.
func (b *bed) outOfTime(word string, job func(timeout time.Duration) andon.Lease) andon.TaskResult {
	b.t.Helper()
	for timeout := 200 * time.Millisecond; ; timeout *= 4 {
		result, log := b.run(job(timeout))
		if result.Outcome != andon.TimedOut {
			b.t.Fatalf("within %v, it ends with %+v\n%s", timeout, result, log)
		}
		if strings.Contains(log, "\n"+word+"=") || timeout > patience {
			if pid := after(b.t, log, word); runs(pid) {
				b.t.Errorf("process %d still runs: %+v", pid, result)
			}
			return result
		}
	}
}

func succeeded(t testing.TB, result andon.TaskResult, log string) {
	t.Helper()
	if result.Outcome != andon.Succeeded {
		t.Fatalf("outcome %s: %s\n%s", result.Outcome, result.Reason, log)
	}
}

// A log keeps what a task writes, and lets a test wait for a text in it.
type log struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

func newLog() *log { return &log{changed: make(chan struct{}, 1)} }

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	select {
	case l.changed <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// await returns the log once it has a text.
func (l *log) await(t testing.TB, text string) string {
	t.Helper()
	timeout := time.After(patience)
	for {
		if s := l.String(); strings.Contains(s, text) {
			return s
		}
		select {
		case <-l.changed:
		case <-timeout:
			t.Fatalf("%q never came in:\n%s", text, l.String())
		}
	}
}

// after returns the number that follows a word in a log.
func after(t testing.TB, log, word string) int {
	t.Helper()
	_, rest, ok := strings.Cut(log, "\n"+word+"=")
	number, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if !ok || err != nil {
		t.Fatalf("no number after %s= in:\n%s", word, log)
	}
	return n
}

// runs reports whether a process exists and is not dead.
func runs(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// endsSoon waits until a process is gone.
func endsSoon(t testing.TB, pid int) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); runs(pid); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("process %d still runs", pid)
		}
	}
}

// variables reads NAME=VALUE lines.
func variables(text string) map[string]string {
	env := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			env[name] = value
		}
	}
	return env
}

func kill(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }
