package line

import (
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestCord_RedStageStopsTheLineAndTheFixReleasesIt(t *testing.T) {
	p := newPlant(t)
	p.Deployed("good")
	p.world.job = failing(2, "e2e")
	p.Push("bad")
	p.Settle()
	p.maturity(2, andon.Rejected)
	p.cords(1)
	c := p.s.Cords[0]
	if c.Fix == nil || *c.Fix != (andon.Fix{Service: "shop", Broken: 2, After: 2, Stage: "acceptance"}) || c.Scope.Service != "shop" {
		t.Fatalf("the cord is %+v", c)
	}
	if p.Live("production") != 1 {
		t.Error("production changed")
	}
	p.Deployed("fix")
	p.cords(0)
	if p.count("cord_released") != 1 {
		t.Error("it was not released once")
	}
}

func TestCord_HoldsTheFixBehindTheStageThatFailed(t *testing.T) {
	p := newPlant(t)
	p.world.job = failing(1, "e2e")
	p.Push("bad")
	p.Settle()
	p.must(PullCord{Scope: andon.Scope{Kind: andon.ScopeEnvironment, Environment: "production"}, Reason: "freeze"})
	p.Push("fix")
	p.Settle()
	p.cords(1) // the fix passed what had failed; a person's cord stays
	if w := p.waiting(2, andon.WaitCord); w.On != string(p.s.Cords[0].ID) || !strings.HasPrefix(w.Action, "andon cord release") {
		t.Errorf("it waits for %+v", w)
	}
	p.must(ReleaseCord{Cord: p.s.Cords[0].ID, Reason: "thaw"})
	p.Settle()
	if p.Live("production") != 2 {
		t.Error("it is not live")
	}
}

func TestCord_HoldsVersionsThatWereOnTheirWay(t *testing.T) {
	p := newPlant(t)
	p.world.job = func(task *andon.Task) andon.Outcome {
		switch {
		case task.Version.Number == 1 && task.Stage == andon.CommitStageName:
			return "" // slower than the next one
		case task.Version.Number == 2 && task.Job == "build":
			return andon.Failed
		}
		return andon.Succeeded
	}
	p.Push("a")
	p.Push("b")
	p.Settle()
	p.cords(1)
	p.world.job = nil
	p.Settle()
	p.waiting(1, andon.WaitCord) // 1 comes before what broke: it cannot be the fix
}

func TestCord_RerunOfTheBrokenVersionReleasesIt(t *testing.T) {
	p := newPlant(t)
	p.world.job = failing(1, "e2e")
	p.Push("flaky")
	p.Settle()
	p.cords(1)
	p.world.job = nil
	p.must(Rerun{Version: p.ref(1)})
	p.maturity(1, andon.Development)
	p.Settle()
	p.cords(0)
	if p.Live("production") != 1 {
		t.Error("it is not live")
	}
}

func TestCord_FailedFixLeavesItPulledOnce(t *testing.T) {
	p := newPlant(t)
	p.world.job = func(task *andon.Task) andon.Outcome {
		if task.Job == "e2e" {
			return andon.Failed
		}
		return andon.Succeeded
	}
	p.Push("bad")
	p.Settle()
	p.Push("worse")
	p.Settle()
	p.cords(1)
	p.world.job = nil
	p.Push("good")
	p.Settle()
	p.cords(0)
}

func TestCord_PulledTwiceForOneScopeIsAConflict(t *testing.T) {
	p := newPlant(t)
	p.must(PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "stop"})
	p.refused(andon.KindConflict, PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "stop again"})
	p.must(PullCord{Scope: andon.Scope{Kind: andon.ScopeEnvironment, Environment: "test"}, Reason: "stop"})
	p.cords(2)
	p.must(ReleaseCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "go"})
	p.cords(1)
}

func TestCord_NeedsAReasonAndAnExistingScope(t *testing.T) {
	p := newPlant(t)
	p.refused(andon.KindInvalid, PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}})
	p.refused(andon.KindNotFound, PullCord{Scope: andon.Scope{Kind: andon.ScopeService, Service: "cart"}, Reason: "stop"})
	p.refused(andon.KindInvalid, PullCord{Scope: andon.Scope{Kind: "galaxy"}, Reason: "stop"})
	p.refused(andon.KindInvalid, ReleaseCord{Cord: "cord-1"})
	p.refused(andon.KindNotFound, ReleaseCord{Cord: "cord-1", Reason: "go"})
}

func TestCord_LetsCommitsBuild(t *testing.T) {
	p := newPlant(t)
	p.must(PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "stop"})
	n := p.Built("a")
	if p.version(n).Artifact == nil {
		t.Error("it was not built")
	}
	p.waiting(n, andon.WaitCord)
}

func TestCord_HeldDeploymentDoesNotKeepTheFixOut(t *testing.T) {
	p := newPlant(t)
	p.Deployed("good")
	p.world.job = failing(2, "e2e")
	p.Push("bad")
	p.Settle()
	p.must(Deploy{Version: p.ref(1), Environment: "test"}) // a person's wish for what is no fix
	p.waiting(1, andon.WaitCord)
	p.world.job = nil
	p.Push("fix")
	p.Settle()
	p.cords(0)
}
