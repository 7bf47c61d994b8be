package history

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/andon-cd/andon/internal/andon"
)

// A Source is where the events come from: the journal.
type Source interface {
	Head(ctx context.Context) (andon.Seq, error)
	Read(ctx context.Context, after andon.Seq, limit int) iter.Seq2[andon.Event, error]
}

const (
	// batch is how many events CatchUp applies in one transaction.
	batch = 1000
	// many is how many CatchUp applies in one once there are more than a few: pages of the database
	// that several of them change are written once.
	many = 10_000
)

// CatchUp applies everything that the source has and the history has not. A history that is ahead
// of the source, or was made from other events, is emptied first.
func (h *History) CatchUp(ctx context.Context, from Source) error {
	made, err := h.madeFrom(ctx, from)
	if err != nil {
		return err
	}
	if !made {
		if err := h.store.empty(ctx); err != nil {
			return err
		}
		h.startNumbers()
		h.moveTo(0)
	}
	return h.follow(ctx, from)
}

// follow applies what the source has behind the position.
func (h *History) follow(ctx context.Context, from Source) (err error) {
	events, size, hasty := make([]andon.Event, 0, batch), batch, false
	defer func() {
		if hasty { // also after an error: the writer goes on with what comes in
			err = errors.Join(err, h.store.haste(context.WithoutCancel(ctx), false))
		}
	}()
	for e, err := range from.Read(ctx, h.Position(), 0) {
		if err != nil {
			return fmt.Errorf("history: catch up: %w", err)
		}
		if events = append(events, e); len(events) < size {
			continue
		}
		if err := h.Apply(ctx, events); err != nil {
			return err
		}
		if !hasty {
			size, hasty = many, true
			if err := h.store.haste(ctx, true); err != nil {
				return err
			}
		}
		events = events[:0]
	}
	return h.Apply(ctx, events)
}

// madeFrom reports whether the last event of the history is also one of the source.
func (h *History) madeFrom(ctx context.Context, from Source) (bool, error) {
	seq, print, err := h.store.position(ctx)
	if err != nil || seq == 0 {
		return true, err
	}
	head, err := from.Head(ctx)
	if err != nil || seq > head {
		return false, err
	}
	for e, err := range from.Read(ctx, seq-1, 1) {
		if err != nil {
			return false, fmt.Errorf("history: read event %d: %w", seq, err)
		}
		same, err := fingerprint(e)
		return bytes.Equal(same, print), err
	}
	return false, nil
}

func fingerprint(e andon.Event) ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("history: event %d: %w", e.Seq, err)
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

// Apply takes events in, in one transaction: all of them or none. Events that are in already are
// skipped. Events that do not follow the position are an andon.KindConflict: CatchUp helps.
func (h *History) Apply(ctx context.Context, events []andon.Event) error {
	position := h.Position()
	for len(events) > 0 && events[0].Seq <= position {
		events = events[1:]
	}
	if len(events) == 0 {
		return nil
	}
	for i, e := range events {
		if want := position + andon.Seq(i) + 1; e.Seq != want {
			return andon.Errorf(andon.KindConflict, "the history is at event %d, and event %d does not follow it", want-1, e.Seq)
		}
	}
	last := events[len(events)-1]
	print, err := fingerprint(last)
	if err != nil {
		return err
	}
	h.store.pending = h.store.pending[:0]
	err = h.store.tx(ctx, func(ctx context.Context) error {
		for _, e := range events {
			if err := (recorder{ctx, h.store, e}).record(); err != nil {
				return fmt.Errorf("apply event %d, %s: %w", e.Seq, e.Body.EventName(), err)
			}
		}
		return h.store.exec(ctx, `UPDATE position SET seq = ?, print = ?`, last.Seq, print)
	})
	if err != nil {
		return err
	}
	h.takeNumbers(h.store.pending)
	h.moveTo(last.Seq)
	return nil
}

// A recorder writes what one event means to the read models.
type recorder struct {
	ctx   context.Context
	store *store
	event andon.Event
}

// exec runs a statement in the transaction of the event.
func (r recorder) exec(text string, args ...any) error { return r.store.exec(r.ctx, text, args...) }

// measure says what the event means for the numbers, once it is committed.
func (r recorder) measure(take func(*numbers)) { r.store.pending = append(r.store.pending, take) }

// now is the event's time as a column.
func (r recorder) now() int64 { return nanos(r.event.Time) }

func (r recorder) record() error {
	if err := r.audit(); err != nil {
		return err
	}
	switch b := r.event.Body.(type) {
	case andon.EnvironmentDeclared:
		return r.environmentDeclared(b)
	case andon.EnvironmentRemoved:
		return r.environmentRemoved(b)
	case andon.ServiceAdded:
		return r.serviceAdded(b)
	case andon.ServiceRemoved:
		return r.serviceRemoved(b)
	case andon.VersionCreated:
		return r.versionCreated(b)
	case andon.VersionReachedTrunk:
		return r.versionReachedTrunk(b)
	case andon.MaturityChanged:
		return r.maturityChanged(b)
	case andon.VersionEnded:
		return r.versionEnded(b)
	case andon.StageAdmitted:
		return r.stageAdmitted(b)
	case andon.StageStarted:
		return r.stageStarted(b)
	case andon.StageFinished:
		return r.stageFinished(b)
	case andon.TaskQueued:
		return r.taskQueued(b)
	case andon.TaskLeased:
		return r.taskLeased(b)
	case andon.TaskCancelled:
		return r.taskCancelled(b)
	case andon.TaskEnded:
		return r.taskEnded(b)
	case andon.Observed:
		return r.observed(b)
	case andon.DeploymentPlanned:
		return r.deploymentPlanned(b.Plan)
	case andon.DeploymentStarted:
		return r.deploymentStarted(b.Plan)
	case andon.DesiredChanged:
		return r.desiredChanged(b)
	case andon.DeploymentMoved:
		return r.deploymentMoved(b)
	case andon.DeploymentJudged:
		return r.deploymentJudged(b)
	case andon.DeploymentEnded:
		return r.deploymentEnded(b)
	case andon.CordPulled:
		return r.cordPulled(b)
	case andon.CordReleased:
		return r.cordReleased(b)
	default:
		return nil // what only the audit shows
	}
}
