package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/andon-cd/andon/e2e/planttest"
)

func TestAgent_ThatIsRefusedEndsAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	home := newHome(t)
	far := filepath.Join(home, "agent")
	run := func(token string) result {
		t.Helper()
		return execute(t, home, append(environmentIn(home), "ANDON_TOKEN="+token),
			p.Program, "agent", "--server", p.URL, "--name", "far", "--proxy", "127.0.0.1:0", "--data", far)
	}
	near := strings.TrimSpace(p.Andon("agent", "token", "near").Wants(t, done, "andon agent token").Out)
	for name, token := range map[string]string{"unknown": "wrong", "the admin's": p.Token, "another agent's": near} {
		o := run(token)
		o.Wants(t, refused, "andon agent with a token that is "+name)
		if o.Out != "" || !strings.Contains(o.Err, "does not take agent far") || !strings.Contains(o.Err, "andon agent token far") {
			t.Errorf("with a token that is %s, it says %q and %q", name, o.Out, o.Err)
		}
		if left := planttest.LeftOf(far); len(left) > 0 {
			t.Errorf("with a token that is %s, it leaves process %d: %s", name, left[0].PID, left[0].Command)
		}
	}
}

func TestAgent_OnAnotherHostJoinsAndRunsJobs(t *testing.T) {
	t.Parallel()
	p := startPlant(t, "--slots", "1")
	token := strings.TrimSpace(p.Andon("agent", "token", "far").Wants(t, done, "andon agent token").Out)
	// It lives in a home of its own, as on another machine.
	home := newHome(t)
	far := filepath.Join(home, "agent")
	agent := exec.Command(p.Program, "agent", "--server", p.URL, "--name", "far", "--slots", "1", "--proxy", "127.0.0.1:0", "--data", far)
	agent.Env, agent.Dir = append(environmentIn(home), "ANDON_TOKEN="+token), home
	log, err := os.Create(filepath.Join(home, "agent.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	agent.Stderr = log
	out, err := agent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		execute(t, home, environmentIn(home), p.Program, "down", "--data", far).Wants(t, done, "andon down of an agent")
		_ = agent.Wait()
		if left := planttest.LeftOf(far); len(left) > 0 {
			t.Errorf("andon down leaves process %d: %s", left[0].PID, left[0].Command)
		}
	})
	if ready, _ := bufio.NewReader(out).ReadString('\n'); !strings.HasPrefix(ready, "ready agent far") {
		t.Fatalf("its first line is %q", ready)
	}
	until(t, "the agent is there", func() error {
		agents, err := p.Client.Agents(t.Context())
		if err != nil || len(agents) != 2 || !agents[0].Connected || !agents[1].Connected {
			return fmt.Errorf("%+v, %w", agents, errors.Join(err, errors.New("want two that are connected")))
		}
		return nil
	})
	// Each has one slot, so three jobs need both.
	r := p.newRepository("pair")
	job := func(name string) string {
		return "    " + name + ":\n      timeout: 5m\n      steps: [\"echo I am $ANDON_JOB in $ANDON_WORKSPACE\", \"sleep 1\"]\n"
	}
	r.Commit("Begin", files{"andon.yaml": "service: pair\ncommit:\n  jobs:\n" + job("one") + job("two") + job("three")})
	v := r.Push()
	p.Wait(r.Ref(v), "built")
	ran := map[string]bool{}
	for _, stage := range p.version("pair", v).Stages {
		for _, task := range stage.Tasks {
			for _, attempt := range task.Attempts {
				ran[attempt.Agent] = true
				lines, err := p.Client.LogLines(t.Context(), attempt.Log, 1, 100)
				text := fmt.Sprint(lines.Lines)
				if err != nil || !strings.Contains(text, "I am "+task.Job) {
					t.Errorf("the log of %s: %q, %v", task.ID, text, err)
				}
				if attempt.Agent == "far" && !strings.Contains(text, far) {
					t.Errorf("%s did not run in the far agent's directory: %q", task.ID, text)
				}
			}
		}
	}
	if !ran["far"] || !ran["local"] {
		t.Errorf("the jobs ran on %v", ran)
	}
	if err := agent.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}
