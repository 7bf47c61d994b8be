package planttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The exit codes of the contract for scripts.
const (
	Done = iota
	Failed
	Misused
	Refused
	Unreachable
	TimedOut
)

const (
	// CommandTimeout bounds one command of the scenarios.
	CommandTimeout = 5 * time.Minute
	// Patience bounds what comes about by itself, on a machine that others keep busy and that stands
	// still at times: it is no measure of how fast anything is.
	Patience = 4 * time.Minute
)

// A Result is how a command ended.
type Result struct {
	Code     int
	Out, Err string
}

func (r Result) String() string {
	return fmt.Sprintf("exit code %d\nstdout: %s\nstderr: %s", r.Code, r.Out, r.Err)
}

// Execute runs a command in a directory, with that environment alone.
func Execute(t testing.TB, dir string, environment []string, name string, args ...string) Result {
	return ExecuteWithin(t, CommandTimeout, dir, environment, name, args...)
}

// ExecuteWithin is Execute of a command that may take longer, or less long.
func ExecuteWithin(t testing.TB, limit time.Duration, dir string, environment []string, name string, args ...string) Result {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, environment
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	r := Result{Out: out.String(), Err: errs.String()}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		r.Code = exit.ExitCode()
	} else if err != nil {
		t.Errorf("%s %s: %v", name, strings.Join(args, " "), err)
		r.Code = -1
	}
	if strings.Contains(r.Err, "WARNING: DATA RACE") {
		t.Errorf("%s %s: %s", name, strings.Join(args, " "), r.Err)
	}
	return r
}

// EnvironmentIn returns the environment of a user who lives in a directory and has nothing else. A race
// ends a program at once, so none waits for another thread's report at its end.
func EnvironmentIn(home string) []string {
	environment := []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + home + "/.config", "XDG_DATA_HOME=" + home + "/.local/share",
		"XDG_STATE_HOME=" + home + "/.local/state", "XDG_CACHE_HOME=" + home + "/.cache",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
		"LANG=C.UTF-8", "NO_COLOR=1", "GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0",
	}
	for _, name := range []string{"PATH", "USER", "GOFLAGS", "GOPROXY", "GOSUMDB", "GOROOT", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			environment = append(environment, name+"="+value)
		}
	}
	return environment
}

// Wants fails the test unless the command ended with that code.
func (r Result) Wants(t testing.TB, code int, what string) Result {
	t.Helper()
	if r.Code != code {
		t.Fatalf("%s: want exit code %d, got %s", what, code, r)
	}
	return r
}

// Says fails the test unless what the command said contains each text.
func (r Result) Says(t testing.TB, texts ...string) Result {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.Out+r.Err, text) {
			t.Fatalf("want %q in the answer, got %s", text, r)
		}
	}
	return r
}

// Failure returns the error that a command with --json ends with.
func (r Result) Failure(t testing.TB) (kind, message string) {
	t.Helper()
	var answer struct {
		Error struct{ Kind, Message string }
	}
	if err := json.Unmarshal([]byte(r.Err), &answer); err != nil || answer.Error.Kind == "" {
		t.Fatalf("want an error as JSON on stderr, got %s", r)
	}
	return answer.Error.Kind, answer.Error.Message
}

// Until asks again and again, at most for so long, until the answer is no error.
func Until(t testing.TB, limit time.Duration, what string, ask func() error) {
	t.Helper()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	ticker := time.NewTicker(25 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout.C:
			t.Fatalf("%s, not after %s: %v", what, limit, err)
		}
	}
}
