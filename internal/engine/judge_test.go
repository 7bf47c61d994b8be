package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// obedient is an agent that does at once what it is told, and attests it.
type obedient struct {
	t     *testing.T
	e     *Engine
	name  andon.AgentName
	epoch int64
}

// obey does what the agent is told, as it is told now.
func (a *obedient) obey() {
	a.t.Helper()
	work, err := a.e.Work(a.t.Context(), a.name, andon.WorkRequest{Epoch: a.epoch})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, l := range work.Leases {
		built := andon.TaskResult{Outcome: andon.Succeeded}
		if l.Task.Artifact != nil {
			built.Artifact = &andon.Artifact{Digest: andon.Digest("sha256:" + strings.Repeat(string(l.Task.Commit[:1]), 64)), Size: 1}
		}
		if err := a.e.Report(a.t.Context(), a.name, andon.TaskReport{Epoch: a.epoch, Task: l.Task.ID, Token: l.Token, Result: built}); err != nil {
			a.t.Fatal(err)
		}
	}
	all := andon.Observation{Epoch: a.epoch, Full: true}
	for _, d := range work.Desired {
		route := andon.RouteState{Place: d.Place, Generation: d.Generation}
		for _, c := range d.Copies {
			all.Instances = append(all.Instances, andon.InstanceState{ID: c.ID, Phase: andon.PhaseHealthy, Artifact: c.Artifact, Config: c.Config, Address: "127.0.0.1:1"})
			if d.Routed(c.ID) {
				route.Targets = append(route.Targets, c.ID)
			}
		}
		all.Routes = append(all.Routes, route)
	}
	if err := a.e.Observe(a.t.Context(), a.name, all); err != nil {
		a.t.Fatal(err)
	}
}

// until obeys until something holds of the place test of the shop.
func (a *obedient) until(what string, holds func(*line.Place) bool) {
	a.t.Helper()
	place := andon.Place{Service: "shop", Environment: "test"}
	for range 100 {
		done := false
		if err := a.e.View(a.t.Context(), func(s *line.State) {
			p := s.PlaceOf(place)
			done = p != nil && holds(p)
		}); err != nil {
			a.t.Fatal(err)
		}
		if done {
			return
		}
		a.obey()
	}
	a.t.Fatalf("it never happens that %s", what)
}

func TestCount_StopsADeploymentWhoseNewCopiesFailMore(t *testing.T) {
	e, _ := newPlant(t)
	do(t, e, line.CreatePlant{Environments: []andon.Environment{{Name: "test", Hosts: "{service}.test.localhost", Rollout: andon.Rollout{
		Strategy: andon.Canary, Canary: []andon.CanaryStep{{Weight: 10, Pause: time.Hour}}, Watch: &andon.Watch{Errors: 1, Least: 50},
	}}}})
	welcome, err := e.Connect(t.Context(), andon.Hello{Agent: "local", Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	a := &obedient{t, e, "local", welcome.Epoch}
	for n, letter := range []string{"a", "b"} {
		pushed := push("shop", letter)
		pushed.Pipeline.Commit.Artifact = &andon.ArtifactSource{Path: "out", Job: "build"}
		pushed.Pipeline.Run = &andon.Run{Command: []string{"./shop"}, Port: 8080, Instances: 1, Health: andon.Health{Start: time.Hour}}
		pushed.Pipeline.Stages = []andon.Stage{{Name: "acceptance", Deploy: "test"}}
		do(t, e, pushed)
		if n == 0 {
			a.until("a is live", func(p *line.Place) bool { return p.Live != nil })
		}
	}
	a.until("b has a share of the requests", func(p *line.Place) bool { return p.Active != nil && p.Active.Step == andon.StepPausing })
	counted := func(requests, errors int64) {
		t.Helper()
		report := andon.Counters{Epoch: a.epoch, Places: []andon.PlaceLedger{{
			Place:   andon.Place{Service: "shop", Environment: "test"},
			Ledgers: []andon.Ledger{{Deployment: "shop.test.2", Served: requests}},
			Groups: []andon.GroupStats{
				{Group: "shop.test.1", Ledger: "shop.test.2", Requests: 9 * requests},
				{Group: "shop.test.2", Ledger: "shop.test.2", Requests: requests, Errors: errors},
			},
		}}}
		if err := e.Count(t.Context(), a.name, report); err != nil {
			t.Fatal(err)
		}
	}
	before := e.Head()
	counted(10, 10)
	counted(20, 20)
	if e.Head() != before {
		t.Errorf("too few requests to judge are journalled")
	}
	counted(60, 30)
	a.until("a is live again", func(p *line.Place) bool {
		return p.Active == nil && p.Live.Version == 1 && p.Last.Outcome == andon.Failed &&
			strings.Contains(p.Last.Reason, "50.00 % of its 60 requests failed, against 0.00 % of 540 of the old group")
	})
}
