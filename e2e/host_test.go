package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/e2e/planttest"
)

// A host is another machine of a plant: an agent in a home of its own, with its copies and its
// proxy.
type host struct {
	t       *testing.T
	plant   *plant
	name    string
	at      station
	home    string
	data    string
	server  string // where it finds the plant
	token   string // of an agent that comes with one; empty: it joins
	joining string // the token to join with, at the next start
	options []string

	agent *exec.Cmd
	ended chan struct{} // closed when the agent's process has ended
	proxy string        // host:port where services answer
	over  bool          // end was called
}

// newHost returns a host that never was in the plant.
func (p *plant) newHost(name string, at station, options ...string) *host {
	p.T.Helper()
	home := newHome(p.T)
	h := &host{
		t: p.T, plant: p, name: name, at: at, home: home, data: filepath.Join(home, "agent"),
		server: p.URL, options: options,
		token: strings.TrimSpace(p.Andon("agent", "token", name).Wants(p.T, done, "andon agent token").Out),
	}
	p.T.Cleanup(h.end)
	return h
}

// inviteHost returns a host that joins by the command that the plant prints for it.
func (p *plant) inviteHost(name string, at station, labels ...string) *host {
	p.T.Helper()
	args := []string{"host", "add", name}
	for _, l := range labels {
		args = append(args, "--label", l)
	}
	command := strings.TrimSpace(p.Andon(args...).Wants(p.T, done, "andon host add").Out)
	token, ok := strings.CutPrefix(command, "andon agent --join ")
	if !ok {
		p.T.Fatalf("andon host add prints %q", command)
	}
	home := newHome(p.T)
	h := &host{t: p.T, plant: p, name: name, at: at, home: home, data: filepath.Join(home, "agent"), joining: token}
	p.T.Cleanup(h.end)
	return h
}

// startHost returns a host that is in the plant, and ends it with the test.
func (p *plant) startHost(name string, at station, options ...string) *host {
	p.T.Helper()
	h := p.newHost(name, at, options...)
	h.start()
	return h
}

// log names the file with what the agent says.
func (h *host) log() string { return filepath.Join(h.home, "agent.log") }

// start starts the agent and returns when the server has taken it.
func (h *host) start() {
	h.t.Helper()
	log, err := os.OpenFile(h.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()
	address, through := "127.0.0.1", h.proxy
	if h.at.address != "" {
		address = h.at.address
	}
	if through == "" {
		through = address + ":0"
	}
	environment, args := environmentIn(h.home), []string{"agent", "--data", h.data, "--proxy", through, "--address", address, "--log-level", "info"}
	switch {
	case h.token != "":
		environment, args = append(environment, "ANDON_TOKEN="+h.token), append(args, "--server", h.server, "--name", h.name)
	case h.joining != "":
		args = append(args, "--join", h.joining)
	}
	name, args := h.at.Command(h.plant.Program, append(args, h.options...)...)
	h.agent = exec.Command(name, args...)
	h.agent.Env, h.agent.Dir, h.agent.Stderr = environment, h.home, log
	h.agent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := h.agent.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.agent.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.ended = make(chan struct{})
	first := make(chan string, 1)
	go func(agent *exec.Cmd, ended chan struct{}) {
		line, _ := bufio.NewReader(out).ReadString('\n')
		first <- line
		_ = agent.Wait() // how it ended is in its state
		close(ended)
	}(h.agent, h.ended)
	select {
	case line := <-first:
		if n, _ := fmt.Sscanf(line, "ready agent "+h.name+" proxy http://%s", &h.proxy); n != 1 {
			h.t.Fatalf("the first line of agent %s is %q\n%s", h.name, line, h.said())
		}
	case <-time.After(planttest.Starting):
		h.t.Fatalf("agent %s says nothing for %s\n%s", h.name, planttest.Starting, h.said())
	}
}

// kill ends the agent as a crash would. Its copies and its proxy stay.
func (h *host) kill() {
	h.t.Helper()
	if err := h.agent.Process.Kill(); err != nil {
		h.t.Fatal(err)
	}
	<-h.ended
}

// end stops everything of the host, and fails the test for whatever is left.
func (h *host) end() {
	if h.agent == nil || h.over {
		return
	}
	h.over = true
	execute(h.t, h.home, environmentIn(h.home), h.plant.Program, "down", "--data", h.data).Wants(h.t, done, "andon down of a host")
	<-h.ended
	for _, left := range planttest.LeftOf(h.data) {
		h.t.Errorf("andon down of host %s leaves process %d: %s", h.name, left.PID, left.Command)
	}
	planttest.SearchLogs(h.t, h.home)
	if h.t.Failed() {
		h.t.Logf("the end of the log of agent %s:\n%s", h.name, h.said())
	}
}

// said returns the end of the agent's log.
func (h *host) said() string {
	log, _ := os.ReadFile(h.log())
	return string(log[max(0, len(log)-4000):])
}

// copies returns the copies that run on the host.
func (h *host) copies(environment string) []process {
	var found []process
	for _, c := range with(processesOf(h.data), "ANDON_INSTANCE") {
		if c.Environ["ANDON_ENVIRONMENT"] == environment {
			found = append(found, c)
		}
	}
	return found
}

// agentNamed returns what the plant says of an agent.
func (p *plant) agentNamed(name string) (api.Agent, error) {
	agents, err := p.Client.Agents(p.T.Context())
	if err != nil {
		return api.Agent{}, err
	}
	for _, a := range agents {
		if a.Name == name {
			return a, nil
		}
	}
	return api.Agent{}, fmt.Errorf("there is no agent %s", name)
}

// knows waits until the plant says that an agent is connected, or that it is not.
func (p *plant) knows(name string, connected bool) api.Agent {
	p.T.Helper()
	var agent api.Agent
	until(p.T, fmt.Sprintf("the plant says that agent %s is there: %t", name, connected), func() (err error) {
		if agent, err = p.agentNamed(name); err == nil && agent.Connected != connected {
			err = fmt.Errorf("%+v", agent)
		}
		return err
	})
	return agent
}

// production declares the environment production, beside a test on the server's own host.
func (p *plant) production(text string) {
	p.T.Helper()
	r := p.newRepository("estate")
	r.Commit("Declare", files{"environments/production.yaml": text, "environments/test.yaml": "strategy: rolling\n"})
	p.Andon("estate", "apply", r.Dir).Wants(p.T, done, "andon estate apply")
}

// idleBut waits until nothing goes on any more, although an agent is away and so its copies are not
// attested.
func (p *plant) idleBut(t *testing.T, away string) {
	t.Helper()
	until(t, "the plant comes to rest without "+away, func() error {
		s, err := p.Client.Status(t.Context(), "")
		if err != nil {
			return err
		}
		if n := s.Totals; n.OnTheirWay+n.Deployments+n.TasksRunning+n.TasksQueued > 0 {
			why, _ := p.Client.Why(t.Context(), api.WhyQuestion{})
			return fmt.Errorf("%+v: %s %+v", n, why.Sentence, why.Waits)
		}
		return nil
	})
}
