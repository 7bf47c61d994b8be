package engine

import (
	"context"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/line"
)

// replayChunk is how many events one read of the journal asks for while loading.
const replayChunk = 10_000

// snapshotTimeout bounds the saving of one snapshot.
const snapshotTimeout = time.Minute

// load sets state and head from the journal. A snapshot of another format, or one that cannot be
// read, is passed over: everything is replayed then.
func (e *Engine) load(ctx context.Context) error {
	state, at, err := e.fromSnapshot(ctx)
	if err != nil {
		return err
	}
	head, err := replay(ctx, e.journal, state, at)
	if err != nil {
		return err
	}
	e.state, e.head, e.snapshotAt = state, head, at
	return nil
}

// discard drops the state, which is ahead of the journal when the batch could not be committed.
// An agent whose attestation was in the batch is heard once it has repeated that.
func (e *Engine) discard(batch []request) {
	e.heard = e.state.Heard()
	for _, r := range batch {
		if r.command == nil {
			continue
		}
		if observe, ok := r.command.Do.(line.Observe); ok {
			delete(e.heard, observe.Observation.Agent)
		}
	}
	e.state = nil
}

// loadAgain loads the state if it was discarded. Until that succeeds, nothing is decided and
// nothing is shown.
func (e *Engine) loadAgain(ctx context.Context) error {
	if e.state != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := e.load(ctx); err != nil {
		e.log.Error("the state could not be loaded again after a failed append", "err", err)
		return andon.Errorf(andon.KindUnavailable, "the journal cannot be read at the moment").
			WithHint("see the log of the plant").Because(err)
	}
	e.state.StillHeard(e.heard)
	return nil
}

func (e *Engine) fromSnapshot(ctx context.Context) (*line.State, andon.Seq, error) {
	snapshot, ok, err := e.journal.Snapshot(ctx)
	if err != nil {
		return nil, 0, err
	}
	if !ok || snapshot.Format != line.Format {
		return line.New(), 0, nil
	}
	state, err := line.Restore(snapshot.Data)
	if err != nil {
		e.log.Warn("the snapshot cannot be read: replaying the whole journal", "seq", snapshot.Seq, "err", err)
		return line.New(), 0, nil
	}
	return state, snapshot.Seq, nil
}

// replay applies all events after a position and returns the head that it reached.
func replay(ctx context.Context, j journal.Journal, state *line.State, after andon.Seq) (andon.Seq, error) {
	for {
		read := 0
		for event, err := range j.Read(ctx, after, replayChunk) {
			if err != nil {
				return 0, err
			}
			state.Apply(event)
			after = event.Seq
			read++
		}
		if read < replayChunk {
			return after, nil
		}
	}
}

// saveSnapshot saves the state in the background, unless a save is under way.
func (e *Engine) saveSnapshot() {
	select {
	case e.snapshotting <- struct{}{}:
	default:
		return
	}
	data, err := e.state.Snapshot()
	if err != nil {
		<-e.snapshotting
		e.log.Error("the state could not be encoded as a snapshot", "err", err)
		return
	}
	snapshot := journal.Snapshot{Seq: e.head, Format: line.Format, Data: data}
	e.snapshotAt = e.head
	go func() {
		defer func() { <-e.snapshotting }()
		ctx, cancel := context.WithTimeout(context.Background(), snapshotTimeout)
		defer cancel()
		if err := e.journal.SaveSnapshot(ctx, snapshot); err != nil {
			e.log.Warn("the snapshot could not be saved: the next start replays more events", "err", err)
		}
	}()
}

// saveSnapshotAndWait saves the state at the end of Run, after a save that is under way.
func (e *Engine) saveSnapshotAndWait() {
	e.snapshotting <- struct{}{}
	<-e.snapshotting
	if e.state == nil || e.head == e.snapshotAt {
		return
	}
	e.saveSnapshot()
	e.snapshotting <- struct{}{}
	<-e.snapshotting
}
