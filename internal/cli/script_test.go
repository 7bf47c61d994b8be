package cli

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"andon": func() { os.Exit(Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts plays testdata/script: what people type, and what they get.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			// With the race detector, each process would rest for a second when it ends.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			for _, v := range []string{"GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"} {
				env.Setenv(v, "Test")
			}
			for _, v := range []string{"GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"} {
				env.Setenv(v, "test@example.com")
			}
			onlyAndon, _, _ := strings.Cut(env.Getenv("PATH"), string(os.PathListSeparator))
			env.Setenv("ONLY_ANDON", onlyAndon)
			return os.MkdirAll(filepath.Join(env.WorkDir, "home"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"until": until,
			"plant": startPlant,
		},
	})
}

// exits runs a command that must end with an exit code: exits 3 andon deploy …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: exits CODE command …")
	}
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// patience bounds how long a script waits for what comes about by itself.
const patience = 2 * time.Minute

// until runs a command until it ends well and prints what a text is in: until TEXT command …
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until TEXT command …")
	}
	for began := time.Now(); ; {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Since(began) > patience {
			ts.Fatalf("%s does not print %q: %v", strings.Join(args[1:], " "), args[0], err)
		}
	}
}

// startPlant starts a plant in a data directory and sets $URL and $PROXY: plant DIR. Everything
// of it is stopped when the script ends.
func startPlant(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: plant DIR")
	}
	dir := ts.MkAbs(args[0])
	andon, err := exec.LookPath("andon")
	ts.Check(err)
	environment := append(os.Environ(), "HOME="+ts.Getenv("HOME"), "GORACE="+ts.Getenv("GORACE"))
	cmd := exec.Command(andon, "server", "--data", dir, "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0")
	cmd.Env = environment
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		down := exec.CommandContext(ctx, andon, "down", "--data", dir, "--grace", "1s")
		down.Env = environment
		if text, err := down.CombinedOutput(); err != nil {
			ts.Logf("andon down: %v: %s", err, text)
		}
	})
	ready, err := bufio.NewReader(out).ReadString('\n')
	ts.Check(err)
	words := strings.Fields(ready)
	if len(words) != 4 || words[0] != "ready" || words[2] != "proxy" {
		ts.Fatalf("the first line is %q", ready)
	}
	ts.Setenv("URL", words[1])
	ts.Setenv("PROXY", words[3])
}
