package runner_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
)

// agentVariable turns this test binary into an agent that runs one lease: its value is what to run.
const agentVariable = "ANDON_TEST_AGENT"

type agentOrder struct {
	Dir, Repo string
	Lease     andon.Lease
}

func TestMain(m *testing.M) {
	if order, ok := os.LookupEnv(agentVariable); ok {
		beAgent(order)
		return
	}
	os.Exit(m.Run())
}

// beAgent runs a lease as an agent does, with its log on standard output.
func beAgent(encoded string) {
	var order agentOrder
	if err := json.Unmarshal([]byte(encoded), &order); err != nil {
		panic(err)
	}
	r, err := runner.Open(runner.Config{
		Dir:    order.Dir,
		Source: func(context.Context, andon.ServiceName, andon.CommitID) (string, error) { return order.Repo, nil },
	})
	if err != nil {
		panic(err)
	}
	r.Run(context.Background(), order.Lease, runner.Surroundings{Log: os.Stdout})
}

// startAgent starts an agent in a process of its own and returns its log.
func (b *bed) startAgent(lease andon.Lease) (*exec.Cmd, *bufio.Reader) {
	b.t.Helper()
	order, err := json.Marshal(agentOrder{b.dir, b.repo, lease})
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), agentVariable+"="+string(order))
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, bufio.NewReader(out)
}

func readUntil(t *testing.T, log *bufio.Reader, text string) string {
	t.Helper()
	var all strings.Builder
	for !strings.Contains(all.String(), text) {
		line, err := log.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			t.Fatalf("%q never came in %q: %v", text, all.String(), err)
		}
	}
	return all.String()
}

func TestKilledAgent_TakesItsStepsWithItAndTheNextOneFindsTheLease(t *testing.T) {
	b := newBed(t, nil)
	lease := b.job("sleep 300 & echo background=$!; mkfifo begun; setsid sh -c 'echo escaped=$$; echo > begun; sleep 300; :' & read _ < begun; echo; echo step=$$; sleep 300; :")
	lease.Token = 42
	agent, out := b.startAgent(lease)
	log := readUntil(t, out, "\nstep=")
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = agent.Wait()

	// The group ends by itself, with no agent to do it.
	endsSoon(t, after(t, log, "step"))
	endsSoon(t, after(t, log, "background"))
	escaped := after(t, log, "escaped")
	if !runs(escaped) {
		t.Fatal("the process that left the group ended with it: the test shows nothing")
	}

	left, err := b.runner.Recover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 || left[0].Token != 42 || left[0].Task.ID != lease.Task.ID {
		t.Errorf("recovered %+v", left)
	}
	if runs(escaped) {
		t.Error("the process that left the group outlived the recovery")
	}
	b.leftNothing()
	if left, err := b.runner.Recover(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("a second recovery found %v (%v)", left, err)
	}
}

func TestRecover_EndsACheckoutThatGoesOnWithoutItsAgent(t *testing.T) {
	b := newBed(t, map[string]string{"file": "x"})
	bin := t.TempDir()
	begun := filepath.Join(bin, "begun")
	if err := syscall.Mkfifo(begun, 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	slow := fmt.Sprintf("#!/bin/sh\ncase \"$1\" in read-tree) echo $$ > '%s'; exec sleep 300;; esac\nexec '%s' \"$@\"\n", begun, program)
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(slow), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))

	agent, _ := b.startAgent(b.job("true"))
	text, err := os.ReadFile(begun)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(pid) })
	b.awaitRecord("1.json")
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = agent.Wait()
	if !runs(pid) {
		t.Fatal("git ended with the agent: the test shows nothing")
	}
	if left, err := b.runner.Recover(t.Context()); err != nil || len(left) != 1 {
		t.Errorf("recovered %v (%v)", left, err)
	}
	if runs(pid) {
		t.Error("git still writes into a workspace that was removed")
	}
	b.leftNothing()
}

// awaitRecord waits until a record is on disk.
func (b *bed) awaitRecord(name string) {
	b.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		if _, err := os.Stat(filepath.Join(b.dir, "running", name)); err == nil {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("there is no record %s", name)
		}
	}
}

func TestRecover_TouchesNoProcessThatGotTheNumberLater(t *testing.T) {
	b := newBed(t, nil)
	other := exec.Command("sleep", "300")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	record := fmt.Sprintf(`{"lease":{"token":9},"group":{"pid":%d,"start":"1","boot":"an earlier one"},"workspace":"/nowhere"}`, other.Process.Pid)
	if err := os.WriteFile(filepath.Join(b.dir, "running", "9.json"), []byte(record), 0o600); err != nil {
		t.Fatal(err)
	}
	if left, err := b.runner.Recover(t.Context()); err != nil || len(left) != 1 || left[0].Token != 9 {
		t.Errorf("recovered %v (%v)", left, err)
	}
	if !runs(other.Process.Pid) {
		t.Error("a process of somebody else was killed")
	}
}

func TestRecover_DropsADamagedRecordAndForgottenWorkspaces(t *testing.T) {
	b := newBed(t, nil)
	writeFiles(t, b.dir, map[string]string{"running/3.json": "{", "running/4.json.new": "{}", "workspaces/3/checkout/file": "x"})
	if left, err := b.runner.Recover(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("recovered %v (%v)", left, err)
	}
	b.leftNothing()
}

func TestRecover_RemovesCachesThatNoTaskUsesAnyMore(t *testing.T) {
	b := newBed(t, nil)
	b.run(b.job("echo x > $ANDON_CACHE/kept"))
	writeFiles(t, b.dir, map[string]string{"cache/old/file": "x"})
	long := time.Now().Add(-100 * 24 * time.Hour)
	if err := os.Chtimes(filepath.Join(b.dir, "cache", "old"), long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := b.runner.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(b.dir, "cache", "*", "*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "kept" {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestRecord_IsOnDiskBeforeTheFirstStepBegins(t *testing.T) {
	b := newBed(t, nil)
	result, log := b.run(b.job("cat '" + filepath.Join(b.dir, "running", "1.json") + "'"))
	succeeded(t, result, log)
	if !strings.Contains(log, `"token":1`) || !strings.Contains(log, `"boot":"`) {
		t.Errorf("record:\n%s", log)
	}
}
