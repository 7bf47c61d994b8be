package engine

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// A clock is the engine's, and shows what the test sets it to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// pass sets the clock forward, or back.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// startClocked runs an engine by a clock of the test, over a plant with one agent.
func startClocked(t *testing.T) (*Engine, *clock, *obedient) {
	t.Helper()
	j := openJournal(t, filepath.Join(t.TempDir(), "journal.db"))
	t.Cleanup(func() { j.Close() })
	c := &clock{now: time.Date(2026, 3, 1, 2, 30, 0, 0, time.UTC)}
	e, _ := start(t, Config{Journal: j, Now: c.Now})
	do(t, e, line.CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()})
	welcome, err := e.Connect(t.Context(), andon.Hello{Agent: "local", Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	return e, c, &obedient{t, e, "local", welcome.Epoch}
}

// happened returns all events so far.
func happened(t *testing.T, e *Engine) (all []andon.Event) {
	t.Helper()
	enough := errors.New("enough")
	head := e.Head()
	err := e.Follow(t.Context(), 0, func(events []andon.Event) error {
		if all = append(all, events...); all[len(all)-1].Seq >= head {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	return all
}

func deployable(letter string) line.Push {
	pushed := push("shop", letter)
	pushed.Pipeline.Commit.Artifact = &andon.ArtifactSource{Path: "out", Job: "build"}
	pushed.Pipeline.Run = &andon.Run{Command: []string{"./shop"}, Port: 8080, Instances: 2, Health: andon.Health{Start: 30 * time.Second}}
	pushed.Pipeline.Stages = []andon.Stage{{Name: "acceptance", Deploy: "test"}}
	return pushed
}

// TestFault_ClockJump: whatever the clock does, no agent and no task counts as lost because of it.
// A deployment in the middle of which it leaps may be turned back, since nobody knows how long its
// copies took, and says so; what was live stays live, and the next deployment goes through.
func TestFault_ClockJump(t *testing.T) {
	for name, by := range map[string]time.Duration{"a day forward": 24 * time.Hour, "a day back": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			e, c, a := startClocked(t)
			do(t, e, deployable("a"))
			a.until("a is live", func(p *line.Place) bool { return p.Live != nil && p.Active == nil })
			do(t, e, deployable("b"))
			a.until("b has ended", func(p *line.Place) bool {
				c.pass(by) // before and after each word of the agent
				return p.Active == nil && p.Last != nil && p.Last.Plan.Release.Version == 2
			})
			for _, event := range happened(t, e) {
				switch body := event.Body.(type) {
				case andon.AgentLost:
					t.Errorf("agent %s counts as lost: %s", body.Agent, body.Reason)
				case andon.TaskEnded:
					if body.Result.Outcome == andon.Lost {
						t.Errorf("task %s counts as lost: %s", body.Task, body.Result.Reason)
					}
				case andon.DeploymentEnded:
					if body.Version != 2 {
						continue
					}
					t.Logf("deployment %s: %s %s", body.Deployment, body.Outcome, body.Reason)
					backed := body.Outcome == andon.Failed && body.Live.Version == 1 && strings.Contains(body.Reason, "within")
					if body.Outcome != andon.Succeeded && !backed {
						t.Errorf("deployment %s ends as %s, with version %d live: %s", body.Deployment, body.Outcome, body.Live.Version, body.Reason)
					}
				}
			}
			do(t, e, deployable("c"))
			a.until("c is live", func(p *line.Place) bool { return p.Live.Version == 3 && p.Active == nil })
		})
	}
}

func TestClock_ASilentAgentIsLostAWholeTermAfterALeap(t *testing.T) {
	for name, by := range map[string]time.Duration{"forward": 24 * time.Hour, "back": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			e, c, _ := startClocked(t)
			look := func() { services(t, e) }
			look()
			c.pass(by)
			look()
			leapt := c.Now()
			lost := func() *andon.Event {
				for _, event := range happened(t, e) {
					if _, ok := event.Body.(andon.AgentLost); ok {
						return &event
					}
				}
				return nil
			}
			for range 5 {
				c.pass(10 * time.Second)
				look()
			}
			ticker := time.NewTicker(time.Millisecond)
			defer ticker.Stop()
			for lost() == nil {
				select {
				case <-ticker.C:
				case <-t.Context().Done():
					t.Fatal("the silent agent is never lost")
				}
			}
			if term := lost().Time.Sub(leapt); term < 45*time.Second || term > time.Minute {
				t.Errorf("it is lost %s after the leap", term)
			}
		})
	}
}

func TestWork_AnAgentThatHangsUpIsLostSooner(t *testing.T) {
	for name, again := range map[string]bool{"and is not heard again": false, "and asks again": true} {
		t.Run(name, func(t *testing.T) {
			e, c, a := startClocked(t)
			work, err := e.Work(t.Context(), a.name, andon.WorkRequest{Epoch: a.epoch})
			if err != nil {
				t.Fatal(err)
			}
			broken, breaks := context.WithCancel(t.Context())
			breaks()
			if _, err := e.Work(broken, a.name, andon.WorkRequest{Epoch: a.epoch, Revision: work.Revision}); err == nil {
				t.Fatal("a request that was given up is answered")
			}
			if again {
				a.obey()
			}
			verbs, _ := e.agents.overdue(c.Now().Add(hangUpTerm)) // the engine's own clock stands: it does not lose the agent before
			if lost := len(verbs) > 0; lost == again {
				t.Errorf("after %s: %v", hangUpTerm, verbs)
			}
		})
	}
}
