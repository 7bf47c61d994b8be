package agent

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func TestAgent_TellsEverythingInEachConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}, "g.0"))
		after(time.Second)
		w.plant.forget()
		after(time.Second)
		said := w.plant.saidSoFar()
		if !said[0].Full || said[0].Epoch != 1 {
			t.Errorf("the first observation is %+v, want a full one", said[0])
		}
		last := said[len(said)-1]
		if !last.Full || last.Epoch != 2 || len(last.Instances) != 1 || len(last.Routes) != 1 || last.Agent != "local" {
			t.Errorf("after the server forgot the agent, it said %+v, want everything", last)
		}
	})
}

func TestAgent_ComesBackWhenTheServerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.plant.fail(errDown)
		w.agent()
		after(time.Hour)
		w.plant.fail(nil)
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}, "g.0"))
		after(10 * time.Second)
		w.wantPhases("g.0=healthy")
		w.plant.fail(errDown)
		after(time.Hour)
		w.host.Kill("g.0", "exit status 1")
		after(time.Second)
		w.plant.fail(nil)
		after(10 * time.Second)
		if s := w.plant.observed()["g.0"]; s.Phase != andon.PhaseHealthy || s.Restarts != 1 {
			t.Errorf("the server was told %+v", s)
		}
	})
}

func TestAgent_GivesUpWhenTheServerNeverTookIt(t *testing.T) {
	for _, refusal := range []*andon.Error{
		andon.Errorf(andon.KindSignIn, "the token is not known here"),
		andon.Errorf(andon.KindRefused, "the token is that of agent web1, not of local"),
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.plant.fail(refusal)
			err := w.run(t.Context())
			if andon.KindOf(err) != refusal.Kind || !strings.Contains(err.Error(), refusal.Message) {
				t.Errorf("Run returned %v, want the refusal", err)
			}
			if w.welcomed != 0 {
				t.Error("the agent was called welcome")
			}
		})
	}
}

func TestAgent_WhoseTokenIsTakenAwayKeepsItsCopiesAndAsksSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.plant.fail(errDown)
		w.agent()
		after(time.Minute)
		if w.welcomed != 0 {
			t.Fatal("the agent was called welcome while there was no server")
		}
		w.plant.fail(nil)
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}, "g.0"))
		after(time.Minute)
		if w.welcomed != 1 {
			t.Errorf("the agent was called welcome %d times, want once", w.welcomed)
		}
		w.plant.fail(andon.Errorf(andon.KindSignIn, "the token is not known here"))
		after(time.Minute)
		before := w.plant.hellos.Load()
		after(time.Hour)
		if n := w.plant.hellos.Load() - before; n < 50 || n > 100 {
			t.Errorf("within an hour the agent asked %d times, want about once a minute", n)
		}
		w.host.Kill("g.0", "exit status 1")
		after(10 * time.Second)
		w.wantTargets("g.0")
		if said := w.log.String(); strings.Count(said, "does not take this agent any more") != 1 || !strings.Contains(said, "andon agent token local") {
			t.Errorf("the log says:\n%s", said)
		}
		w.plant.fail(nil)
		after(2 * time.Minute)
		if s := w.plant.observed()["g.0"]; s.Phase != andon.PhaseHealthy || s.Restarts != 1 {
			t.Errorf("after the token was given back, the server was told %+v", s)
		}
		if w.welcomed != 1 {
			t.Errorf("the agent was called welcome %d times, want once", w.welcomed)
		}
	})
}

func TestAgent_WorksForOnePlantOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}, "g.0"))
		after(time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		w.plant.name = "plant-2"
		w.plant.set(nil)
		stop = w.agent()
		after(time.Second)
		if err := stop(); andon.KindOf(err) != andon.KindConflict {
			t.Errorf("Run returned %v, want kind %s", err, andon.KindConflict)
		}
		if got := w.host.Running(); len(got) != 1 {
			t.Errorf("%v run: another plant's copies were touched", got)
		}
	})
}

func TestAgent_CountsWhileCountersChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}, "g.0"))
		after(10 * time.Second)
		quiet := len(w.plant.counts)
		for range 10 {
			w.traffic.mu.Lock()
			w.traffic.served += 10
			w.traffic.mu.Unlock()
			after(time.Second)
		}
		after(10 * time.Second)
		if n := len(w.plant.counts) - quiet; n < 5 || n > 11 {
			t.Errorf("in ten seconds of change the counters were told %d times", n)
		}
		last := w.plant.counts[len(w.plant.counts)-1]
		if last.Epoch != 1 || len(last.Places) != 1 || last.Places[0].Ledgers[0].Served != 100 || last.Places[0].Groups[0].Requests != 100 {
			t.Errorf("the last counters are %+v", last)
		}
	})
}

func TestAgent_SendsWhatCopiesWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.agent()
		w.plant.set(nil, desired(1, []andon.Copy{copyOf("g", 0)}, "g.0"))
		after(time.Second)
		w.host.Write("g.0", "one\n")
		after(time.Second)
		w.plant.fail(errDown)
		w.host.Write("g.0", "two\n")
		after(time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		w.plant.fail(nil)
		w.agent()
		after(5 * time.Second)
		if got := w.plant.log("instance/g.0"); got != "one\ntwo\n" {
			t.Errorf("the log is %q", got)
		}
		w.host.Write("g.0", "bye\n")
		w.plant.set(nil, desired(2, nil))
		after(time.Second)
		if got := w.plant.log("instance/g.0"); got != "one\ntwo\nbye\n" {
			t.Errorf("after the copy was stopped, the log is %q", got)
		}
	})
}
