// Package enginetest runs a real engine for tests of what is built on it, with a clock that the
// test moves and an agent that does at once whatever the line wants.
package enginetest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/form"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/pipeline"
)

// Name is what the plant and its agent are called.
const Name = "test"

// patience bounds how long a test waits for what must come.
const patience = 2 * time.Minute

// A Plant is an engine that runs. Its methods fail the test when something fails.
type Plant struct {
	Engine *engine.Engine
	// Fails says which jobs fail; nil: none.
	Fails func(andon.Task) bool
	// Tests says what a job reports of its tests; nil: nothing.
	Tests func(andon.Task) *andon.TestSummary

	t       testing.TB
	history *history.History
	stop    context.CancelFunc
	ended   sync.WaitGroup

	mu  sync.Mutex
	now time.Time

	epoch    int64
	reported map[andon.Token]bool
	seen     map[andon.InstanceID]bool
}

// Run runs an engine over a journal until Stop, or the end of the test, and keeps a history, which
// may be nil, up to date with it. Both stay open. The time is that of the newest event, or now.
func Run(t testing.TB, j journal.Journal, h *history.History, now time.Time) *Plant {
	t.Helper()
	p := &Plant{t: t, history: h, now: now, reported: map[andon.Token]bool{}, seen: map[andon.InstanceID]bool{}}
	var err error
	p.Engine, err = engine.Open(t.Context(), engine.Config{
		Journal: j, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: p.Now, AgentTimeout: 1000 * time.Hour,
	})
	p.must(err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	p.stop = stop
	p.ended.Go(func() {
		if err := p.Engine.Run(ctx); err != nil {
			t.Errorf("the engine ended: %v", err)
		}
	})
	if h != nil {
		p.ended.Go(func() {
			err := p.Engine.Follow(ctx, h.Position(), func(events []andon.Event) error { return h.Apply(ctx, events) })
			if err != nil && ctx.Err() == nil {
				t.Errorf("the history ended: %v", err)
			}
		})
	}
	t.Cleanup(p.Stop)
	p.Do(line.CreatePlant{Plant: Name, Environments: andon.DefaultEnvironments()})
	return p
}

// Stop ends the engine and waits for it.
func (p *Plant) Stop() {
	p.stop()
	p.ended.Wait()
}

// Now is the clock of the plant.
func (p *Plant) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// Pass lets time go by, and the line look at it.
func (p *Plant) Pass(d time.Duration) {
	p.t.Helper()
	p.mu.Lock()
	p.now = p.now.Add(d)
	p.mu.Unlock()
	p.Do(line.Tick{})
}

// Do commits a command of the admin.
func (p *Plant) Do(verb line.Verb) engine.Result {
	p.t.Helper()
	result, err := p.Engine.Do(p.t.Context(), "admin", verb)
	p.must(err)
	return result
}

// View copies something from the committed state.
func (p *Plant) View(read func(*line.State)) {
	p.t.Helper()
	p.must(p.Engine.View(p.t.Context(), read))
}

// Push announces a commit with an andon.yaml.
func (p *Plant) Push(commit andon.CommitID, branch, author, subject, yaml string) engine.Result {
	p.t.Helper()
	parsed, problems := pipeline.Parse("andon.yaml", []byte(yaml), nil)
	if len(problems) > 0 {
		p.t.Fatal(form.Format(problems))
	}
	return p.Do(line.Push{
		Service: parsed.Service, Source: andon.Source{Trunk: "main"}, Branch: branch, Commit: commit,
		Author: author, Subject: subject, Tickets: andon.TicketsIn(subject), Committed: p.Now().Add(-time.Minute), Pipeline: parsed,
	})
}

// Commit returns the ID of the nth commit, and Digest the artifact that the agent builds from it.
func Commit(n int) andon.CommitID { return andon.CommitID(fmt.Sprintf("%040x", n)) }

// Digest returns the artifact of a commit.
func Digest(c andon.CommitID) andon.Digest {
	return andon.Digest("sha256:" + strings.Repeat("0", 24) + string(c))
}

// Settle lets the agent work until nothing is left to do, and the history know of it. Built says
// what comes of a commit; nil: its Digest.
func (p *Plant) Settle(built func(andon.CommitID) andon.Digest) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if p.epoch == 0 {
		welcome, err := p.Engine.Connect(ctx, andon.Hello{Agent: Name, Slots: 4, Build: "1.0.0", Proxy: "http://127.0.0.1:8601"})
		p.must(err)
		p.epoch = welcome.Epoch
		p.must(p.Engine.Observe(ctx, Name, andon.Observation{Agent: Name, Epoch: p.epoch, Full: true}))
	}
	for range 1000 {
		before := p.Engine.Head()
		work, err := p.Engine.Work(ctx, Name, andon.WorkRequest{Epoch: p.epoch, Revision: -1})
		p.must(err)
		for _, lease := range work.Leases {
			p.finish(ctx, lease, built)
		}
		p.observe(ctx, work.Desired)
		if p.Engine.Head() != before {
			continue
		}
		moving := false
		p.View(func(s *line.State) {
			for _, place := range s.Places {
				moving = moving || place.Active != nil
			}
		})
		if !moving {
			p.CaughtUp()
			return
		}
		p.Pass(time.Second)
	}
	p.t.Fatal("the plant does not settle")
}

// CaughtUp waits until the history has every event.
func (p *Plant) CaughtUp() {
	p.t.Helper()
	if p.history == nil {
		return
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	p.must(p.history.WaitFor(ctx, p.Engine.Head()))
}

func (p *Plant) finish(ctx context.Context, lease andon.Lease, built func(andon.CommitID) andon.Digest) {
	p.t.Helper()
	if p.reported[lease.Token] {
		return
	}
	p.reported[lease.Token] = true
	result := andon.TaskResult{Outcome: andon.Succeeded, Started: p.Now(), Ended: p.Now()}
	if p.Fails != nil && p.Fails(lease.Task) {
		result.Outcome, result.ExitCode, result.Reason = andon.Failed, 1, "a step exited with 1"
	}
	if p.Tests != nil {
		result.Tests = p.Tests(lease.Task)
	}
	if lease.Task.Artifact != nil {
		digest := Digest(lease.Task.Commit)
		if built != nil {
			digest = built(lease.Task.Commit)
		}
		result.Artifact = &andon.Artifact{Digest: digest, Size: 2048}
	}
	p.must(p.Engine.Report(ctx, Name, andon.TaskReport{Epoch: p.epoch, Task: lease.Task.ID, Token: lease.Token, Result: result}))
}

// observe attests that everything is as it should be.
func (p *Plant) observe(ctx context.Context, desired []andon.Desired) {
	p.t.Helper()
	o := andon.Observation{Agent: Name, Epoch: p.epoch}
	wanted := map[andon.InstanceID]bool{}
	for _, d := range desired {
		for _, c := range d.Copies {
			wanted[c.ID], p.seen[c.ID] = true, true
			o.Instances = append(o.Instances, andon.InstanceState{
				ID: c.ID, Phase: andon.PhaseHealthy, Artifact: c.Artifact, Config: c.Config, Address: "127.0.0.1:40000",
			})
		}
		route := andon.RouteState{Place: d.Place, Generation: d.Generation, Address: "127.0.0.1:41000"}
		if d.Route != nil {
			for _, target := range d.Route.Targets {
				route.Targets = append(route.Targets, target.Instance)
			}
			route.Ledgers = []andon.Ledger{{Deployment: d.Route.Ledger, Served: 120}}
		}
		o.Routes = append(o.Routes, route)
	}
	for _, id := range slices.Sorted(maps.Keys(p.seen)) {
		if !wanted[id] {
			o.Instances = append(o.Instances, andon.InstanceState{ID: id, Phase: andon.PhaseStopped})
			delete(p.seen, id)
		}
	}
	p.must(p.Engine.Observe(ctx, Name, o))
}

func (p *Plant) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}
