package main

import (
	"context"
	"errors"
	"iter"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/andon-cd/andon/bench/past"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/line"
)

const (
	fillBatch = 2000 // events of one append
	fillAhead = 8    // batches by which the line may be ahead of the journal, and that of the history
)

// made is how much was made up.
type made struct{ events, versions int }

// fill writes a made-up past into a new data directory, as the engine and the history would: the
// journal, a snapshot of the state at its end, and the read models. The line decides, the journal
// commits and the history applies at the same time.
func fill(ctx context.Context, data string, options past.Options) (made, error) {
	j, err := sqlite.Open(ctx, filepath.Join(data, "journal.db"))
	if err != nil {
		return made{}, err
	}
	h, err := history.Open(ctx, filepath.Join(data, "history.db"))
	if err != nil {
		return made{}, errors.Join(err, j.Close())
	}
	sum, err := fillBoth(ctx, j, h, options)
	return sum, errors.Join(err, h.Close(), j.Close())
}

func fillBoth(ctx context.Context, j journal.Journal, h *history.History, options past.Options) (sum made, err error) {
	decided, committed := make(chan []andon.Event, fillAhead), make(chan []andon.Event, fillAhead)
	head := andon.Seq(0)
	var state *line.State
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		defer close(decided)
		var batch []andon.Event
		pass := func() error {
			select {
			case decided <- batch:
				sum.events, batch = sum.events+len(batch), nil
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		state, err = past.Make(options, func(events []andon.Event) error {
			for _, e := range events {
				if _, ok := e.Body.(andon.VersionCreated); ok {
					sum.versions++
				}
			}
			if batch = append(batch, events...); len(batch) < fillBatch {
				return nil
			}
			return pass()
		})
		if err == nil && len(batch) > 0 {
			err = pass()
		}
		return err
	})
	group.Go(func() error {
		defer close(committed)
		for events := range decided {
			appended, err := j.Append(ctx, head, events)
			if err != nil {
				return err
			}
			head = appended[len(appended)-1].Seq
			select {
			case committed <- appended:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error { return h.CatchUp(ctx, stream(committed)) })
	if err := group.Wait(); err != nil {
		return sum, err
	}
	snapshot, err := state.Snapshot()
	if err != nil {
		return sum, err
	}
	return sum, j.SaveSnapshot(context.WithoutCancel(ctx), journal.Snapshot{Seq: head, Format: line.Format, Data: snapshot})
}

// A stream is a journal that is read once, while it is written. It implements history.Source.
type stream <-chan []andon.Event

// Head is not known yet; nobody asks for it on behalf of an empty history.
func (s stream) Head(context.Context) (andon.Seq, error) { return 0, nil }

// Read returns all events.
func (s stream) Read(context.Context, andon.Seq, int) iter.Seq2[andon.Event, error] {
	return func(yield func(andon.Event, error) bool) {
		for events := range s {
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}
