package agent

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
)

func lease(token andon.Token, kind andon.TaskKind) andon.Lease {
	return andon.Lease{
		Task:  andon.Task{ID: andon.TaskID(fmt.Sprintf("shop.1.commit.job%d.1", token)), Kind: kind, Version: andon.VersionRef{Service: "shop", Number: 1}},
		Agent: "local", Attempt: 1, Token: token,
	}
}

func succeed(context.Context, andon.Lease, runner.Surroundings) andon.TaskResult {
	return andon.TaskResult{Outcome: andon.Succeeded}
}

func (w *world) wantReports(want ...string) {
	w.t.Helper()
	got := w.plant.reported()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.t.Errorf("reported were %v, want %v", got, want)
	}
}

func TestTasks_LogIsThereBeforeTheResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.script = func(_ context.Context, l andon.Lease, at runner.Surroundings) andon.TaskResult {
			fmt.Fprintln(at.Log, "hello")
			return andon.TaskResult{Outcome: andon.Succeeded}
		}
		w.agent()
		w.plant.set([]andon.Lease{lease(1, andon.TaskJob)})
		after(time.Second)
		w.wantReports("1=succeeded")
		if got := w.plant.log("task/shop.1.commit.job1.1/1"); got != "hello\n" {
			t.Errorf("the log is %q", got)
		}
		// The server still names the lease for a moment: it is not run again.
		w.plant.set([]andon.Lease{lease(1, andon.TaskJob)})
		after(time.Second)
		w.wantReports("1=succeeded")
		if got := w.runner.begun(); len(got) != 1 {
			t.Errorf("begun were %v", got)
		}
	})
}

func TestTasks_JobsWaitForSlotsAndSmokeTestsDoNot(t *testing.T) {
	for slots, want := range map[int][]andon.Token{0: {1, 4}, 1: {1, 4}, 2: {1, 2, 4}} {
		t.Run(fmt.Sprintf("of %d slots", slots), func(t *testing.T) { testJobsWait(t, slots, want) })
	}
}

func testJobsWait(t *testing.T, slots int, want []andon.Token) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.slots = slots
		release := make(chan struct{})
		w.runner.script = func(ctx context.Context, l andon.Lease, _ runner.Surroundings) andon.TaskResult {
			<-release
			return andon.TaskResult{Outcome: andon.Succeeded}
		}
		w.agent()
		w.plant.set([]andon.Lease{lease(1, andon.TaskJob), lease(2, andon.TaskJob), lease(3, andon.TaskJob), lease(4, andon.TaskSmoke)})
		after(time.Second)
		begun := w.runner.begun()
		slices.Sort(begun)
		if !slices.Equal(begun, want) {
			t.Errorf("%v run, want %v", begun, want)
		}
		close(release)
		after(time.Second)
		w.wantReports("1=succeeded", "2=succeeded", "3=succeeded", "4=succeeded")
	})
}

func TestTasks_CancelledAndForgottenLeasesAreKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		w.plant.set([]andon.Lease{lease(1, andon.TaskJob), lease(2, andon.TaskJob)})
		after(time.Second)
		cancelled := lease(1, andon.TaskJob)
		cancelled.Cancel = true
		never := lease(3, andon.TaskJob)
		never.Cancel = true
		w.plant.set([]andon.Lease{cancelled, never})
		after(time.Second)
		w.wantReports("1=cancelled", "2=cancelled", "3=cancelled")
		if got := w.runner.begun(); slices.Contains(got, 3) {
			t.Errorf("a task was begun that was cancelled already: %v", got)
		}
	})
}

func TestTasks_EndOfTheAgentIsReportedAsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.agent()
		w.plant.set([]andon.Lease{lease(1, andon.TaskJob)})
		after(time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		w.wantReports("1=lost")
		w.agent()
		after(time.Second)
		w.wantReports("1=lost")
	})
}

func TestTasks_EndOfTheAgentIsBoundedWhenTheServerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.script = func(ctx context.Context, l andon.Lease, at runner.Surroundings) andon.TaskResult {
			fmt.Fprint(at.Log, strings.Repeat("x", 3*chunkLimit))
			<-ctx.Done()
			return andon.TaskResult{Outcome: andon.Cancelled}
		}
		stop := w.agent()
		w.plant.set([]andon.Lease{lease(1, andon.TaskJob)})
		after(10 * time.Millisecond)
		w.plant.fail(errDown)
		after(time.Minute)
		began := time.Now()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 2*farewell {
			t.Errorf("the agent took %v to end", took)
		}
		w.wantReports()
		// The next agent reports it.
		w.plant.fail(nil)
		w.plant.set(nil)
		w.agent()
		after(10 * time.Second)
		w.wantReports("1=lost")
	})
}

func TestTasks_ResultsSurviveTheAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.script = succeed
		// An agent was killed: one task had ended, one had not, and of one only the runner knows.
		spool, err := openSpool(w.dir + "/results")
		if err != nil {
			t.Fatal(err)
		}
		done := andon.TaskResult{Outcome: andon.Failed, Reason: "exit status 1"}
		for _, e := range []spooled{{Lease: lease(1, andon.TaskJob), Result: &done}, {Lease: lease(2, andon.TaskJob)}} {
			if err := spool.put(e); err != nil {
				t.Fatal(err)
			}
		}
		w.runner.recovered = []andon.Lease{lease(2, andon.TaskJob), lease(3, andon.TaskJob)}
		w.plant.reportFails = []error{errDown}
		w.plant.set([]andon.Lease{lease(1, andon.TaskJob), lease(2, andon.TaskJob), lease(3, andon.TaskJob)})
		w.agent()
		after(10 * time.Second)
		w.wantReports("1=failed", "2=lost", "3=lost")
		if got := w.runner.begun(); len(got) != 0 {
			t.Errorf("%v were run a second time", got)
		}
		if left, err := spool.all(); err != nil || len(left) != 0 {
			t.Errorf("the spool still has %+v, %v", left, err)
		}
	})
}

func TestTasks_ResultThatTheServerDoesNotWantIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.script = succeed
		w.plant.reportFails = []error{errUnknown, errUnknown}
		w.agent()
		w.plant.set([]andon.Lease{lease(1, andon.TaskJob)})
		after(2 * time.Minute)
		if n := len(w.plant.reportFails); n != 1 {
			t.Errorf("the result was reported %d times, want once: the connection is known, so the lease is not", 2-n)
		}
		if w.plant.epoch != 1 {
			t.Errorf("the agent said hello %d times, want once", w.plant.epoch)
		}
		spool, err := openSpool(w.dir + "/results")
		if err != nil {
			t.Fatal(err)
		}
		if left, err := spool.all(); err != nil || len(left) != 0 {
			t.Errorf("the spool still has %+v, %v", left, err)
		}
	})
}

func TestTasks_ResultIsReportedAgainInTheNextConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.script = func(ctx context.Context, l andon.Lease, _ runner.Surroundings) andon.TaskResult {
			w.plant.mu.Lock()
			defer w.plant.mu.Unlock()
			w.plant.known = false // the server is restarted; the agent's poll has not noticed yet
			return andon.TaskResult{Outcome: andon.Succeeded}
		}
		w.agent()
		w.plant.set([]andon.Lease{lease(1, andon.TaskJob)})
		after(time.Minute)
		w.wantReports("1=succeeded")
	})
}

func TestTasks_KnowWhatTheyTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var got runner.Surroundings
		w.runner.script = func(_ context.Context, _ andon.Lease, at runner.Surroundings) andon.TaskResult {
			got = at
			return andon.TaskResult{Outcome: andon.Succeeded}
		}
		w.agent()
		d := desired(1, []andon.Copy{copyOf("g", 0)}, "g.0")
		w.plant.set(nil, d)
		after(time.Second)
		smoke := lease(1, andon.TaskSmoke)
		smoke.Task.Instance = "g.0"
		w.plant.set([]andon.Lease{smoke}, d)
		after(time.Second)
		if want := "http://" + w.host.Starts()[0].Address; got.CopyURL != want || got.RouteURL != "http://127.0.0.1:8080" || got.RouteHost != "shop.localhost" {
			t.Errorf("the smoke test sees %+v, want the copy at %s", got, want)
		}
		job := lease(2, andon.TaskJob)
		job.Task.Target = "production"
		w.plant.set([]andon.Lease{job}, d)
		after(time.Second)
		if got.CopyURL != "" || got.RouteURL != "http://127.0.0.1:8080" || got.RouteHost != "shop.localhost" {
			t.Errorf("the job sees %+v", got)
		}
	})
}

func TestTasks_SmokeTestOfACopyThatRestartsMeanwhileIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		kill := true
		w.runner.script = func(context.Context, andon.Lease, runner.Surroundings) andon.TaskResult {
			if kill {
				w.host.Kill("g.0", "exit status 1")
				<-time.After(5 * time.Second) // it is well again
			}
			return andon.TaskResult{Outcome: andon.Succeeded}
		}
		w.agent()
		d := desired(1, []andon.Copy{copyOf("g", 0)})
		w.plant.set(nil, d)
		after(time.Second)
		before := w.plant.observed()["g.0"]
		for token, want := range []andon.Outcome{andon.Lost, andon.Succeeded} {
			smoke := lease(andon.Token(token+1), andon.TaskSmoke)
			smoke.Task.Instance = "g.0"
			w.plant.set([]andon.Lease{smoke}, d)
			after(10 * time.Second)
			if got := w.plant.reports[len(w.plant.reports)-1].Result; got.Outcome != want {
				t.Errorf("test %d of the copy ends as %+v, want %s", token+1, got, want)
			}
			kill = false
		}
		if now := w.plant.observed()["g.0"]; before.Run == 0 || now.Run <= before.Run || now.Phase != andon.PhaseHealthy {
			t.Errorf("before it restarted, the server was told %+v, and now %+v", before, now)
		}
	})
}

func TestShipper_KeepsOrderAndHoldsWritersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		line := strings.Repeat("0123456789", 10) + "\n"
		const lines = 100_000 // 10 MB
		written := 0
		w.runner.script = func(_ context.Context, _ andon.Lease, at runner.Surroundings) andon.TaskResult {
			for range lines {
				n, err := io.WriteString(at.Log, line)
				if err != nil {
					t.Error(err)
				}
				written += n
			}
			return andon.TaskResult{Outcome: andon.Succeeded}
		}
		w.agent()
		after(time.Second)
		w.plant.set([]andon.Lease{lease(1, andon.TaskJob)})
		w.plant.fail(errDown)
		after(time.Minute)
		if written > 2*chunkLimit {
			t.Errorf("%d bytes were taken while the server was away, want at most two chunks", written)
		}
		w.plant.fail(nil)
		after(time.Minute)
		w.wantReports("1=succeeded")
		if got := w.plant.log("task/shop.1.commit.job1.1/1"); got != strings.Repeat(line, lines) {
			t.Errorf("%d bytes came, want %d in order", len(got), lines*len(line))
		}
	})
}
