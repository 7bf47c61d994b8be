package line

import (
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// judge tells the line what the proxies counted in an active deployment: of a thousand requests to
// the old group none failed, of a hundred to the new one that many.
func (p *plant) judge(env andon.EnvironmentName, failed int64) []andon.Event {
	p.t.Helper()
	plan := p.place(env).Active.Plan
	return p.must(Judge{Deployment: plan.ID, Groups: []andon.GroupStats{
		{Group: plan.Base, Ledger: plan.ID, Requests: 1000}, {Group: plan.Group, Ledger: plan.ID, Requests: 100, Errors: failed},
	}})
}

// canaryPlant is a plant whose production takes traffic over in two steps, watched.
func canaryPlant(t *testing.T) *plant {
	p := newPlant(t)
	p.production(andon.Rollout{
		Strategy: andon.Canary, Canary: []andon.CanaryStep{{Weight: 10, Pause: time.Minute}, {Weight: 50, Pause: time.Minute}},
		Soak: time.Minute, Watch: &andon.Watch{Errors: 1, Least: 50},
	})
	return p
}

// production declares how production takes traffic over.
func (p *plant) production(r andon.Rollout) {
	p.t.Helper()
	p.must(CreatePlant{Environments: []andon.Environment{{Name: "production", Rollout: r, Hosts: "{service}.localhost"}}})
}

func TestCanary_RollsBackWhenTheNewGroupFailsMoreRequests(t *testing.T) {
	p := canaryPlant(t)
	p.Deployed("good")
	p.Push("bad")
	p.At("production", andon.StepPausing)
	p.judge("production", 30)
	d := p.place("production").Active
	want := "the new group is worse than the old one: 30.00 % of its 100 requests failed, against 0.00 % of 1000 of the old group"
	if d.Step != andon.StepReverting || d.Reason != want {
		t.Fatalf("it is %s: %s", d.Step, d.Reason)
	}
	p.Settle()
	if p.Live("production") != 1 {
		t.Error("the bad version is live")
	}
	p.maturity(2, andon.Rejected)
	p.cords(1)
}

func TestCanary_GoesThroughItsStepsWhenAllIsWell(t *testing.T) {
	p := canaryPlant(t)
	p.Deployed("a")
	p.Push("b")
	p.At("production", andon.StepPausing)
	if targets := p.place("production").Desired.Route.Targets; len(targets) != 4 || targets[0].Weight != 9 || targets[3].Weight != 1 {
		t.Errorf("at first the route is %+v", targets)
	}
	began := p.now
	p.judge("production", 0)
	p.Settle()
	if p.Live("production") != 2 || p.now.Sub(began) < 3*time.Minute {
		t.Errorf("%d is live after %s", p.Live("production"), p.now.Sub(began))
	}
}

func TestJudge_JournalsAVerdictOnlyWhenItChanges(t *testing.T) {
	p := canaryPlant(t)
	p.Deployed("a")
	p.Push("b")
	p.At("production", andon.StepPausing)
	id := p.place("production").Active.Plan.ID
	if n := len(p.must(Judge{Deployment: id})); n > 0 {
		t.Errorf("counters that are not there yet made %d events", n)
	}
	if n := len(p.judge("production", 0)); n != 1 {
		t.Errorf("the first verdict made %d events", n)
	}
	for _, requests := range []int64{100, 110, 5000, 100_000} {
		events := p.must(Judge{Deployment: id, Groups: []andon.GroupStats{{Group: "shop.production.1", Ledger: id, Requests: 1000}, {Group: andon.GroupID(id), Ledger: id, Requests: requests}}})
		if len(events) > 0 {
			t.Errorf("the same verdict made %d events", len(events))
		}
	}
	if n := len(p.judge("production", 100)); n > 0 {
		t.Errorf("a look that was taken is taken again, and made %d events", n)
	}
	p.must(Judge{Deployment: id, Groups: []andon.GroupStats{{Group: "shop.production.1", Ledger: id, Requests: 1000}, {Group: andon.GroupID(id), Ledger: id, Requests: 200_000, Errors: 20_000}}})
	if d := p.place("production").Active; d.Step != andon.StepReverting || !strings.Contains(d.Reason, "10.00 %") {
		t.Errorf("it is %s: %s", d.Step, d.Reason)
	}
	if n := len(p.judge("production", 0)); n > 0 {
		t.Errorf("one that goes back is judged still: %d events", n)
	}
}

func TestJudge_OutlivesARestart(t *testing.T) {
	p := canaryPlant(t)
	p.Deployed("a")
	p.Push("b")
	p.At("production", andon.StepPausing)
	p.judge("production", 0)
	p.reload()
	if n := len(p.judge("production", 0)); n > 0 {
		t.Errorf("the verdict that is known made %d events", n)
	}
	if j := p.place("production").Active.Judgement; j == nil || j.Verdict != andon.VerdictAlike {
		t.Errorf("the judgement is %+v", j)
	}
}

func TestObserve_JournalsNoCountsOfGroups(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	a := p.world.agents["local"]
	r := a.served["shop/production"]
	if r.Service == "" {
		for _, r = range a.served {
			break
		}
	}
	r.Generation++
	r.Groups = []andon.GroupStats{{Group: "g", Requests: 1}}
	events := p.must(Observe{Observation: andon.Observation{Agent: "local", Epoch: a.epoch, Routes: []andon.RouteState{r}}})
	if len(events) == 0 {
		t.Fatal("the new generation is no change")
	}
	for _, e := range events {
		if o, ok := e.Body.(andon.Observed); ok && len(o.Observation.Routes[0].Groups) > 0 {
			t.Errorf("journalled: %+v", o)
		}
	}
	if r.Groups == nil {
		t.Error("what the caller has was changed")
	}
}
