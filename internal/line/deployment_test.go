package line

import (
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func TestDeployment_FailedSmokeLeavesProductionAsItWas(t *testing.T) {
	p := newPlant(t)
	p.Deployed("good")
	before := p.place("production").Desired
	p.pipe = withGate(p.pipe, "production")
	p.Push("bad")
	p.Settle()
	p.world.job = failing(2, "smoke")
	p.must(Promote{Version: p.ref(2), Stage: "production"})
	p.Settle()
	p.maturity(2, andon.Rejected)
	p.cords(1)
	after := p.place("production").Desired
	if p.Live("production") != 1 || len(after.Copies) != 2 || !sameTargets(before.Route, after.Route) {
		t.Errorf("production is %+v", after)
	}
	for _, e := range p.events {
		if b, ok := e.Body.(andon.DesiredChanged); ok && b.Desired.Environment == "production" && b.Desired.Route != nil {
			for _, target := range b.Desired.Route.Targets {
				if strings.HasPrefix(string(target.Instance), "shop.production.2.") {
					t.Error("an untested copy had traffic")
				}
			}
		}
	}
}

func TestDeployment_CopyThatRestartsAfterItsSmokeTestIsTestedAgain(t *testing.T) {
	p := newPlant(t)
	restarted := andon.InstanceID("")
	p.world.job = func(task *andon.Task) andon.Outcome {
		if task.Kind == andon.TaskSmoke && restarted == "" {
			restarted = task.Instance
			p.world.revive(restarted) // while it is tested, and it is well again at once
		}
		return andon.Succeeded
	}
	p.Deployed("good")
	tests := map[andon.TaskID]bool{}
	for _, e := range p.events {
		if b, ok := e.Body.(andon.TaskQueued); ok && b.Task.Instance == restarted {
			tests[b.Task.ID] = true
		}
	}
	if len(tests) != 2 {
		t.Errorf("%s was tested as %v, want twice", restarted, tests)
	}
}

func sameTargets(a, b *andon.Route) bool {
	if a == nil || b == nil || len(a.Targets) != len(b.Targets) {
		return false
	}
	for i := range a.Targets {
		if a.Targets[i] != b.Targets[i] {
			return false
		}
	}
	return true
}

func TestDeployment_FirstOneThatFailsLeavesNothing(t *testing.T) {
	for name, phase := range map[string]andon.Phase{
		"never healthy": andon.PhaseStarting, "cannot run": andon.PhaseFailed, "crash loop": andon.PhaseExited,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlant(t)
			p.world.sick[1] = phase
			p.Push("a")
			p.Settle()
			p.ended(1, andon.Failed)
			d := p.place("test")
			if len(d.Desired.Copies) > 0 || len(d.Copies) > 0 || d.Live != nil || d.Last.Outcome != andon.Failed {
				t.Errorf("left: %+v, last %+v", d.Desired, d.Last)
			}
		})
	}
}

func TestDeployment_UnhealthyDuringSoakGoesBackInOneSwitch(t *testing.T) {
	p := newPlant(t)
	p.Deployed("good")
	p.Push("bad")
	p.At("production", andon.StepSoaking)
	switches := p.routeChanges("production")
	p.world.sick[2] = andon.PhaseUnhealthy
	p.At("production", andon.StepReverting)
	p.Settle()
	if p.Live("production") != 1 {
		t.Fatalf("live is %d", p.Live("production"))
	}
	if n := p.routeChanges("production") - switches; n != 1 {
		t.Errorf("it took %d switches", n)
	}
	p.maturity(2, andon.Rejected)
}

// routeChanges counts how often the route of an environment was changed.
func (p *plant) routeChanges(env andon.EnvironmentName) int {
	n := 0
	var last *andon.Route
	for _, e := range p.events {
		if b, ok := e.Body.(andon.DesiredChanged); ok && b.Desired.Environment == env && !sameRoute(last, b.Desired.Route) {
			last = b.Desired.Route
			n++
		}
	}
	return n
}

func TestDeployment_CancelledRevertsAndEndsItsStage(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.Push("b")
	d := p.At("production", andon.StepSoaking)
	p.by = "alice"
	p.must(Cancel{Deployment: d.Plan.ID, Reason: "not now"})
	p.ended(2, andon.Cancelled)
	p.refused(andon.KindConflict, Cancel{Deployment: d.Plan.ID})
	p.Settle()
	if p.Live("production") != 1 || p.place("production").Last.Outcome != andon.Aborted {
		t.Errorf("ended %+v", p.place("production").Last)
	}
	p.cords(0)
	p.maturity(2, andon.Certified)
	p.must(Rerun{Version: p.ref(2)})
	p.Settle()
	if p.Live("production") != 2 {
		t.Error("the rerun is not live")
	}
}

func TestDeployment_HungDrainEndsWithItsTime(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.world.hang[1] = true
	p.Push("b")
	p.At("production", andon.StepDraining)
	w := p.waiting(2, andon.WaitDrain)
	if w.Until.Sub(p.now) > 10*time.Second {
		t.Errorf("it waits until %s", w.Until)
	}
	p.Settle()
	if p.Live("production") != 2 {
		t.Error("it is not live")
	}
}

func TestDeployment_OnAnAgentThatGoesAwayFailsAndIsRestoredWhenItIsBack(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.Push("b")
	p.At("production", andon.StepPlacing)
	p.world.lose(p.world.agents["local"])
	p.waiting(2, andon.WaitAgent)
	p.Settle()
	if last := p.place("production").Last; last.Outcome != andon.Failed {
		t.Fatalf("it ended %+v", last)
	}
	p.world.connect("local", 2)
	p.Settle()
	for _, r := range p.place("production").Copies {
		if r.Observed.Phase != andon.PhaseHealthy {
			t.Errorf("%+v", r)
		}
	}
	if len(p.place("production").Copies) != 2 {
		t.Error("the new copies were not taken away")
	}
}

func TestRollback_MakesThePreviousReleaseLiveAndQuarantinesTheBadOne(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	was := *p.place("production").Live
	p.Deployed("b")
	p.must(Rollback{Place: andon.Place{Service: "shop", Environment: "production"}, Reason: "prices are wrong"})
	p.maturity(2, andon.Quarantined)
	p.cords(1)
	if c := p.s.Cords[0]; c.Reason != "rolled back from 2 to 1: prices are wrong" || c.Fix.Stage != "production" || c.Fix.After != 2 {
		t.Errorf("the cord is %+v", c)
	}
	p.Settle()
	now := p.place("production").Live
	if now.Artifact != was.Artifact || now.Config != was.Config || now.Version != 1 {
		t.Errorf("live is %+v", now)
	}
	p.refused(andon.KindRefused, Deploy{Version: p.ref(2), Environment: "production"})
	p.refused(andon.KindRefused, Rollback{Place: andon.Place{Service: "shop", Environment: "production"}, To: 2})
	p.Deployed("fix")
	p.cords(0)
}

func TestRollback_InTheMiddleOfADeploymentAbortsIt(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.Push("b")
	p.At("production", andon.StepSoaking)
	deployments := p.place("production").Deployments
	p.must(Rollback{Place: andon.Place{Service: "shop", Environment: "production"}})
	p.maturity(2, andon.Quarantined)
	p.ended(2, andon.Cancelled)
	p.Settle()
	d := p.place("production")
	if d.Live.Version != 1 || d.Last.Outcome != andon.Aborted || d.Deployments != deployments {
		t.Errorf("live %d, last %+v", d.Live.Version, d.Last)
	}
	p.refused(andon.KindConflict, Rollback{Place: andon.Place{Service: "shop", Environment: "production"}})
}

func TestRollback_ToAnOlderOneInTheMiddleOfADeployment(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.Deployed("b")
	p.Push("c")
	p.At("production", andon.StepSwitching)
	p.must(Rollback{Place: andon.Place{Service: "shop", Environment: "production"}, To: 1})
	p.Settle()
	p.maturity(3, andon.Quarantined)
	if p.Live("production") != 1 {
		t.Errorf("%d is live", p.Live("production"))
	}
}

func TestRollback_KeepsOutWhatWasOnItsWay(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.Deployed("b")
	p.pipe = withGate(p.pipe, "production")
	p.Push("c")
	p.Settle()
	p.must(Rollback{Place: andon.Place{Service: "shop", Environment: "production"}})
	p.Settle()
	p.must(Promote{Version: p.ref(3), Stage: "production"})
	p.waiting(3, andon.WaitCord)
	p.Push("d")
	p.Settle()
	p.must(Promote{Version: p.ref(4), Stage: "production"})
	p.Settle()
	p.cords(0)
	if p.Live("production") != 4 {
		t.Errorf("%d is live", p.Live("production"))
	}
}

func TestRollback_StopsTheBadVersionInOtherEnvironmentsToo(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.Push("b")
	p.At("production", andon.StepSoaking)
	p.must(Rollback{Place: andon.Place{Service: "shop", Environment: "test"}, Reason: "it is bad"})
	p.Settle()
	if p.Live("test") != 1 || p.Live("production") != 1 {
		t.Errorf("live: test %d, production %d", p.Live("test"), p.Live("production"))
	}
}

func TestRollback_ComesBeforeAStageThatWaitsForItsAgent(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.Deployed("b")
	p.pipe = withGate(p.pipe, "production")
	p.Push("c")
	p.Settle()
	p.world.lose(p.world.agents["local"])
	p.must(Promote{Version: p.ref(3), Stage: "production"})
	p.must(Rollback{Place: andon.Place{Service: "shop", Environment: "production"}})
	p.world.connect("local", 2)
	p.Settle()
	if p.Live("production") != 1 {
		t.Errorf("%d is live", p.Live("production"))
	}
}

func TestRollback_WithNothingToGoBackTo(t *testing.T) {
	p := newPlant(t)
	pl := andon.Place{Service: "shop", Environment: "production"}
	p.refused(andon.KindNotFound, Rollback{Place: pl})
	p.Deployed("a")
	p.refused(andon.KindConflict, Rollback{Place: pl})
	p.refused(andon.KindConflict, Rollback{Place: pl, To: 1})
	p.refused(andon.KindRefused, Rollback{Place: pl, To: 9})
}

func TestRollback_PassesAStoppedLine(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.Deployed("b")
	p.must(PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "stop"})
	p.must(Rollback{Place: andon.Place{Service: "shop", Environment: "production"}})
	p.Settle()
	if p.Live("production") != 1 {
		t.Error("it was held")
	}
}

func TestRevert_WhoseOldCopiesDoNotComeBackNeedsAttention(t *testing.T) {
	p := newPlant(t)
	p.must(CreatePlant{Environments: []andon.Environment{{Name: "production", Rollout: andon.Rollout{Strategy: andon.Rolling}, Hosts: "{service}.localhost"}}})
	p.Deployed("a")
	p.Push("b")
	p.Until("one old copy is gone", func() bool {
		d := p.place("production")
		return d.Active != nil && d.Active.Plan.Release.Version == 2 && len(d.Desired.Copies) == 2 && d.Desired.Copies[1].Version == 2
	})
	p.world.sick[1], p.world.sick[2] = andon.PhaseUnhealthy, andon.PhaseUnhealthy
	p.Settle()
	d := p.place("production")
	if d.Last.Outcome != andon.NeedsAttention || d.Live.Version != 1 {
		t.Fatalf("it ended %+v", d.Last)
	}
	p.ended(2, andon.NeedsAttention)
	p.cords(1)
	delete(p.world.sick, 1)
	p.Settle()
	for _, c := range d.Desired.Copies {
		if c.Version != 1 || !d.Desired.Routed(c.ID) {
			t.Errorf("what should be is not what was: %+v", c)
		}
	}
}

func TestRemoveService_StopsItsCopiesAndLetsTheNameBeUsedAgain(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.Push("b")
	p.At("production", andon.StepSwitching)
	p.must(RemoveService{Service: "shop", Reason: "gone"})
	p.Settle()
	if len(p.s.Services) > 0 || len(p.s.Places) > 0 || len(p.s.Tasks) > 0 || len(p.world.agents["local"].copies) > 0 {
		t.Fatalf("left: %s", p.json(p.s))
	}
	p.must(AddService{Service: "shop"})
	if n := p.Deployed("a"); n != 3 {
		t.Errorf("the same commit is version %d now", n)
	}
	if id := p.place("production").Last.Plan.ID; id != "shop.production.3" {
		t.Errorf("the deployment %s has an ID that was used", id)
	}
}

func TestWorker_IsDeployedWithoutARoute(t *testing.T) {
	p := newPlant(t)
	p.pipe.Run.Port, p.pipe.Smoke = 0, nil
	p.Deployed("a")
	p.Deployed("b")
	if d := p.place("production").Desired; d.Route != nil || len(d.Copies) != 2 {
		t.Errorf("desired is %+v", d)
	}
}

func TestRestart_SoakIsNotOverBeforeTheAgentSaysThatAllIsWell(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.Push("b")
	p.At("production", andon.StepSoaking)
	p.world.pass(time.Hour) // the server is away meanwhile
	p.reload()
	if step := p.place("production").Active.Step; step != andon.StepSoaking {
		t.Fatalf("it went on to %s", step)
	}
	if w := p.waiting(2, andon.WaitAgent); w.On != "local" {
		t.Errorf("it waits for %+v", w)
	}
	p.world.sick[2] = andon.PhaseUnhealthy
	for p.world.converge(p.world.agents["local"]) {
	}
	p.world.connect("local", 2)
	if step := p.place("production").Active.Step; step != andon.StepSoaking {
		t.Errorf("after one probe that failed it is at %s", step)
	}
	p.world.pass(3 * time.Second) // the next probe found it no better
	p.do(Tick{})
	if step := p.place("production").Active.Step; step != andon.StepReverting {
		t.Errorf("it is at %s", step)
	}
	p.Settle()
	if p.Live("production") != 1 {
		t.Error("the bad version is live")
	}
}

func TestRestart_GoesOnWhenAnAgentThatKeptItsConnectionSaysNothing(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.Push("b")
	p.At("production", andon.StepSoaking)
	p.reload()
	p.Settle()
	if p.Live("production") != 2 {
		t.Error("it is not live")
	}
}
