// Package engine turns commands into facts: load, decide, commit, apply, tell.
//
// One goroutine owns the state of the line. Commands queue to it; all that queue while it
// commits are decided together and committed in one append (group commit). Answers, and any
// read of their effect, are given only after the commit.
package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/line"
)

const (
	// queueLength bounds the commands and views that wait for the owner of the state.
	queueLength = 1024
	// batchLength bounds the commands that one append commits.
	batchLength = 256
	// snapshotEvery is how many events pass between two snapshots.
	snapshotEvery = 5000
	// commitTimeout bounds one append; a disk that hangs longer is a fault.
	commitTimeout = 30 * time.Second
)

// Config is what an engine is made of.
type Config struct {
	Journal journal.Journal
	Log     *slog.Logger
	// Now is the clock; nil: time.Now. All decisions take their time from it.
	Now func() time.Time
	// AgentTimeout is after how much silence an agent counts as lost; 0: 45 s.
	AgentTimeout time.Duration
}

// An Engine owns the state of the line. Its methods may be called from any goroutine once Run
// has been started.
type Engine struct {
	journal journal.Journal
	log     *slog.Logger
	now     func() time.Time

	requests   chan request
	ended      chan struct{} // closed when Run has returned
	hub        *hub
	agents     *agents
	admissions *admissions
	counters   *counters

	// Only the goroutine of Run touches what follows.
	state        *line.State               // nil: it was ahead of the journal, and must be loaded before anything else
	heard        map[andon.AgentName]int64 // the connections that the discarded state had heard
	head         andon.Seq
	snapshotAt   andon.Seq
	snapshotting chan struct{} // holds one value while a snapshot is being saved
	broken       error         // why the last append failed; nil: it did not
	brokenAt     time.Time     // when it did
	looked       time.Time     // when the engine last looked at its clock
	setBack      bool          // the clock was set back: deadlines may be far away now, so the line looks again
}

// A Result is what a committed command did.
type Result struct {
	Events []andon.Event // with their positions; empty: the command changed nothing
	Seq    andon.Seq     // the head of the journal after the commit
}

// request is a command or a view on its way to the owner.
type request struct {
	command *line.Command     // nil on views
	view    func(*line.State) // nil on commands
	answer  chan answer       // buffered: the owner never waits for the asker
}

type answer struct {
	result Result
	err    error
}

// Open loads the state from the journal: the newest usable snapshot, then the events after it.
func Open(ctx context.Context, config Config) (*Engine, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.AgentTimeout == 0 {
		config.AgentTimeout = 45 * time.Second
	}
	e := &Engine{
		journal:      config.Journal,
		log:          config.Log,
		now:          func() time.Time { return config.Now().UTC() },
		requests:     make(chan request, queueLength),
		ended:        make(chan struct{}),
		snapshotting: make(chan struct{}, 1),
	}
	if err := e.load(ctx); err != nil {
		return nil, err
	}
	e.hub = newHub(e.head)
	e.agents = newAgents(config.AgentTimeout)
	e.admissions = newAdmissions(e.state)
	e.counters = newCounters()
	return e, nil
}

// Run owns the state until ctx ends. It returns nil then, after it has saved a snapshot.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.ended)
	e.agents.watchAll(e.state, e.now())
	wake := time.NewTimer(0)
	defer wake.Stop()
	for {
		select {
		case <-ctx.Done():
			e.saveSnapshotAndWait()
			return nil
		case first := <-e.requests:
			e.serve(ctx, e.gather(first))
		case <-wake.C:
			e.serve(ctx, e.due())
		}
		wake.Reset(e.untilWake())
	}
}

// Do decides the command of an actor and returns once all that follows from it is durable. On an
// error nothing happened, except on one of kind timeout, where the command may still happen.
func (e *Engine) Do(ctx context.Context, by andon.Actor, verb line.Verb) (Result, error) {
	return e.ask(ctx, request{command: &line.Command{By: by, Do: verb}})
}

// View calls read with the committed state, which read must neither change nor keep. It holds
// up every decision while it runs, so it only copies what it needs.
func (e *Engine) View(ctx context.Context, read func(*line.State)) error {
	_, err := e.ask(ctx, request{view: read})
	return err
}

// Now returns the time by the engine's clock.
func (e *Engine) Now() time.Time { return e.now() }

// ask queues a request and waits for its answer. When ctx ends first, a command may still be
// committed: the caller learns its fate from the journal, as after a broken connection.
func (e *Engine) ask(ctx context.Context, r request) (Result, error) {
	r.answer = make(chan answer, 1)
	select {
	case e.requests <- r:
	case <-ctx.Done():
		return Result{}, andon.Errorf(andon.KindTimeout, "the plant did not take the command in time").Because(ctx.Err())
	case <-e.ended:
		return Result{}, errStopped()
	}
	select {
	case a := <-r.answer:
		return a.result, a.err
	case <-ctx.Done():
		return Result{}, andon.Errorf(andon.KindTimeout, "the plant did not answer in time").Because(ctx.Err())
	case <-e.ended:
		select { // the answer may have been given just before the end
		case a := <-r.answer:
			return a.result, a.err
		default:
			return Result{}, errStopped()
		}
	}
}

func errStopped() error {
	return andon.Errorf(andon.KindUnavailable, "the plant is stopping").WithHint("try again when the server runs again")
}

// gather takes what has queued behind the first request, up to one batch.
func (e *Engine) gather(first request) []request {
	batch := []request{first}
	for len(batch) < batchLength {
		select {
		case r := <-e.requests:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// serve decides the batch, commits it, and answers. Views run after the commit, so they never
// see what might still be lost.
func (e *Engine) serve(ctx context.Context, batch []request) {
	if err := e.loadAgain(ctx); err != nil {
		for _, r := range batch {
			r.answer <- answer{err: err}
		}
		return
	}
	now := e.look()
	var events []andon.Event
	answers := make([]answer, len(batch))
	spans := make([][2]int, len(batch))
	for i, r := range batch {
		if r.command == nil {
			continue
		}
		from := len(events)
		decided, err := e.state.Decide(*r.command, now)
		if err != nil {
			answers[i].err = err
			continue
		}
		events = append(events, decided...)
		spans[i] = [2]int{from, len(events)}
	}
	committed, err := e.commit(ctx, events)
	if err != nil {
		e.discard(batch)
		err = errors.Join(err, e.loadAgain(ctx))
	}
	if len(committed) > 0 {
		// Before the answers: whoever got one and then asks for the head finds its own events.
		e.tell(committed, now)
	}
	for i, r := range batch {
		switch {
		case err != nil && r.view == nil:
			answers[i] = answer{err: err}
		case e.state == nil:
			answers[i] = answer{err: err}
		case r.view != nil:
			r.view(e.state)
			answers[i].result.Seq = e.head
		case answers[i].err == nil:
			answers[i].result = Result{Events: committed[spans[i][0]:spans[i][1]], Seq: e.head}
		}
		r.answer <- answers[i]
	}
	if len(committed) > 0 && e.head-e.snapshotAt >= snapshotEvery {
		e.saveSnapshot()
	}
}

// commit makes the events durable, or none of them.
func (e *Engine) commit(ctx context.Context, events []andon.Event) ([]andon.Event, error) {
	if len(events) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	committed, err := e.journal.Append(ctx, e.head, events)
	if err != nil {
		if e.broken == nil {
			e.log.Error("the journal refused events: nothing of the batch happened", "events", len(events), "err", err)
		}
		e.broken, e.brokenAt = err, e.now()
		return nil, err
	}
	e.head = committed[len(committed)-1].Seq
	if e.broken != nil {
		e.log.Info("the journal takes events again", "seq", e.head)
		e.broken = nil
	}
	return committed, nil
}

// tell lets everybody know what was committed.
func (e *Engine) tell(committed []andon.Event, now time.Time) {
	e.admissions.note(committed)
	e.agents.note(committed, e.state, now)
	e.counters.note(committed)
	e.hub.publish(committed)
}
