package line

import (
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestTask_OfAnAgentThatGoesAwayIsTriedAgain(t *testing.T) {
	p := newPlant(t)
	p.Push("a")
	for attempt := 1; attempt <= maxAttempts; attempt++ {
		task := p.s.Tasks["shop.1.commit.test.1"]
		if task == nil || task.Attempt != attempt {
			t.Fatalf("attempt %d: %+v", attempt, task)
		}
		p.must(ExpireLease{Task: task.Task.ID, Token: task.Token})
	}
	p.ended(1, andon.Failed)
}

func TestTask_StaleTokenIsAConflict(t *testing.T) {
	p := newPlant(t)
	p.Push("a")
	task := *p.s.Tasks["shop.1.commit.test.1"]
	p.must(ExpireLease{Task: task.Task.ID, Token: task.Token})
	p.refused(andon.KindConflict, FinishTask{Agent: task.Agent, Task: task.Task.ID, Token: task.Token, Result: result(&task, andon.Succeeded, p.now)})
	p.Finish("test", andon.Succeeded)
	if events := p.must(ExpireLease{Task: task.Task.ID, Token: task.Token}); len(events) > 0 {
		t.Error("a stale lease expired")
	}
}

func TestTask_WaitsForASlot(t *testing.T) {
	p := newPlant(t)
	for _, name := range []string{"a", "b", "c"} {
		p.Push(name)
	}
	w := p.waiting(3, andon.WaitAgent)
	if w.Task != "shop.3.commit.test.1" || w.Reason != "no slot is free on the only connected agent that has any" {
		t.Errorf("it waits for %+v", w)
	}
	p.world.connect("more", 1)
	if p.s.Tasks["shop.3.commit.test.1"].Agent != "more" {
		t.Error("the new agent was not used")
	}
}

func TestTask_GoesToAnAgentWithoutSlotsOnlyBesideItsCopies(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.world.connect("local", 0) // it comes back, for copies alone
	p.Push("b")
	if w := p.waiting(2, andon.WaitAgent); w.Reason != "no connected agent has slots for jobs" || w.Action == "" {
		t.Errorf("it waits for %+v", w)
	}
	p.world.connect("builder", 2)
	if got := p.s.Tasks["shop.2.commit.test.1"].Agent; got != "builder" {
		t.Errorf("the build went to %q", got)
	}
	p.Until("a job of the stage that deployed is out", func() bool {
		t := p.s.Tasks["shop.2.acceptance.e2e.1"]
		return t != nil && t.Agent != ""
	})
	if got := p.s.Tasks["shop.2.acceptance.e2e.1"].Agent; got != "local" {
		t.Errorf("the job beside the copies went to %q", got)
	}
}

func TestTask_WithoutAnyAgentSaysSo(t *testing.T) {
	p := barePlant(t)
	p.must(CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()})
	p.Push("a")
	if w := p.waiting(1, andon.WaitAgent); w.Reason != "no agent is connected" {
		t.Errorf("it says %q", w.Reason)
	}
}

func TestSmoke_TakesNoSlot(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.world.job = func(task *andon.Task) andon.Outcome {
		if task.Kind == andon.TaskJob && task.Version.Number > 2 {
			return ""
		}
		return andon.Succeeded
	}
	p.pipe = withGate(p.pipe, "production")
	p.Push("b")
	p.Settle()
	p.Push("c")
	p.Push("d")
	p.must(Promote{Version: p.ref(2), Stage: "production"})
	p.Settle()
	if p.Live("production") != 2 {
		t.Errorf("a deployment waited for builds: %s", p.waits())
	}
}

func TestAgent_NewConnectionKeepsItsLeasesAndFencesTheOldOne(t *testing.T) {
	p := newPlant(t)
	p.Push("a")
	task := *p.s.Tasks["shop.1.commit.test.1"]
	old := p.s.Agents["local"].Epoch
	p.world.connect("local", 2)
	p.refused(andon.KindConflict, Observe{Observation: andon.Observation{Agent: "local", Epoch: old}})
	p.refused(andon.KindConflict, FinishTask{Agent: "local", Epoch: old, Task: task.Task.ID, Token: task.Token, Result: result(&task, andon.Succeeded, p.now)})
	p.must(FinishTask{Agent: "local", Epoch: old + 1, Task: task.Task.ID, Token: task.Token, Result: result(&task, andon.Succeeded, p.now)})
}

func TestAgent_LostGivesItsTasksToOthers(t *testing.T) {
	p := newPlant(t)
	p.Push("a")
	p.world.connect("other", 1)
	p.world.lose(p.world.agents["local"])
	if task := p.s.Tasks["shop.1.commit.test.1"]; task.Agent != "other" || task.Attempt != 2 {
		t.Errorf("the task is %+v", task)
	}
	if events := p.must(LoseAgent{Agent: "local", Epoch: 1, Reason: "again"}); len(events) > 0 {
		t.Error("it was lost twice")
	}
}

func TestObserve_OfWhatIsKnownIsNoEvent(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	a := p.world.agents["local"]
	before := len(p.events)
	p.world.attest(a, true)
	if len(p.events) > before {
		t.Errorf("%d events", len(p.events)-before)
	}
}

func TestObserve_OfACopyThatNobodyPlacedTakesItAway(t *testing.T) {
	p := newPlant(t)
	a := p.world.agents["local"]
	a.copies["ghost.test.7.0"] = &simCopy{phase: andon.PhaseHealthy}
	p.Settle()
	if len(a.copies) > 0 || len(p.s.Places) > 0 {
		t.Errorf("it is still there: %s", p.json(p.s))
	}
}

func TestCancel_OfAVersionInItsCommitStage(t *testing.T) {
	p := newPlant(t)
	p.Push("a")
	p.refused(andon.KindConflict, Cancel{Version: p.ref(1), Stage: "production"})
	p.must(Cancel{Version: p.ref(1), Stage: "commit"})
	p.ended(1, andon.Cancelled)
	p.cords(0)
	p.Settle()
	p.must(Rerun{Version: p.ref(1)})
	p.Settle()
	if p.Live("production") != 1 {
		t.Error("the rerun is not live")
	}
}

func TestRerun_IsRefusedWhereThereIsNothingToRunAgain(t *testing.T) {
	p := newPlant(t)
	p.Push("a")
	p.refused(andon.KindConflict, Rerun{Version: p.ref(1)})
	p.Settle()
	p.refused(andon.KindConflict, Rerun{Version: p.ref(1)})
	p.refused(andon.KindInvalid, Rerun{})
	p.refused(andon.KindConflict, Rerun{Deployment: "shop.production.1"})
	p.refused(andon.KindNotFound, Rerun{Deployment: "shop.production.7"})
	p.must(Push{Service: "shop", Branch: "main", Commit: commit("b"), Problem: andon.Errorf(andon.KindInvalid, "no")})
	p.refused(andon.KindRefused, Rerun{Version: p.ref(2)})
}

func TestTask_OfAServiceWithoutAnyTakesTheNextFreeSlot(t *testing.T) {
	p := newPlant(t) // with one agent of two slots
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		p.Push(name)
	}
	p.service = "cart"
	p.Push("f")
	if t1 := p.s.Tasks["cart.1.commit.test.1"]; t1 == nil || t1.Agent != "" {
		t.Fatalf("it is not in the queue: %+v", t1)
	}
	p.finishTask(p.s.Tasks["shop.1.commit.test.1"], andon.Failed)
	if p.s.Tasks["cart.1.commit.test.1"].Agent == "" || p.s.Tasks["shop.3.commit.test.1"].Agent != "" {
		t.Error("the slot went to the service that has the other one already")
	}
	p.finishTask(p.s.Tasks["shop.2.commit.test.1"], andon.Failed)
	if p.s.Tasks["shop.3.commit.test.1"].Agent == "" {
		t.Error("with one job each, the slot did not go to who has waited longest")
	}
}
