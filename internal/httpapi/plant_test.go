package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
	"github.com/andon-cd/andon/internal/ca"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/form"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/logs"
	"github.com/andon-cd/andon/internal/pipeline"
	"github.com/andon-cd/andon/internal/secret"
)

const admin = "the admin's token"

// A plant is a real engine with its API in front, and an agent that does what a test says.
type plant struct {
	t       *testing.T
	engine  *engine.Engine
	history *history.History
	logs    *logs.Store
	api     *API
	server  *httptest.Server
	client  *api.Client
	keys    *auth.Keys

	mu  sync.Mutex
	now time.Time

	epoch    int64
	reported map[andon.Token]bool
	seen     map[andon.InstanceID]andon.Place
	// does says what becomes of a job; nil: it succeeds.
	does func(andon.Lease) *andon.TaskResult
	// holds says which tasks the agent keeps running.
	holds func(andon.Lease) bool
}

func (p *plant) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// pass lets time go by, and the line look at it.
func (p *plant) pass(d time.Duration) {
	p.t.Helper()
	p.mu.Lock()
	p.now = p.now.Add(d)
	p.mu.Unlock()
	p.do(line.Tick{})
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	dir := t.TempDir()
	p := &plant{
		t: t, keys: auth.New(admin, nil), now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC),
		reported: map[andon.Token]bool{}, seen: map[andon.InstanceID]andon.Place{},
	}
	journal, err := sqlite.Open(t.Context(), filepath.Join(dir, "journal.db"))
	p.must(err)
	p.history, err = history.Open(t.Context(), filepath.Join(dir, "history.db"))
	p.must(err)
	p.logs, err = logs.Open(filepath.Join(dir, "logs"), logs.Options{})
	p.must(err)
	secrets, err := secret.Open(filepath.Join(dir, "secrets"))
	p.must(err)
	authority, err := ca.Open(filepath.Join(dir, "ca"), p.clock)
	p.must(err)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	p.engine, err = engine.Open(t.Context(), engine.Config{Journal: journal, Log: log, Now: p.clock, AgentTimeout: 24 * time.Hour})
	p.must(err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 2)
	go func() { ended <- p.engine.Run(ctx) }()
	go func() {
		ended <- p.engine.Follow(ctx, 0, func(events []andon.Event) error { return p.history.Apply(ctx, events) })
	}()
	p.api = New(Config{
		Engine: p.engine, History: p.history, Logs: p.logs, Secrets: secrets, Keys: p.keys, Authority: authority, Log: log, Build: "1.0.0",
		Address: func() string { return "http://127.0.0.1:8600" }, Proxy: func() string { return "http://127.0.0.1:8601" },
		Reachable: func(_ context.Context, url, branch string, c secret.Credential) (string, error) {
			if strings.Contains(url, "private") && c.Token == "" {
				return "", andon.Errorf(andon.KindUnreachable, "the repository %s does not accept the token, or needs one", url)
			}
			return cmp.Or(branch, "trunk"), nil
		},
		Git: http.HandlerFunc(whoAsks), Registry: http.HandlerFunc(whoAsks), Hooks: http.HandlerFunc(whoAsks), Metrics: http.HandlerFunc(whoAsks), Pages: http.HandlerFunc(whoAsks),
	})
	p.server = httptest.NewUnstartedServer(p.api)
	p.server.Config.BaseContext = nil
	p.server.Start()
	p.client = &api.Client{Server: p.server.URL, Token: admin}
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
		stop()
		for range 2 {
			if err := <-ended; err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
		p.must(p.history.Close())
		p.must(p.logs.Close())
		p.must(secrets.Close())
		p.must(journal.Close())
	})
	p.do(line.CreatePlant{Plant: "q3y7plant", Environments: andon.DefaultEnvironments()})
	return p
}

// whoAsks stands for what other packages serve.
func whoAsks(w http.ResponseWriter, r *http.Request) {
	who, _ := auth.From(r.Context())
	if r.URL.Path == "/panic" {
		panic("a page fell over")
	}
	_, _ = io.WriteString(w, string(who.Role))
}

func (p *plant) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *plant) do(verb line.Verb) engine.Result {
	p.t.Helper()
	result, err := p.engine.Do(p.t.Context(), "admin", verb)
	p.must(err)
	return result
}

const shopYAML = `service: shop
commit:
  budget: 2m
  jobs:
    test:
      steps: [{run: go test ./...}]
      reports: {junit: reports/*.xml}
    build: {steps: [{name: compile, run: go build -o out/shop .}]}
  artifact: {path: out}
run:
  command: ./shop
  port: 8080
  health: {path: /healthz}
  instances: 2
  env: {GREETING: hello}
smoke: [{http: {path: /}}]
stages:
  - name: acceptance
    deploy: test
    jobs: {accept: {steps: [{run: test/accept.sh}]}}
    grants: release-candidate
  - {name: certify, approval: {}, grants: certified}
  - {name: production, deploy: production}
`

// push announces a commit of shop: a letter, repeated.
func (p *plant) push(letter, branch, subject, yaml string) engine.Result {
	p.t.Helper()
	parsed, problems := pipeline.Parse("andon.yaml", []byte(yaml), nil)
	if len(problems) > 0 {
		p.t.Fatal(form.Format(problems))
	}
	return p.do(line.Push{
		Service: parsed.Service, Source: andon.Source{Trunk: "main"}, Branch: branch, Commit: andon.CommitID(strings.Repeat(letter, 40)),
		Author: "Ada <ada@example.com>", Subject: subject, Committed: p.clock().Add(-time.Minute), Pipeline: parsed,
	})
}

// say speaks to the server as the agent.
func (p *plant) say(path string, question, answer any) {
	p.t.Helper()
	data, err := json.Marshal(question)
	p.must(err)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.server.URL+"/agent/v1/"+path, bytes.NewReader(data))
	p.must(err)
	req.Header.Set("Authorization", "Bearer "+p.keys.AgentToken("local"))
	resp, err := http.DefaultClient.Do(req)
	p.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	p.must(err)
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s: %s", path, resp.Status, body)
	}
	if answer != nil {
		p.must(json.Unmarshal(body, answer))
	}
}

func (p *plant) connect() {
	p.t.Helper()
	var welcome andon.Welcome
	p.say("hello", andon.Hello{Agent: "local", Slots: 2, Labels: map[string]string{"os": "linux"}, Build: "1.0.0", Proxy: "http://127.0.0.1:8601"}, &welcome)
	p.epoch = welcome.Epoch
	p.say("observe", andon.Observation{Agent: "local", Epoch: p.epoch, Full: true}, nil)
}

// settle lets the agent work until nothing is left to do but what it holds.
func (p *plant) settle() {
	p.t.Helper()
	for range 300 {
		before := p.engine.Head()
		p.work()
		if p.engine.Head() != before {
			continue
		}
		deploying := false
		p.must(p.engine.View(p.t.Context(), func(s *line.State) {
			for _, place := range s.Places {
				deploying = deploying || place.Active != nil
			}
		}))
		if !deploying {
			return
		}
		p.pass(time.Second)
	}
	p.t.Fatal("the plant does not settle")
}

// work does once what the server wants.
func (p *plant) work() {
	p.t.Helper()
	var work andon.Work
	p.say("work", andon.WorkRequest{Epoch: p.epoch, Revision: -1}, &work)
	for _, lease := range work.Leases {
		if p.reported[lease.Token] || !lease.Cancel && p.holds != nil && p.holds(lease) {
			continue
		}
		p.pass(2 * time.Second)
		p.reported[lease.Token] = true
		if lease.Task.Kind == andon.TaskJob {
			appendLog(p, lease.LogStream(), "$ "+lease.Task.Steps[0].Run+"\nok  \tshop\t0.8s\n")
		}
		p.say("tasks/report", andon.TaskReport{Epoch: p.epoch, Task: lease.Task.ID, Token: lease.Token, Result: p.result(lease)}, nil)
	}
	p.observe(work.Desired)
}

func (p *plant) result(lease andon.Lease) andon.TaskResult {
	if lease.Cancel {
		return andon.TaskResult{Outcome: andon.Cancelled, Started: p.clock(), Ended: p.clock()}
	}
	if p.does != nil {
		if r := p.does(lease); r != nil {
			return *r
		}
	}
	began, ended := p.clock().Add(-1500*time.Millisecond), p.clock().Add(-time.Millisecond)
	r := andon.TaskResult{Outcome: andon.Succeeded, Started: began, Ended: ended}
	for _, s := range lease.Task.Steps {
		r.Steps = append(r.Steps, andon.StepResult{Name: firstLine(s.Run), Outcome: andon.Succeeded, Started: began, Ended: ended})
	}
	if lease.Task.Artifact != nil {
		r.Artifact = &andon.Artifact{Digest: andon.Digest("sha256:" + strings.Repeat(string(lease.Task.Commit[:1]), 64)), Size: 2048}
	}
	if len(lease.Task.JUnit) > 0 {
		r.Tests = &andon.TestSummary{Passed: 42, Duration: 900 * time.Millisecond}
	}
	return r
}

// observe attests that everything is as it should be.
func (p *plant) observe(desired []andon.Desired) {
	p.t.Helper()
	o := andon.Observation{Agent: "local", Epoch: p.epoch}
	wanted := map[andon.InstanceID]bool{}
	for _, d := range desired {
		for i, c := range d.Copies {
			wanted[c.ID] = true
			p.seen[c.ID] = d.Place
			o.Instances = append(o.Instances, andon.InstanceState{
				ID: c.ID, Phase: andon.PhaseHealthy, Artifact: c.Artifact, Config: c.Config, Address: "127.0.0.1:4000" + string(rune('0'+i)),
			})
		}
		route := andon.RouteState{Place: d.Place, Generation: d.Generation, Address: "127.0.0.1:41000"}
		if d.Route != nil {
			for _, target := range d.Route.Targets {
				route.Targets = append(route.Targets, target.Instance)
			}
			route.Ledgers = []andon.Ledger{{Deployment: d.Route.Ledger, Served: 120}}
		}
		o.Routes = append(o.Routes, route)
	}
	for _, id := range slices.Sorted(maps.Keys(p.seen)) {
		if !wanted[id] {
			o.Instances = append(o.Instances, andon.InstanceState{ID: id, Phase: andon.PhaseStopped})
			delete(p.seen, id)
		}
	}
	p.say("observe", o, nil)
}

// fails makes the job of a stage fail for one commit.
func fails(letter string, stage andon.StageName) func(andon.Lease) *andon.TaskResult {
	return func(l andon.Lease) *andon.TaskResult {
		if l.Task.Kind != andon.TaskJob || l.Task.Commit[:1] != andon.CommitID(letter) || l.Task.Stage != stage {
			return nil
		}
		return &andon.TaskResult{Outcome: andon.Failed, ExitCode: 1, Reason: "step test/accept.sh exited with 1"}
	}
}
