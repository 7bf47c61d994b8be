package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/line"
)

// disk is a real journal whose appends, and whose loading, can be made to fail.
type disk struct {
	journal.Journal
	full       atomic.Bool
	unreadable atomic.Bool
	appends    atomic.Int64
}

func (d *disk) Snapshot(ctx context.Context) (journal.Snapshot, bool, error) {
	if d.unreadable.Load() {
		return journal.Snapshot{}, false, errors.New("input/output error")
	}
	return d.Journal.Snapshot(ctx)
}

func (d *disk) Append(ctx context.Context, prev andon.Seq, events []andon.Event) ([]andon.Event, error) {
	if d.full.Load() {
		return nil, andon.Errorf(andon.KindUnavailable, "the disk is full")
	}
	d.appends.Add(1)
	return d.Journal.Append(ctx, prev, events)
}

func openJournal(t *testing.T, file string) *disk {
	t.Helper()
	j, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	return &disk{Journal: j}
}

// start runs an engine over a journal until stop is called.
func start(t *testing.T, config Config) (e *Engine, stop func()) {
	t.Helper()
	config.Log = slog.New(slog.DiscardHandler)
	e, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Cleanup(stop)
	return e, stop
}

func newPlant(t *testing.T) (e *Engine, j *disk) {
	t.Helper()
	j = openJournal(t, filepath.Join(t.TempDir(), "journal.db"))
	t.Cleanup(func() { j.Close() })
	e, _ = start(t, Config{Journal: j})
	do(t, e, line.CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()})
	return e, j
}

func do(t *testing.T, e *Engine, verb line.Verb) Result {
	t.Helper()
	result, err := e.Do(t.Context(), "admin", verb)
	if err != nil {
		t.Fatalf("%T: %v", verb, err)
	}
	return result
}

func services(t *testing.T, e *Engine) (n int) {
	t.Helper()
	if err := e.View(t.Context(), func(s *line.State) { n = len(s.Services) }); err != nil {
		t.Fatal(err)
	}
	return n
}

func add(name string) line.AddService {
	return line.AddService{Service: andon.ServiceName(name), Source: andon.Source{Trunk: "main"}}
}

func TestDo_AnswersOnlyWhatTheNextStartFindsAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	j := openJournal(t, file)
	e, stop := start(t, Config{Journal: j})
	do(t, e, line.CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()})
	result := do(t, e, add("shop"))
	stop()
	j.Close()

	j = openJournal(t, file)
	defer j.Close()
	again, _ := start(t, Config{Journal: j})
	if again.Head() != result.Seq {
		t.Errorf("head after the restart = %d, want %d", again.Head(), result.Seq)
	}
	if n := services(t, again); n != 1 {
		t.Errorf("%d services after the restart, want 1", n)
	}
}

func TestDo_RefusedCommandChangesNothing(t *testing.T) {
	e, _ := newPlant(t)
	head := e.Head()
	if _, err := e.Do(t.Context(), "admin", line.RemoveService{Service: "nobody"}); andon.KindOf(err) != andon.KindNotFound {
		t.Errorf("err = %v, want not_found", err)
	}
	if e.Head() != head {
		t.Errorf("the head moved from %d to %d", head, e.Head())
	}
}

func TestDo_FailedAppendTakesTheWholeBatchBackUntilOneSucceeds(t *testing.T) {
	e, j := newPlant(t)
	j.full.Store(true)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			_, err := e.Do(context.Background(), "admin", add(fmt.Sprintf("shop%d", i)))
			if andon.KindOf(err) != andon.KindUnavailable {
				t.Errorf("err = %v, want unavailable", err)
			}
		})
	}
	group.Wait()
	if n := services(t, e); n != 0 {
		t.Errorf("%d services exist that no journal knows", n)
	}
	j.full.Store(false)
	do(t, e, add("shop"))
	if n := services(t, e); n != 1 {
		t.Errorf("%d services, want 1", n)
	}
}

func TestDo_FailedAppendForgetsNoAgentThatWasHeard(t *testing.T) {
	e, j := newPlant(t)
	epoch := deploying(t, e)
	fill := func() {
		j.full.Store(true)
		if _, err := e.Do(t.Context(), "admin", add("other")); andon.KindOf(err) != andon.KindUnavailable {
			t.Fatalf("err = %v, want unavailable", err)
		}
	}
	fill()
	j.full.Store(false)
	do(t, e, add("first"))
	if waits := waitsForAgents(t, e); len(waits) > 0 {
		t.Errorf("after the journal took events again: %+v", waits)
	}

	// What the agent attests while the disk is full is lost, so its word is waited for.
	j.full.Store(true)
	starting := andon.InstanceState{ID: "shop.test.1.0", Phase: andon.PhaseStarting}
	if err := e.Observe(t.Context(), "local", andon.Observation{Epoch: epoch, Instances: []andon.InstanceState{starting}}); err == nil {
		t.Fatal("the full disk took an observation")
	}
	j.full.Store(false)
	do(t, e, add("second"))
	if waits := waitsForAgents(t, e); len(waits) != 1 {
		t.Errorf("after an attestation was lost: %+v, want one wait for the agent", waits)
	}
}

func TestDo_NothingIsDecidedOrShownWhileTheStateIsAheadOfTheJournal(t *testing.T) {
	e, j := newPlant(t)
	j.full.Store(true)
	j.unreadable.Store(true)
	if _, err := e.Do(t.Context(), "admin", add("shop")); andon.KindOf(err) != andon.KindUnavailable {
		t.Errorf("err = %v, want unavailable", err)
	}
	err := e.View(t.Context(), func(s *line.State) {
		t.Errorf("a view sees %d services, one of which no journal knows", len(s.Services))
	})
	if andon.KindOf(err) != andon.KindUnavailable {
		t.Errorf("View = %v, want unavailable", err)
	}
	j.full.Store(false)
	if _, err := e.Do(t.Context(), "admin", line.RemoveService{Service: "shop"}); andon.KindOf(err) != andon.KindUnavailable {
		t.Errorf("err = %v, want unavailable", err)
	}
	j.unreadable.Store(false)
	do(t, e, add("shop"))
	if n := services(t, e); n != 1 {
		t.Errorf("%d services, want 1", n)
	}
}

// deploying leaves the plant in the middle of a deployment to test on the agent local, which has
// attested everything, and returns the epoch of its connection.
func deploying(t *testing.T, e *Engine) (epoch int64) {
	t.Helper()
	welcome, err := e.Connect(t.Context(), andon.Hello{Agent: "local", Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	pushed := push("shop", "a")
	pushed.Pipeline.Commit.Artifact = &andon.ArtifactSource{Path: "out", Job: "build"}
	pushed.Pipeline.Run = &andon.Run{Command: []string{"./shop"}, Port: 8080, Instances: 1, Health: andon.Health{Start: time.Hour}}
	pushed.Pipeline.Stages = []andon.Stage{{Name: "acceptance", Deploy: "test"}}
	do(t, e, pushed)
	work, err := e.Work(t.Context(), "local", andon.WorkRequest{Epoch: welcome.Epoch})
	if err != nil || len(work.Leases) != 1 {
		t.Fatalf("work = %+v, %v", work, err)
	}
	lease := work.Leases[0]
	built := andon.TaskResult{Outcome: andon.Succeeded, Artifact: &andon.Artifact{Digest: andon.Digest("sha256:" + strings.Repeat("a", 64)), Size: 1}}
	if err := e.Report(t.Context(), "local", andon.TaskReport{Epoch: welcome.Epoch, Task: lease.Task.ID, Token: lease.Token, Result: built}); err != nil {
		t.Fatal(err)
	}
	if err := e.Observe(t.Context(), "local", andon.Observation{Epoch: welcome.Epoch, Full: true}); err != nil {
		t.Fatal(err)
	}
	return welcome.Epoch
}

// waitsForAgents returns what waits for an agent.
func waitsForAgents(t *testing.T, e *Engine) (waits []andon.Wait) {
	t.Helper()
	err := e.View(t.Context(), func(s *line.State) {
		for _, w := range s.Waiting(e.Now()) {
			if w.Kind == andon.WaitAgent {
				waits = append(waits, w)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return waits
}

func TestDo_CommandsThatWaitTogetherAreCommittedTogether(t *testing.T) {
	e, j := newPlant(t)
	before := j.appends.Load()
	held, release := make(chan struct{}), make(chan struct{})
	go func() { _ = e.View(context.Background(), func(*line.State) { close(held); <-release }) }()
	<-held
	const commands = 100
	var group sync.WaitGroup
	for i := range commands {
		group.Go(func() {
			if _, err := e.Do(context.Background(), "admin", add(fmt.Sprintf("shop%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	for len(e.requests) < commands { // bounded by the test's own timeout; each turn lets the others run
		if t.Context().Err() != nil {
			t.Fatal("the commands do not queue")
		}
		yield()
	}
	close(release)
	group.Wait()
	if n := j.appends.Load() - before; n > commands/2 {
		t.Errorf("%d commands took %d appends", commands, n)
	}
}

// yield lets other goroutines run.
func yield() { <-time.After(100 * time.Microsecond) }

func TestFollow_GivesEveryEventOnceInOrder(t *testing.T) {
	e, _ := newPlant(t)
	const more = 50
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	enough := errors.New("enough")
	want := andon.Seq(0)
	got := make(chan error, 1)
	go func() {
		got <- e.Follow(ctx, 0, func(events []andon.Event) error {
			for _, event := range events {
				if want++; event.Seq != want {
					return fmt.Errorf("event %d came when %d was due", event.Seq, want)
				}
				if added, ok := event.Body.(andon.ServiceAdded); ok && added.Service == andon.ServiceName(fmt.Sprintf("shop%d", more-1)) {
					return enough
				}
			}
			return nil
		})
	}()
	for i := range more {
		do(t, e, add(fmt.Sprintf("shop%d", i)))
	}
	if err := <-got; !errors.Is(err, enough) {
		t.Error(err)
	}
}

func TestFollow_ReadsFromTheJournalWhatIsNotKeptInMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	j := openJournal(t, file)
	e, stop := start(t, Config{Journal: j})
	do(t, e, line.CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()})
	do(t, e, add("shop"))
	stop()
	again, _ := start(t, Config{Journal: j}) // its hub has seen nothing yet
	t.Cleanup(func() { j.Close() })
	enough := errors.New("enough")
	n := andon.Seq(0)
	err := again.Follow(t.Context(), 0, func(events []andon.Event) error {
		n += andon.Seq(len(events))
		if n == again.Head() {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("Follow = %v after %d events", err, n)
	}
}

func TestWork_ReturnsAtOnceWhenThereIsNews(t *testing.T) {
	e, _ := newPlant(t)
	welcome, err := e.Connect(t.Context(), andon.Hello{Agent: "local", Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	work, err := e.Work(t.Context(), "local", andon.WorkRequest{Epoch: welcome.Epoch})
	if err != nil {
		t.Fatal(err)
	}
	next := make(chan andon.Work, 1)
	go func() {
		w, err := e.Work(context.Background(), "local", andon.WorkRequest{Epoch: welcome.Epoch, Revision: work.Revision})
		if err != nil {
			t.Error(err)
		}
		next <- w
	}()
	do(t, e, push("shop", "a"))
	w := <-next
	if len(w.Leases) != 1 || w.Leases[0].Task.Job != "build" {
		t.Fatalf("leases = %+v", w.Leases)
	}
	lease := w.Leases[0]
	report := andon.TaskReport{Epoch: welcome.Epoch, Task: lease.Task.ID, Token: lease.Token, Result: andon.TaskResult{Outcome: andon.Succeeded}}
	if err := e.Report(t.Context(), "local", report); err != nil {
		t.Fatal(err)
	}
	if err := e.Report(t.Context(), "local", report); andon.KindOf(err) != andon.KindConflict {
		t.Errorf("the second report of one token: %v, want a conflict", err)
	}
}

func TestWork_RefusesAnOlderConnection(t *testing.T) {
	e, _ := newPlant(t)
	first, err := e.Connect(t.Context(), andon.Hello{Agent: "local", Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Connect(t.Context(), andon.Hello{Agent: "local", Slots: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Work(t.Context(), "local", andon.WorkRequest{Epoch: first.Epoch}); andon.KindOf(err) != andon.KindConflict {
		t.Errorf("err = %v, want a conflict", err)
	}
}

func TestAgent_ThatFallsSilentIsLostAndItsTaskIsQueuedAgain(t *testing.T) {
	j := openJournal(t, filepath.Join(t.TempDir(), "journal.db"))
	t.Cleanup(func() { j.Close() })
	e, _ := start(t, Config{Journal: j, AgentTimeout: 50 * time.Millisecond})
	do(t, e, line.CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()})
	do(t, e, push("shop", "a")) // before the agent is there: it gets the task when it says hello
	if _, err := e.Connect(t.Context(), andon.Hello{Agent: "local", Slots: 1}); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	err := e.Follow(t.Context(), 0, func(events []andon.Event) error {
		for _, event := range events {
			if ended, ok := event.Body.(andon.TaskEnded); ok && ended.Result.Outcome == andon.Lost && ended.Again {
				return enough
			}
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("Follow = %v", err)
	}
}

// push is a commit of a service with one job; the letter makes it a commit of its own.
func push(service, letter string) line.Push {
	id := ""
	for len(id) < 40 {
		id += letter
	}
	return line.Push{
		Service: andon.ServiceName(service), Source: andon.Source{Trunk: "main"}, Branch: "main",
		Commit: andon.CommitID(id), Author: "a@example.com", Subject: "change", Committed: time.Unix(1, 0),
		Pipeline: &andon.Pipeline{
			Service: andon.ServiceName(service),
			Commit:  andon.CommitStage{Jobs: []andon.Job{{Name: "build", Steps: []andon.Step{{Run: "true"}}}}},
		},
	}
}

func TestOpen_AgentsThatLivedOnSayHelloAgainOrAreLost(t *testing.T) {
	j := openJournal(t, filepath.Join(t.TempDir(), "journal.db"))
	t.Cleanup(func() { j.Close() })
	first, stop := start(t, Config{Journal: j})
	do(t, first, line.CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()})
	for _, name := range []andon.AgentName{"one", "two"} {
		if _, err := first.Connect(t.Context(), andon.Hello{Agent: name, Slots: 1}); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	c := &clock{now: time.Now()}
	e, _ := start(t, Config{Journal: j, Now: c.Now})
	if _, err := e.Work(t.Context(), "one", andon.WorkRequest{Epoch: 1}); andon.KindOf(err) != andon.KindConflict {
		t.Errorf("a connection from before the start is answered with %v", err)
	}
	welcome, err := e.Connect(t.Context(), andon.Hello{Agent: "one", Slots: 1})
	if err != nil || welcome.Epoch != 2 {
		t.Fatalf("the welcome is %+v, %v", welcome, err)
	}
	if _, err := e.Work(t.Context(), "one", andon.WorkRequest{Epoch: 2}); err != nil {
		t.Errorf("the new connection is answered with %v", err)
	}
	for range 5 { // a whole term, in steps that are no leap of the clock
		c.pass(10 * time.Second)
		services(t, e)
	}
	enough := errors.New("enough")
	err = e.Follow(t.Context(), 0, func(events []andon.Event) error {
		for _, event := range events {
			if lost, ok := event.Body.(andon.AgentLost); ok && lost.Agent == "two" {
				return enough
			}
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("Follow = %v", err)
	}
}
