package agent

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform/fake"
	"github.com/andon-cd/andon/internal/traffic"
)

func TestAgent_PlacesCopiesAndRoutesThemOnceHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.infect("g.1", errors.New("not yet"))
		w.agent()
		w.plant.set(nil, desired(7, []andon.Copy{copyOf("g", 0), copyOf("g", 1)}, "g.0", "g.1"))
		after(200 * time.Millisecond)
		w.wantPhases("g.0=healthy", "g.1=starting")
		w.wantTargets("g.0")
		if r := w.plant.route(); r.Generation != 7 || !slices.Equal(r.Targets, []andon.InstanceID{"g.0"}) || r.Address != "127.0.0.1:8080" {
			t.Errorf("the server was told of the route %+v", r)
		}
		w.infect("g.1", nil)
		after(time.Second)
		w.wantPhases("g.0=healthy", "g.1=healthy")
		w.wantTargets("g.0", "g.1")

		spec := w.host.Starts()[0]
		_, port, _ := strings.Cut(spec.Address, ":")
		for k, want := range map[string]string{
			"PORT": port, "COLOUR": "blue", "ANDON_SERVICE": "shop", "ANDON_VERSION": "42",
			"ANDON_ENVIRONMENT": "production", "ANDON_INSTANCE": string(spec.ID),
		} {
			if spec.Env[k] != want {
				t.Errorf("the copy has %s=%q, want %q", k, spec.Env[k], want)
			}
		}
		if s := w.plant.observed()["g.0"]; s.Artifact != artifact || s.Config != confHash || !strings.HasPrefix(s.Address, "127.0.0.1:2") && !strings.HasPrefix(s.Address, "127.0.0.1:3") {
			t.Errorf("the server was told %+v", s)
		}
	})
}

func TestAgent_UnhealthyCopyLeavesTrafficWithinItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0), copyOf("g", 1)}, "g.0", "g.1"))
		after(5 * time.Second)
		w.infect("g.1", errors.New("GET /healthz answers with status 500"))
		after(time.Second)
		w.wantTargets("g.0")
		after(2 * gather)
		w.wantPhases("g.0=healthy", "g.1=unhealthy")
		if s := w.plant.observed()["g.1"]; !strings.Contains(s.Reason, "status 500") {
			t.Errorf("the reason is %q", s.Reason)
		}
		w.infect("g.1", nil)
		after(time.Second)
		w.wantTargets("g.0", "g.1")
	})
}

func TestAgent_LeavesTheProxyAloneUntilItKnowsWhatShouldBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.plant.fail(errDown)
		w.agent()
		after(time.Minute)
		if n := len(w.traffic.applied); n != 0 {
			t.Errorf("the proxy was told routes %d times before the server said anything", n)
		}
		w.plant.fail(nil)
		w.plant.set(nil)
		after(10 * time.Second)
		if n := len(w.traffic.applied); n != 1 {
			t.Errorf("the proxy was told routes %d times, want once that there are none", n)
		}
	})
}

func TestAgent_HangingCopyIsRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0, fake.Stubborn)}, "g.0"))
		after(time.Minute)
		w.infect("g.0", errors.New("no answer in time"))
		after(6500 * time.Millisecond)
		if !slices.ContainsFunc(w.plant.saidSoFar(), func(o andon.Observation) bool {
			return len(o.Instances) == 1 && o.Instances[0].Phase == andon.PhaseExited && strings.Contains(o.Instances[0].Reason, "hung")
		}) {
			t.Errorf("the server was told %+v, and not that the copy hung", w.plant.saidSoFar())
		}
		w.infect("g.0", nil)
		after(time.Second)
		w.wantPhases("g.0=healthy")
		w.wantTargets("g.0")
		if n := len(w.host.Starts()); n != 2 {
			t.Errorf("it was started %d times, want 2", n)
		}
	})
}

func TestAgent_CopyThatNeverBecomesHealthyIsRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.infect("g.0", errors.New("connection refused"))
		w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}))
		after(9 * time.Second)
		if s := w.plant.observed()["g.0"]; s.Phase != andon.PhaseStarting || !strings.Contains(s.Reason, "connection refused") {
			t.Errorf("the server was told %+v", s)
		}
		after(3 * time.Second)
		if s := w.plant.observed()["g.0"]; s.Restarts != 1 || len(w.host.Starts()) != 2 {
			t.Errorf("after its time to start, the server was told %+v", s)
		}
	})
}

func TestAgent_RestartsWithBackOffAndShowsACrashLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0, fake.Exit, "3")}))
		began := time.Now()
		for range 5 {
			n := len(w.host.Starts())
			for len(w.host.Starts()) == n {
				after(10 * time.Millisecond)
			}
		}
		// 0.2 + 0.4 + 0.8 + 1.6 s, a quarter more or less.
		if took := time.Since(began); took < 2250*time.Millisecond || took > 4*time.Second {
			t.Errorf("five starts took %v", took)
		}
		synctest.Wait()
		after(10 * time.Millisecond)
		if s := w.plant.observed()["g.0"]; s.Phase != andon.PhaseExited || s.Restarts != 4 || !strings.Contains(s.Reason, "exit status 3") {
			t.Errorf("the server was told %+v", s)
		}
		after(10 * time.Minute)
		if n := len(w.host.Starts()); n < 15 || n > 40 {
			t.Errorf("in ten minutes it was started %d times; the pause is to grow to 30 s", n)
		}
	})
}

func TestAgent_ShortPausesComeBackAfterAMinuteOfHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}, "g.0"))
		for range 8 { // grow the pause
			after(time.Minute / 2)
			w.host.Kill("g.0", "exit status 1")
		}
		after(2 * time.Minute)
		w.host.Kill("g.0", "exit status 1")
		after(300 * time.Millisecond)
		w.wantTargets("g.0")
	})
}

func TestAgent_FailedStartIsToldAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.host.Refuse(andon.Errorf(andon.KindNotFound, "artifact aaaa is not in the registry"))
		w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}))
		after(50 * time.Millisecond)
		if s := w.plant.observed()["g.0"]; s.Phase != andon.PhaseFailed || s.Reason != "artifact aaaa is not in the registry." {
			t.Errorf("the server was told %+v", s)
		}
		w.host.Refuse(andon.Errorf(andon.KindUnreachable, "the registry does not answer"))
		after(time.Minute)
		w.host.Refuse(nil)
		after(time.Minute)
		w.wantPhases("g.0=healthy")
	})
}

func TestAgent_RefusesAnOlderGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.agent()
		w.plant.set(nil, desired(5, []andon.Copy{copyOf("new", 0)}, "new.0"))
		after(time.Second)
		w.plant.set(nil, desired(4, []andon.Copy{copyOf("old", 0)}, "old.0"))
		after(time.Second)
		w.wantTargets("new.0")
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		w.agent() // it remembers
		after(time.Second)
		w.wantTargets("new.0")
		if got := w.host.Running(); !slices.Equal(got, []andon.InstanceID{"new.0"}) {
			t.Errorf("%v run", got)
		}
	})
}

func TestAgent_AdoptsWhatRunsWithoutTouchingTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0), copyOf("g", 1)}, "g.0", "g.1"))
		after(time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if got := w.host.Running(); len(got) != 2 {
			t.Fatalf("after the agent ended, %v run", got)
		}
		w.plant.fail(errDown)
		before := len(w.traffic.applied)
		w.agent()
		after(10 * time.Second)
		for _, routes := range w.traffic.applied[before:] {
			if len(routes) != 1 || len(routes[0].Targets) != 2 {
				t.Errorf("the new agent applied %+v, which takes traffic from healthy copies", routes)
			}
		}
		if n := len(w.host.Starts()); n != 2 {
			t.Errorf("copies were started %d times, want 2", n)
		}
		// It heals while the server is away.
		w.host.Kill("g.1", "killed by SIGKILL")
		after(10 * time.Millisecond)
		w.wantTargets("g.0")
		after(time.Second)
		w.wantTargets("g.0", "g.1")
		if a, b := w.host.Starts()[1], w.host.Starts()[2]; a.Address != b.Address && b.ID == a.ID {
			t.Errorf("the copy moved from %s to %s", a.Address, b.Address)
		}
		w.plant.fail(nil)
		after(10 * time.Second)
		w.wantPhases("g.0=healthy", "g.1=healthy")
	})
}

// TestAgent_ThatBeginsWithASwitchKeepsTheTrafficUntilItHasAskedTheNewCopies: the agent ended
// after the switch was decided and before its proxy was told.
func TestAgent_ThatBeginsWithASwitchKeepsTheTrafficUntilItHasAskedTheNewCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.agent()
		copies := []andon.Copy{copyOf("old", 0), copyOf("old", 1), copyOf("new", 0), copyOf("new", 1)}
		w.plant.set(nil, desired(1, copies, "old.0", "old.1"))
		after(time.Second)
		w.wantTargets("old.0", "old.1")
		w.traffic.fail(errors.New("the proxy is away"))
		w.plant.set(nil, desired(2, copies, "new.0", "new.1"))
		after(time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		w.traffic.fail(nil)
		w.infect("new.0", errors.New("no answer yet"))
		w.infect("new.1", errors.New("no answer yet"))
		before := len(w.traffic.changes())
		w.agent()
		after(100 * time.Millisecond)
		w.wantTargets("old.0", "old.1")
		w.infect("new.0", nil)
		w.infect("new.1", nil)
		after(time.Second)
		w.wantTargets("new.0", "new.1")
		for _, routes := range w.traffic.changes()[before:] {
			if len(routes) != 1 || len(routes[0].Targets) == 0 {
				t.Errorf("nobody took requests: %+v", routes)
			}
		}
	})
}

func TestAgent_StopsCopiesOnlyAfterTheyLeftTheRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("old", 0), copyOf("new", 0)}, "old.0"))
		after(time.Second)
		w.traffic.fail(errors.New("the proxy is away"))
		w.plant.set(nil, desired(2, []andon.Copy{copyOf("new", 0)}, "new.0"))
		after(10 * time.Second)
		if got := w.host.Running(); len(got) != 2 {
			t.Errorf("while the route still names the old copy, only %v run", got)
		}
		w.traffic.fail(nil)
		after(10 * time.Second)
		if got := w.host.Running(); !slices.Equal(got, []andon.InstanceID{"new.0"}) {
			t.Errorf("%v run", got)
		}
		w.wantPhases("new.0=healthy", "old.0=stopped")
		if got := w.plant.route(); got.Generation != 2 || !slices.Equal(got.Targets, []andon.InstanceID{"new.0"}) {
			t.Errorf("the server was told of the route %+v", got)
		}
		// What is wanted again after it was stopped comes back.
		w.plant.set(nil, desired(3, []andon.Copy{copyOf("old", 0), copyOf("new", 0)}, "old.0", "new.0"))
		after(time.Second)
		w.wantTargets("new.0", "old.0")
	})
}

func TestAgent_UnknownCopiesStayUntilTheServerHasSpoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}, "g.0"))
		after(time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		w.plant.fail(errDown)
		w.plant.set(nil)
		w.dir = t.TempDir() // the agent's memory is lost
		w.agent()
		after(time.Minute)
		if got := w.host.Running(); len(got) != 1 {
			t.Errorf("%v run, and nobody said that the copy should not", got)
		}
		w.plant.fail(nil)
		after(10 * time.Second)
		if got := w.host.Running(); len(got) != 0 {
			t.Errorf("%v run, and the server wants nothing", got)
		}
		w.wantPhases("g.0=stopped")
	})
}

func TestAgent_ReplacesWhatIsNotWhatItShouldBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}, "g.0"))
		after(time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		other := copyOf("g", 0)
		other.Artifact = andon.Digest("sha256:" + strings.Repeat("b", 64))
		w.plant.set(nil, desired(2, []andon.Copy{other}, "g.0"))
		w.dir = t.TempDir()
		w.agent()
		after(time.Second)
		if starts := w.host.Starts(); len(starts) != 2 || starts[1].Artifact != other.Artifact {
			t.Errorf("started were %+v", starts)
		}
		w.wantTargets("g.0")
	})
}

func TestAgent_AttestsDrainingUntilTheLastRequestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		copies := []andon.Copy{copyOf("old", 0), copyOf("new", 0)}
		w.plant.set(nil, desired(1, copies, "old.0"))
		after(time.Second)
		w.traffic.hold("old.0", 3)
		w.plant.set(nil, desired(2, copies, "new.0"))
		after(10 * time.Millisecond)
		if got := w.plant.route(); !slices.Equal(got.Draining, []andon.InstanceID{"old.0"}) || got.Generation != 2 {
			t.Errorf("the server was told of the route %+v", got)
		}
		w.traffic.hold("old.0", 0)
		after(5 * time.Millisecond)
		if got := w.plant.route(); len(got.Draining) != 0 {
			t.Errorf("after the last request, the server was told of the route %+v", got)
		}
	})
}

func TestAgent_LetsACopyThatIsToldToStopEndItsConnectionsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		copies := []andon.Copy{copyOf("old", 0), copyOf("old", 1), copyOf("new", 0)}
		w.plant.set(nil, desired(1, copies, "old.0", "old.1"))
		after(time.Second)
		w.traffic.hold("old.0", 1) // a websocket
		w.plant.set(nil, desired(2, copies, "new.0"))
		after(time.Second)
		w.plant.set(nil, desired(3, copies[2:], "new.0"))
		after(10 * time.Millisecond)
		if got := w.traffic.draining(place); !slices.Equal(got, []andon.InstanceID{"old.0"}) {
			t.Errorf("after the copies are not wanted any more, %v drain", got)
		}
		if got := w.host.Running(); !slices.Equal(got, []andon.InstanceID{"new.0"}) {
			t.Errorf("%v run: what drains was not told to stop", got)
		}
		if got := w.plant.route(); len(got.Draining) != 0 || got.Generation != 3 {
			t.Errorf("the deployment waits for a copy that it has taken away: %+v", got)
		}
		w.traffic.hold("old.0", 0)
		after(10 * time.Millisecond)
		if got := w.traffic.draining(place); len(got) != 0 {
			t.Errorf("after the last connection has ended, %v drain", got)
		}
	})
}

func TestAgent_CutsOffWhatOutlivesTheTimeToStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		copies := []andon.Copy{copyOf("old", 0), copyOf("new", 0)}
		w.plant.set(nil, desired(1, copies, "old.0"))
		after(time.Second)
		w.traffic.hold("old.0", 1)
		w.plant.set(nil, desired(2, copies[1:], "new.0"))
		after(time.Second)
		if got := w.traffic.draining(place); len(got) != 1 {
			t.Errorf("%v drain", got)
		}
		after(copies[0].Spec.Stop + lingering + lookAgain)
		if got := w.traffic.draining(place); len(got) != 0 {
			t.Errorf("%v drain for ever", got)
		}
	})
}

func TestAgent_RestoresRoutesThatTheProxyForgot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}, "g.0"))
		after(time.Second)
		if err := w.traffic.Apply(t.Context(), []traffic.Route{}); err != nil {
			t.Fatal(err)
		}
		after(2 * time.Second)
		w.wantTargets("g.0")
	})
}

func TestAgent_WorkerIsHealthyOnceItHasRunForItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		worker := copyOf("g", 0)
		worker.Spec.Port = 0
		w.plant.set(nil, andon.Desired{Place: place, Generation: 1, Copies: []andon.Copy{worker}})
		after(900 * time.Millisecond)
		w.wantPhases("g.0=starting")
		after(200 * time.Millisecond)
		w.wantPhases("g.0=healthy")
		if spec := w.host.Starts()[0]; spec.Address != "" || spec.Env["PORT"] != "" {
			t.Errorf("the worker was given an address: %+v", spec)
		}
		w.host.Kill("g.0", "exit status 1")
		after(10 * time.Millisecond)
		w.wantPhases("g.0=exited")
	})
}

func TestAgent_SaysLittleWhenLittleHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0), copyOf("g", 1)}, "g.0", "g.1"))
		after(10 * time.Second)
		said, applied := len(w.plant.saidSoFar()), len(w.traffic.applied)
		if said > 8 {
			t.Errorf("placing two copies took %d observations", said)
		}
		after(time.Hour)
		if more := len(w.plant.saidSoFar()) - said; more != 0 {
			t.Errorf("in a quiet hour the server was told %d things", more)
		}
		if more := len(w.traffic.applied) - applied; more != 0 {
			t.Errorf("in a quiet hour the routes were applied %d times", more)
		}
	})
}

// draining returns the copies of a place that get nothing new and keep what they have.
func (f *trafficInMemory) draining(p andon.Place) []andon.InstanceID {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []andon.InstanceID
	for _, r := range f.routes {
		for _, t := range r.Draining {
			if r.Place == p {
				ids = append(ids, t.Instance)
			}
		}
	}
	return ids
}
