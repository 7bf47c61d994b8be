package line

import (
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func TestVersion_GoesFromPushToProduction(t *testing.T) {
	p := newPlant(t)
	p.checks.thorough = true
	n := p.Push("a1")
	p.Finish("test", andon.Succeeded)
	p.Finish("build", andon.Succeeded)
	p.Settle()
	p.ended(n, andon.Succeeded)
	p.maturity(n, andon.Certified)
	if p.Live("test") != 1 || p.Live("production") != 1 {
		t.Fatalf("live: test %d, production %d", p.Live("test"), p.Live("production"))
	}
	if got, want := p.json(p.replayed()), p.json(p.s); got != want {
		t.Errorf("replayed:\n%s\nis not\n%s", got, want)
	}
}

func TestPush_NumbersVersionsPerService(t *testing.T) {
	p := newPlant(t)
	if a, b := p.Push("a"), p.Push("b"); a != 1 || b != 2 {
		t.Errorf("numbered %d and %d", a, b)
	}
	p.service = "cart"
	if a := p.Push("a"); a != 1 {
		t.Errorf("the first version of another service is %d", a)
	}
}

func TestPush_OfAKnownCommitDoesNothing(t *testing.T) {
	p := newPlant(t)
	p.Push("a")
	if n := p.Push("a"); n != 0 {
		t.Errorf("the same commit became version %d", n)
	}
	p.PushTo("feature", "b")
	if events := p.must(Push{Service: "shop", Branch: "other", Commit: commit("b"), Pipeline: p.pipe}); len(events) > 0 {
		t.Errorf("a commit that is known on a branch caused %d events on another", len(events))
	}
}

func TestPush_OfABranchIsBuiltAndNotPromoted(t *testing.T) {
	p := newPlant(t)
	n := p.PushTo("feature", "a")
	p.Settle()
	p.ended(n, andon.Succeeded)
	if p.version(n).Artifact == nil {
		t.Error("it was not built")
	}
	if p.Live("test") != 0 {
		t.Error("it was deployed")
	}
	p.refused(andon.KindRefused, Deploy{Version: p.ref(n), Environment: "test"})
}

func TestPush_OfABranchThatFailsDoesNotStopTheLine(t *testing.T) {
	p := newPlant(t)
	n := p.PushTo("feature", "a")
	p.Finish("test", andon.Failed)
	p.ended(n, andon.Failed)
	p.cords(0)
}

func TestPush_ThatReachesTheTrunkKeepsNumberAndArtifact(t *testing.T) {
	p := newPlant(t)
	n := p.PushTo("feature", "a")
	p.Settle()
	queued := p.count("task_queued")
	if m := p.Push("a"); m != 0 {
		t.Fatalf("it became version %d", m)
	}
	p.Settle()
	if p.Live("production") != n {
		t.Fatalf("it is not in production: %s", p.waits())
	}
	for _, e := range p.events[queued:] {
		if b, ok := e.Body.(andon.TaskQueued); ok && b.Task.Stage == andon.CommitStageName && p.count("version_reached_trunk") == 0 {
			t.Error("it was built again")
		}
	}
	if p.version(n).runs(andon.CommitStageName) != 1 {
		t.Errorf("its commit stage ran %d times", p.version(n).runs(andon.CommitStageName))
	}
}

func TestPush_ThatReachesTheTrunkRejectedStopsTheLine(t *testing.T) {
	p := newPlant(t)
	p.PushTo("feature", "a")
	p.Finish("test", andon.Failed)
	p.Push("a")
	p.cords(1)
}

func TestPush_WithAProblemIsRejectedAndStopsTheLine(t *testing.T) {
	p := newPlant(t)
	p.must(Push{Service: "shop", Branch: "main", Commit: commit("a"), Problem: andon.Errorf(andon.KindInvalid, "andon.yaml:3: unknown key")})
	p.maturity(1, andon.Rejected)
	p.ended(1, andon.Failed)
	p.cords(1)
	p.Built("b")
	p.cords(0)
}

func TestCommitStage_FirstFailureEndsItAndCancelsTheRest(t *testing.T) {
	p := newPlant(t)
	p.pipe.Commit.Jobs[1].Needs = nil
	n := p.Push("a")
	p.Finish("test", andon.Failed)
	p.ended(n, andon.Failed)
	p.maturity(n, andon.Rejected)
	if why := p.version(n).Ended.Reason; !strings.Contains(why, "test") || !strings.Contains(why, "cancelled because of that: build") {
		t.Errorf("the reason says %q", why)
	}
	left := p.s.Tasks["shop.1.commit.build.1"]
	if left == nil || !left.Cancel {
		t.Fatalf("the agent was not asked to end the other job: %+v", left)
	}
	p.Settle()
	if len(p.s.Tasks) > 0 {
		t.Error("the other job never ends")
	}
}

func TestCommitStage_WithoutItsArtifactFails(t *testing.T) {
	p := newPlant(t)
	n := p.Push("a")
	p.Finish("test", andon.Succeeded)
	build := p.s.Tasks["shop.1.commit.build.1"]
	p.must(FinishTask{Agent: build.Agent, Task: build.Task.ID, Token: build.Token, Result: andon.TaskResult{Outcome: andon.Succeeded}})
	p.ended(n, andon.Failed)
}

func TestCommitStage_OverItsBudgetIsSlow(t *testing.T) {
	p := newPlant(t)
	p.pipe.Commit.Budget = time.Minute
	n := p.Push("a")
	p.Finish("test", andon.Succeeded)
	p.world.pass(2 * time.Minute)
	p.Finish("build", andon.Succeeded)
	if end := p.version(n).Stages[0]; !end.Slow || end.Took != 2*time.Minute {
		t.Errorf("the commit stage is not slow: %+v", end)
	}
}

func TestPipeline_WithoutStagesEndsAfterTheCommitStage(t *testing.T) {
	p := newPlant(t)
	p.pipe.Stages, p.pipe.Run = nil, nil
	n := p.Built("a")
	p.ended(n, andon.Succeeded)
}

func TestCommitStages_AllRun(t *testing.T) {
	p := newPlant(t)
	p.Push("a")
	p.Push("b")
	p.Push("c")
	p.Settle()
	for n := andon.VersionNumber(1); n <= 3; n++ {
		if p.version(n).Artifact == nil {
			t.Errorf("%d was not built", n)
		}
	}
}

func TestStage_NewerVersionSupersedesTheOneThatWaits(t *testing.T) {
	p := newPlant(t)
	p.world.job = holding("e2e")
	p.Push("a")
	p.Until("1 is tested", func() bool { return p.s.Tasks["shop.1.acceptance.e2e.1"] != nil })
	p.Push("b")
	p.Push("c")
	p.Until("3 is built", func() bool { return p.version(3).Artifact != nil && p.version(2).Artifact != nil })
	p.ended(2, andon.Superseded)
	if by := p.version(2).Ended.By; by != 3 {
		t.Errorf("2 was superseded by %d", by)
	}
	if w := p.waiting(3, andon.WaitLock); w.On != "shop 1" {
		t.Errorf("3 waits for %q", w.On)
	}
	p.world.job = nil
	p.Settle()
	if p.Live("production") != 3 {
		t.Errorf("%d is live", p.Live("production"))
	}
}

func TestStage_OlderVersionThatComesLateIsSuperseded(t *testing.T) {
	p := newPlant(t)
	p.world.job = func(task *andon.Task) andon.Outcome {
		if task.Version.Number == 1 {
			return ""
		}
		return andon.Succeeded
	}
	p.Push("slow")
	p.Push("fast")
	p.Settle()
	if p.Live("production") != 2 {
		t.Fatalf("2 is not live: %s", p.waits())
	}
	p.world.job = nil
	p.Settle()
	p.ended(1, andon.Superseded)
	if p.Live("production") != 2 || p.Live("test") != 2 {
		t.Error("an older version went over a newer one")
	}
}

func TestPlace_IsHeldThroughTheJobsOfItsStage(t *testing.T) {
	p := newPlant(t)
	p.world.job = holding("e2e")
	p.Push("a")
	p.Until("1 is tested", func() bool { return p.s.Tasks["shop.1.acceptance.e2e.1"] != nil })
	if p.place("test").Active != nil {
		t.Fatal("the deployment has not ended")
	}
	p.by = "alice"
	p.Built2("b")
	p.waiting(2, andon.WaitLock)
}

// Built2 pushes a commit and ends its commit stage while other jobs run.
func (p *plant) Built2(name string) {
	p.t.Helper()
	n := p.Push(name)
	p.Until("it is built", func() bool { return p.version(n).Artifact != nil })
}

func TestPromote_AdmitsPastAManualGate(t *testing.T) {
	p := newPlant(t)
	p.pipe = withGate(p.pipe, "production")
	p.Push("a")
	p.Settle()
	w := p.waiting(1, andon.WaitApproval)
	if w.Action != "andon promote shop 1 production" {
		t.Errorf("the action is %q", w.Action)
	}
	p.must(Promote{Version: p.ref(1), Stage: "production"})
	p.Settle()
	if p.Live("production") != 1 {
		t.Error("it is not live")
	}
}

func TestPromote_IsRefusedWhereNothingWaits(t *testing.T) {
	p := newPlant(t)
	p.pipe = withGate(p.pipe, "production")
	p.Push("a")
	p.refused(andon.KindConflict, Promote{Version: p.ref(1), Stage: "production"}) // not there yet
	p.refused(andon.KindInvalid, Promote{Version: p.ref(1), Stage: "certify"})     // no gate
	p.refused(andon.KindInvalid, Promote{Version: p.ref(1), Stage: "nowhere"})
	p.refused(andon.KindNotFound, Promote{Version: p.ref(7), Stage: "production"})
}

func TestPromote_ReopensAVersionThatWasSupersededAtTheGate(t *testing.T) {
	p := newPlant(t)
	p.pipe = withGate(p.pipe, "production")
	p.Push("a")
	p.Settle()
	p.Push("b")
	p.Settle()
	p.ended(1, andon.Superseded)
	p.waiting(2, andon.WaitApproval)
	p.must(Promote{Version: p.ref(1), Stage: "production"})
	p.Settle()
	if p.Live("production") != 1 {
		t.Error("1 is not live")
	}
	p.must(Promote{Version: p.ref(2), Stage: "production"})
	p.Settle()
	if p.Live("production") != 2 {
		t.Error("2 is not live")
	}
}

func TestPromote_DoesNotReopenAVersionThatHasNotPassedTheStagesBefore(t *testing.T) {
	p := newPlant(t)
	p.pipe = withGate(p.pipe, "production")
	p.world.job = holding("e2e")
	p.Push("a")
	p.Until("1 is tested", func() bool { return p.s.Tasks["shop.1.acceptance.e2e.1"] != nil })
	p.Built2("b")
	p.Built2("c")
	p.ended(2, andon.Superseded)
	p.refused(andon.KindRefused, Promote{Version: p.ref(2), Stage: "production"})
}

func TestDeploy_NeedsTheMaturityOfTheEnvironment(t *testing.T) {
	p := newPlant(t)
	p.pipe = withGate(p.pipe, "certify")
	p.Push("a")
	p.Settle()
	p.maturity(1, andon.ReleaseCandidate)
	if why := p.refused(andon.KindRefused, Deploy{Version: p.ref(1), Environment: "production"}); !strings.Contains(why, "certified") {
		t.Errorf("it says %q", why)
	}
	p.must(Promote{Version: p.ref(1), Stage: "certify"})
	p.Settle()
	p.must(Deploy{Version: p.ref(1), Environment: "production", Reason: "again"})
	p.Settle()
	if last := p.place("production").Last; last.Outcome != andon.Succeeded || last.Plan.Stage != "" {
		t.Errorf("the deployment ended %+v", last)
	}
}

func TestDeploy_NewerWishSupersedesTheOneThatWaits(t *testing.T) {
	p := newPlant(t)
	p.Deployed("a")
	p.must(PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "stop"})
	p.must(Deploy{Version: p.ref(1), Environment: "test"})
	first := p.place("test").Queued[0].Plan.ID
	p.must(Deploy{Version: p.ref(1), Environment: "test"})
	if last := p.place("test").Last; last.Plan.ID != first || last.Outcome != andon.Superseded {
		t.Errorf("the first wish ended %+v", last)
	}
}

// holding lets all jobs succeed but those of one name, which go on.
func holding(job andon.JobName) func(*andon.Task) andon.Outcome {
	return func(t *andon.Task) andon.Outcome {
		if t.Job == job {
			return ""
		}
		return andon.Succeeded
	}
}

// failing lets all jobs succeed but those of one version and name.
func failing(n andon.VersionNumber, job andon.JobName) func(*andon.Task) andon.Outcome {
	return func(t *andon.Task) andon.Outcome {
		if t.Version.Number == n && (t.Job == job || t.Kind == andon.TaskSmoke && job == "smoke") {
			return andon.Failed
		}
		return andon.Succeeded
	}
}

// count counts the events of a name.
func (p *plant) count(name string) int {
	n := 0
	for _, e := range p.events {
		if e.Body.EventName() == name {
			n++
		}
	}
	return n
}
