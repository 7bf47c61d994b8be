package history

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

var errUnreadable = errors.New("the journal cannot be read on")

// A torn source has some events and then cannot be read.
type torn []andon.Event

func (s torn) Head(context.Context) (andon.Seq, error) { return andon.Seq(len(s)), nil }

func (s torn) Read(_ context.Context, after andon.Seq, _ int) iter.Seq2[andon.Event, error] {
	return func(yield func(andon.Event, error) bool) {
		for _, e := range s[after:] {
			if !yield(e, nil) {
				return
			}
		}
		yield(andon.Event{}, errUnreadable)
	}
}

func TestCatchUp_GivesItsMemoryBackWhenItFails(t *testing.T) {
	t.Parallel()
	h := opened(t)
	if err := h.CatchUp(t.Context(), torn(madeUp(t)[:batch+1])); !errors.Is(err, errUnreadable) {
		t.Fatal(err)
	}
	var pages int
	check(t, h.store.w.QueryRowContext(t.Context(), `PRAGMA cache_size`).Scan(&pages))
	if pages != -2000 {
		t.Errorf("the writer may keep %d KB in memory", -pages)
	}
}
