package runner_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
)

func TestJob_RunsItsStepsInOrderInOneCheckoutOfTheCommit(t *testing.T) {
	b := newBed(t, map[string]string{"greeting.txt": "hello\n", "sub/deep/file": "x"})
	result, log := b.run(b.job(
		"cat greeting.txt; git rev-parse HEAD; git status --porcelain",
		"echo made > made; pwd",
		"cat made sub/deep/file; test \"$PWD\" = \"$ANDON_WORKSPACE\"",
	))
	succeeded(t, result, log)
	for _, want := range []string{"##[step] cat greeting.txt; git rev-parse HEAD; git status --porcelain\nhello\n" + string(b.commit) + "\n##[step] ", "made\nx"} {
		if !strings.Contains(log, want) {
			t.Errorf("log misses %q:\n%s", want, log)
		}
	}
	if len(result.Steps) != 3 || result.Steps[2].Outcome != andon.Succeeded || result.Ended.Before(result.Started) {
		t.Errorf("result %+v", result)
	}
	_, again := b.run(b.job("test ! -e made && echo fresh"))
	if !strings.Contains(again, "fresh") {
		t.Errorf("the second job found the first one's files:\n%s", again)
	}
}

func TestJob_SeesTheListedVariablesAndNothingElseOfTheAgent(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	t.Setenv("ANDON_TOKEN", "hunter2")
	t.Setenv("GOPROXY", "https://proxy.example.com")
	b := newBed(t, nil)
	lease := b.job("env")
	lease.Task.Target = "test"
	lease.Task.Env = map[string]string{"ANDON_BRANCH": "main", "COLOUR": "green", "ANDON_TASK": "forged"}
	log := newLog()
	result := b.runner.Run(t.Context(), lease, runner.Surroundings{Log: log, RouteURL: "http://127.0.0.1:9", RouteHost: "shop.test.localhost"})
	succeeded(t, result, log.String())
	env := variables(log.String())

	allowed := append(runner.Passed(), "COLOUR", "PWD", "OLDPWD", "SHLVL", "_")
	for _, v := range runner.Variables() {
		if _, ok := env[v.Name]; !ok {
			t.Errorf("%s is not set", v.Name)
		}
		allowed = append(allowed, v.Name)
	}
	for name := range env {
		if !slices.Contains(allowed, name) {
			t.Errorf("%s=%s reached the step", name, env[name])
		}
	}
	for name, want := range map[string]string{
		"ANDON": "1", "CI": "true", "ANDON_SERVICE": "shop", "ANDON_VERSION": "7", "ANDON_COMMIT": string(b.commit),
		"ANDON_BRANCH": "main", "ANDON_STAGE": "commit", "ANDON_JOB": "build", "ANDON_ATTEMPT": "1",
		"ANDON_TASK": "shop.7.commit.build.1", "ANDON_ENVIRONMENT": "test", "ANDON_URL": "http://127.0.0.1:9",
		"ANDON_HOST": "shop.test.localhost", "COLOUR": "green", "GOPROXY": "https://proxy.example.com", "HOME": os.Getenv("HOME"),
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
}

func TestJob_KeepsTheCacheOfAServiceAndNothingElse(t *testing.T) {
	b := newBed(t, nil)
	_, log := b.run(b.job("echo kept > \"$ANDON_CACHE/file\"; echo gone > \"$TMPDIR/file\"; mkdir -p ro/x; touch ro/x/f; chmod 500 ro/x ro"))
	result, log2 := b.run(b.job("cat \"$ANDON_CACHE/file\"; test ! -e \"$TMPDIR/file\""))
	succeeded(t, result, log+log2)
}

func TestJob_EndsAtTheFirstFailingStep(t *testing.T) {
	b := newBed(t, nil)
	lease := b.job("true", "false; exit 3", "echo never")
	lease.Task.Steps[1] = andon.Step{Name: "unit tests", Run: "exit 3"}
	result, log := b.run(lease)
	if result.Outcome != andon.Failed || result.ExitCode != 3 || len(result.Steps) != 2 || strings.Contains(log, "never") {
		t.Fatalf("result %+v\n%s", result, log)
	}
	want := `step "unit tests" failed with exit status 3`
	if result.Reason != want || !strings.HasSuffix(log, "andon: "+want+"\n") {
		t.Errorf("reason %q, log:\n%s", result.Reason, log)
	}
	if result, _ := b.run(b.job("false\necho never")); result.Outcome != andon.Failed {
		t.Error("a command that fails in the middle of a step does not fail it")
	}
	if result, _ := b.run(b.job("no-such-command")); result.Reason != `step "no-such-command" failed with exit status 127: a command was not found on local` {
		t.Errorf("of a command that is not there, the reason is %q", result.Reason)
	}
	if result, _ := b.run(b.job("kill -KILL $$")); result.ExitCode != 137 {
		t.Errorf("a killed step has exit code %d, want 137", result.ExitCode)
	}
}

func TestJob_ReadsNothingFromTheTerminal(t *testing.T) {
	b := newBed(t, nil)
	result, log := b.run(b.job("if read line; then exit 1; fi"))
	succeeded(t, result, log)
}

func TestJob_BeginsEachStepOnALineOfItsOwn(t *testing.T) {
	b := newBed(t, nil)
	_, log := b.run(b.job("printf unfinished", "printf 'whole\\n'", "printf 'a\\0b\\0\\0c'"))
	want := "##[step] printf unfinished\nunfinished\n##[step] printf 'whole\\n'\nwhole\n##[step] printf 'a\\0b\\0\\0c'\na\nb\nc"
	if log != want {
		t.Errorf("log %q, want %q", log, want)
	}
}

func TestJob_TimesOutAndLeavesNoProcess(t *testing.T) {
	b := newBed(t, nil)
	for _, what := range []string{"step", "job"} {
		result := b.outOfTime("child", func(timeout time.Duration) andon.Lease {
			lease := b.job("echo child=$$; sleep 300")
			if what == "step" {
				lease.Task.Steps[0].Timeout = timeout
			} else {
				lease.Task.Timeout = timeout
			}
			return lease
		})
		if !strings.Contains(result.Reason, "ran longer than") || len(result.Steps) != 1 || result.Steps[0].Outcome != andon.TimedOut {
			t.Errorf("%s timeout: %+v", what, result)
		}
	}
}

func TestJob_IsCancelledWithItsChildren(t *testing.T) {
	b := newBed(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := newLog()
	done := make(chan andon.TaskResult, 1)
	go func() {
		done <- b.runner.Run(ctx, b.job("sleep 300 & echo child=$!; wait"), runner.Surroundings{Log: log})
	}()
	pid := after(t, log.await(t, "\nchild="), "child")
	cancel()
	result := <-done
	if result.Outcome != andon.Cancelled || len(result.Steps) != 1 {
		t.Errorf("result %+v", result)
	}
	if runs(pid) {
		t.Error("its child still runs")
	}
	b.leftNothing()
}

func TestJob_IsKilledWhenItIgnoresTheFirstSignal(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	b.outOfTime("child", func(timeout time.Duration) andon.Lease {
		lease := b.job("trap '' TERM; echo child=$$; while :; do sleep 1; done")
		lease.Task.Steps[0].Timeout = timeout
		return lease
	})
}

func TestJob_EndsWhatItsStepsLeaveBehind(t *testing.T) {
	b := newBed(t, nil)
	result, log := b.run(b.job(
		"sleep 300 & echo background=$!",
		"mkfifo begun; setsid sh -c 'echo escaped=$$; echo > begun; sleep 300; :' & read _ < begun",
		"kill -0 $(cat /dev/null) 2>/dev/null || true; echo done",
	))
	succeeded(t, result, log)
	for _, word := range []string{"background", "escaped"} {
		if runs(after(t, log, word)) {
			t.Errorf("the %s process outlived the job", word)
		}
	}
}

func TestJob_SurvivesAStepThatSignalsItsWholeGroup(t *testing.T) {
	b := newBed(t, nil)
	result, log := b.run(b.job("trap : TERM; kill 0; echo alive", "echo next"))
	succeeded(t, result, log)
	if result, _ := b.run(b.job("kill -KILL 0", "echo next")); result.Outcome != andon.Failed || result.ExitCode != 137 {
		t.Errorf("result %+v", result)
	}
}

func TestJob_KeepsEveryByteOfALongOutput(t *testing.T) {
	b := newBed(t, nil)
	const lines = 300_000
	sum := sha256.New()
	for i := 1; i <= lines; i++ {
		fmt.Fprintf(sum, "%d is a line of a log that nobody reads until it matters\n", i)
	}
	want := fmt.Sprintf("%x", sum.Sum(nil))
	got := sha256.New()
	skip := &afterFirstLine{to: got}
	result := b.runner.Run(t.Context(), b.job(fmt.Sprintf("seq -f '%%.0f is a line of a log that nobody reads until it matters' 1 %d", lines)), runner.Surroundings{Log: skip})
	succeeded(t, result, "")
	if fmt.Sprintf("%x", got.Sum(nil)) != want {
		t.Error("the log is not what the step wrote")
	}
}

// afterFirstLine drops the first line, which is Andon's own.
type afterFirstLine struct {
	to   io.Writer
	past bool
}

func (a *afterFirstLine) Write(p []byte) (int, error) {
	rest := p
	if !a.past {
		_, after, ok := strings.Cut(string(p), "\n")
		if !ok {
			return len(p), nil
		}
		a.past, rest = true, []byte(after)
	}
	_, err := a.to.Write(rest)
	return len(p), err
}

func TestJob_GoesOnWhenItsLogCannotBeKept(t *testing.T) {
	b := newBed(t, nil)
	result := b.runner.Run(t.Context(), b.job("seq 1 200000", "true"), runner.Surroundings{Log: brokenLog{}})
	succeeded(t, result, "")
}

type brokenLog struct{}

func (brokenLog) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestJob_PacksTheArtifactThatItBuilds(t *testing.T) {
	b := newBed(t, map[string]string{"main.sh": "#!/bin/sh\n"})
	lease := b.job("mkdir out; cp main.sh out/; chmod +x out/main.sh")
	lease.Task.Artifact = &andon.ArtifactSource{Path: "out", Job: "build"}
	first, log := b.run(lease)
	succeeded(t, first, log)
	second, _ := b.run(lease)
	if first.Artifact == nil || !first.Artifact.Digest.Valid() || first.Artifact.Size == 0 || *first.Artifact != *second.Artifact {
		t.Errorf("artifacts %+v and %+v", first.Artifact, second.Artifact)
	}
	if !strings.Contains(log, string(first.Artifact.Digest)) {
		t.Errorf("the log does not name the artifact:\n%s", log)
	}

	lease.Task.Steps[0].Run = "true"
	missing, _ := b.run(lease)
	if missing.Outcome != andon.Failed || !strings.Contains(missing.Reason, "out does not exist") || !strings.Contains(missing.Reason, "build") {
		t.Errorf("result %+v", missing)
	}
	lease.Task.Steps[0].Run = "ln -s /etc out"
	if outside, _ := b.run(lease); outside.Outcome != andon.Failed || !strings.Contains(outside.Reason, "leaves the checkout") {
		t.Errorf("result %+v", outside)
	}
}

func TestJob_IsLostWhenItsRepositoryDoesNotAnswer(t *testing.T) {
	b := newBed(t, nil)
	b.runner = b.open(func(context.Context, andon.ServiceName, andon.CommitID) (string, error) {
		return "", andon.Errorf(andon.KindUnreachable, "the repository does not answer").WithHint("wait")
	})
	result, log := b.run(b.job("true"))
	if result.Outcome != andon.Lost || result.Reason != "the repository does not answer (wait)" || !strings.Contains(log, result.Reason) {
		t.Errorf("result %+v", result)
	}
}

func TestJob_FailsWhenItsCommitIsGone(t *testing.T) {
	b := newBed(t, nil)
	b.commit = "0123456789012345678901234567890123456789"
	result, _ := b.run(b.job("true"))
	if result.Outcome != andon.Failed || !strings.Contains(result.Reason, "there is no commit 0123456789") {
		t.Errorf("result %+v", result)
	}
}

func TestJob_RunsBesideOthers(t *testing.T) {
	b := newBed(t, nil)
	done := make(chan andon.TaskResult, 4)
	for i := range 4 {
		lease := b.job(fmt.Sprintf("echo %d > mine; sleep 0.1; test $(cat mine) = %d", i, i))
		lease.Token = andon.Token(i + 1)
		go func() { done <- b.runner.Run(t.Context(), lease, runner.Surroundings{Log: newLog()}) }()
	}
	for range 4 {
		succeeded(t, <-done, "")
	}
	b.leftNothing()
}

func TestOpen_SaysWhenItsDirectoryCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := runner.Open(runner.Config{Dir: file}); err == nil {
		t.Error("a runner opened in a file")
	}
}
