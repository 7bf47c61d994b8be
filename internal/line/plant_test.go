package line

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

var testStart = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// plant is a plant in a test: a state, the events that made it, a clock, and a world of agents.
// A second state follows the events one by one; the invariants are checked on it.
type plant struct {
	t       testing.TB
	s       *State
	shadow  *State
	now     time.Time
	events  []andon.Event
	world   *world
	checks  *checks
	pipe    *andon.Pipeline
	service andon.ServiceName
	by      andon.Actor
	err     error // of the last command
	quiet   bool  // broken invariants are collected instead of reported
	broken  []string
}

// newPlant returns a plant with the default environments and the local agent.
func newPlant(t testing.TB) *plant {
	p := barePlant(t)
	p.must(CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()})
	p.world.connect("local", 2)
	return p
}

func barePlant(t testing.TB) *plant {
	p := &plant{t: t, s: New(), shadow: New(), now: testStart, service: "shop", pipe: shopPipeline(), by: "git:alice"}
	p.world = newWorld(p)
	p.checks = newChecks(p)
	return p
}

// do gives a command to the line, checks what came of it, and returns its events.
func (p *plant) do(v Verb) []andon.Event {
	p.t.Helper()
	before := ""
	if p.checks.thorough {
		before = p.json(p.s)
	}
	events, err := p.s.Decide(Command{By: p.by, Do: v}, p.now)
	p.err = err
	if err != nil {
		if andon.KindOf(err) == andon.KindInternal {
			p.fail("internal error from %T: %v", v, err)
		}
		if len(events) > 0 {
			p.fail("%T failed and emitted %d events", v, len(events))
		}
		if p.checks.thorough && before != p.json(p.s) {
			p.fail("%T failed and changed the state", v)
		}
		return nil
	}
	for _, e := range events {
		p.checks.before(e)
		p.shadow.Apply(e)
		p.checks.after(e)
		p.events = append(p.events, e)
	}
	p.checks.quiescent()
	return events
}

// must gives a command that has to be accepted.
func (p *plant) must(v Verb) []andon.Event {
	p.t.Helper()
	events := p.do(v)
	if p.err != nil {
		p.t.Fatalf("%T: %v", v, p.err)
	}
	return events
}

// refused gives a command that has to be refused with that kind, and returns the sentence.
func (p *plant) refused(kind andon.Kind, v Verb) string {
	p.t.Helper()
	p.do(v)
	if p.err == nil {
		p.t.Fatalf("%T was accepted", v)
	}
	if andon.KindOf(p.err) != kind {
		p.t.Fatalf("%T: kind %s instead of %s: %v", v, andon.KindOf(p.err), kind, p.err)
	}
	e, _ := errors.AsType[*andon.Error](p.err)
	return e.Message
}

func (p *plant) fail(format string, args ...any) {
	p.t.Helper()
	if p.quiet {
		p.broken = append(p.broken, sprintf(format, args...))
		return
	}
	p.t.Errorf(format, args...)
}

func (p *plant) json(s *State) string {
	b, err := s.Snapshot()
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// replayed returns the state that the journal's bytes lead to.
func (p *plant) replayed() *State {
	s := New()
	for _, e := range p.events {
		b, err := json.Marshal(e)
		if err != nil {
			p.t.Fatal(err)
		}
		var back andon.Event
		if err := json.Unmarshal(b, &back); err != nil {
			p.t.Fatal(err)
		}
		s.Apply(back)
	}
	return s
}

// reload gives the state up and loads it again from a snapshot, as a restart of the server does.
func (p *plant) reload() {
	p.t.Helper()
	s, err := Restore([]byte(p.json(p.s)))
	if err != nil {
		p.t.Fatal(err)
	}
	p.s = s
	p.do(Tick{})
}

// commit returns a commit ID for a short name.
func commit(name string) andon.CommitID {
	sum := sha1.Sum([]byte(name))
	return andon.CommitID(hex.EncodeToString(sum[:]))
}

// Push pushes a commit to the trunk and returns its version.
func (p *plant) Push(name string) andon.VersionNumber { return p.PushTo("main", name) }

func (p *plant) PushTo(branch, name string) andon.VersionNumber {
	p.t.Helper()
	events := p.must(Push{Service: p.service, Branch: branch, Commit: commit(name), Subject: name, Author: "alice", Committed: p.now, Pipeline: p.pipe})
	for _, e := range events {
		if b, ok := e.Body.(andon.VersionCreated); ok {
			return b.Version.Number
		}
	}
	return 0
}

func (p *plant) ref(n andon.VersionNumber) andon.VersionRef {
	return andon.VersionRef{Service: p.service, Number: n}
}

func (p *plant) version(n andon.VersionNumber) *Version {
	p.t.Helper()
	v := p.s.version(p.ref(n))
	if v == nil {
		p.t.Fatalf("there is no version %d", n)
	}
	return v
}

// Live returns the version that is live in an environment; 0: none.
func (p *plant) Live(env andon.EnvironmentName) andon.VersionNumber {
	pl := p.s.Places[andon.Place{Service: p.service, Environment: env}.Key()]
	if pl == nil || pl.Live == nil {
		return 0
	}
	return pl.Live.Version
}

func (p *plant) place(env andon.EnvironmentName) *Place {
	p.t.Helper()
	pl := p.s.Places[andon.Place{Service: p.service, Environment: env}.Key()]
	if pl == nil {
		p.t.Fatalf("there is no place %s", env)
	}
	return pl
}

// Finish ends the leased task of a job of the newest version with an outcome.
func (p *plant) Finish(job andon.JobName, o andon.Outcome) {
	p.t.Helper()
	for _, id := range sorted(p.s.Tasks) {
		t := p.s.Tasks[id]
		if t.Task.Job == job && t.Agent != "" && !t.Cancel {
			p.finishTask(t, o)
			return
		}
	}
	p.t.Fatalf("no job %s runs: %v", job, sorted(p.s.Tasks))
}

func (p *plant) finishTask(t *Task, o andon.Outcome) {
	p.t.Helper()
	p.must(FinishTask{Agent: t.Agent, Task: t.Task.ID, Token: t.Token, Result: result(t, o, p.now)})
}

// result is what an agent reports for a task.
func result(t *Task, o andon.Outcome, now time.Time) andon.TaskResult {
	r := andon.TaskResult{Outcome: o, Started: t.Leased, Ended: now}
	if o != andon.Succeeded {
		r.Reason = "exit status 1"
	}
	if t.Task.Artifact != nil && o == andon.Succeeded {
		r.Artifact = &andon.Artifact{Digest: digestOf(t.Task.Commit), Size: 1}
	}
	return r
}

func digestOf(c andon.CommitID) andon.Digest {
	return andon.Digest("sha256:" + string(c) + strings.Repeat("0", 64-len(c)))
}

// Built runs the commit stage of the newest version to its end.
func (p *plant) Built(name string) andon.VersionNumber {
	p.t.Helper()
	n := p.Push(name)
	p.Finish("test", andon.Succeeded)
	p.Finish("build", andon.Succeeded)
	return n
}

// Settle lets the world go on without faults until nothing moves any more. Jobs succeed.
func (p *plant) Settle() {
	p.t.Helper()
	if !p.world.settle(2000) {
		p.t.Fatalf("the plant does not come to rest: %s", p.waits())
	}
}

// Deployed brings a commit through all stages into production.
func (p *plant) Deployed(name string) andon.VersionNumber {
	p.t.Helper()
	n := p.Push(name)
	p.Settle()
	if p.Live("production") != n {
		p.t.Fatalf("%d is not live in production: %s", n, p.waits())
	}
	return n
}

// Until lets the world go on step by step until something holds.
func (p *plant) Until(what string, holds func() bool) {
	p.t.Helper()
	for range 2000 {
		if holds() {
			return
		}
		if !p.world.step() {
			break
		}
	}
	if !holds() {
		p.t.Fatalf("it never happens that %s: %s", what, p.waits())
	}
}

// At lets the world go on until the deployment to an environment is at a step.
func (p *plant) At(env andon.EnvironmentName, step andon.DeploymentStep) *Deployment {
	p.t.Helper()
	p.Until("the deployment to "+string(env)+" is "+string(step), func() bool {
		pl := p.s.Places[andon.Place{Service: p.service, Environment: env}.Key()]
		return pl != nil && pl.Active != nil && pl.Active.Step == step
	})
	return p.place(env).Active
}

func (p *plant) waits() string {
	b, _ := json.MarshalIndent(p.s.Waiting(p.now), "", " ")
	return string(b)
}

// waiting returns the first wait of a version of that kind.
func (p *plant) waiting(n andon.VersionNumber, kind andon.WaitKind) andon.Wait {
	p.t.Helper()
	for _, w := range p.s.Waiting(p.now) {
		if w.Version == n && w.Kind == kind {
			return w
		}
	}
	p.t.Fatalf("%d does not wait for %s: %s", n, kind, p.waits())
	return andon.Wait{}
}

// ended wants the way of a version to have ended like that.
func (p *plant) ended(n andon.VersionNumber, o andon.Outcome) {
	p.t.Helper()
	v := p.version(n)
	if v.Ended == nil || v.Ended.Outcome != o {
		p.t.Fatalf("%d: ended %+v instead of %s; waits: %s", n, v.Ended, o, p.waits())
	}
}

func (p *plant) maturity(n andon.VersionNumber, m andon.Maturity) {
	p.t.Helper()
	if v := p.version(n); v.Maturity != m {
		p.t.Fatalf("%d is %s instead of %s", n, v.Maturity, m)
	}
}

// cords wants that many cords to be pulled.
func (p *plant) cords(n int) {
	p.t.Helper()
	if len(p.s.Cords) != n {
		p.t.Fatalf("%d cords are pulled instead of %d: %s", len(p.s.Cords), n, p.json(p.s))
	}
}

// shopPipeline is a service with three stages after the commit stage: test, certify, production.
func shopPipeline() *andon.Pipeline {
	return &andon.Pipeline{
		Service: "shop",
		Commit: andon.CommitStage{
			Jobs: []andon.Job{
				{Name: "test", Steps: []andon.Step{{Run: "true"}}},
				{Name: "build", Needs: []andon.JobName{"test"}, Steps: []andon.Step{{Run: "true"}}},
			},
			Artifact: &andon.ArtifactSource{Path: "out", Job: "build"},
		},
		Run: &andon.Run{
			Command: []string{"./shop"}, Port: 8080, Instances: 2, Drain: 10 * time.Second, Stop: 10 * time.Second,
			Health: andon.Health{Path: "/", Interval: time.Second, Timeout: time.Second, Start: 30 * time.Second},
		},
		Smoke: []andon.Check{{HTTP: &andon.HTTPCheck{Path: "/"}}},
		Stages: []andon.Stage{
			{Name: "acceptance", Deploy: "test", Jobs: []andon.Job{{Name: "e2e", Steps: []andon.Step{{Run: "true"}}}}, Grants: andon.ReleaseCandidate},
			{Name: "certify", Grants: andon.Certified},
			{Name: "production", Deploy: "production"},
		},
	}
}

// withGate returns the pipeline with a manual gate before a stage.
func withGate(p *andon.Pipeline, stage andon.StageName) *andon.Pipeline {
	q := *p
	q.Stages = append([]andon.Stage(nil), p.Stages...)
	for i := range q.Stages {
		if q.Stages[i].Name == stage {
			q.Stages[i].Approval = &andon.Approval{}
		}
	}
	return &q
}
