package engine

import (
	"context"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
)

// keptEvents is how many committed events the hub keeps for followers; who is further behind
// reads from the journal.
const keptEvents = 4096

// A hub tells followers about committed events. Followers pull, so a slow one costs nothing.
type hub struct {
	mu     sync.Mutex
	head   andon.Seq
	recent []andon.Event // contiguous, ending at head; at most 2*keptEvents
	news   chan struct{} // closed and replaced at each commit
}

func newHub(head andon.Seq) *hub { return &hub{head: head, news: make(chan struct{})} }

func (h *hub) publish(events []andon.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.recent)+len(events) > 2*keptEvents {
		keep := min(keptEvents, len(h.recent))
		h.recent = append([]andon.Event(nil), h.recent[len(h.recent)-keep:]...)
	}
	h.recent = append(h.recent, events...)
	h.head = events[len(events)-1].Seq
	close(h.news)
	h.news = make(chan struct{})
}

// since returns the kept events after a position, and whether none is missing before them; with
// none, a channel that is closed at the next commit.
func (h *hub) since(after andon.Seq) (events []andon.Event, complete bool, news <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if after >= h.head {
		return nil, true, h.news
	}
	missing := int(h.head - after)
	if missing > len(h.recent) {
		return nil, false, h.news
	}
	return h.recent[len(h.recent)-missing:], true, h.news
}

// Head returns the position of the newest committed event.
func (e *Engine) Head() andon.Seq {
	e.hub.mu.Lock()
	defer e.hub.mu.Unlock()
	return e.hub.head
}

// Follow calls take with all events after a position, in order, first the ones that are there and
// then each commit as it happens, until take returns an error, ctx ends (nil), or the journal
// cannot be read. Each call gets at least one event.
func (e *Engine) Follow(ctx context.Context, after andon.Seq, take func([]andon.Event) error) error {
	for {
		events, complete, news := e.hub.since(after)
		if !complete {
			var err error
			if events, err = e.readChunk(ctx, after); err != nil {
				return err
			}
		}
		if len(events) > 0 {
			if err := take(events); err != nil {
				return err
			}
			after = events[len(events)-1].Seq
			if ctx.Err() != nil {
				return nil //nolint:nilerr // it was asked to end
			}
			continue
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil
		}
	}
}

// Recent returns the events after a position, in order, if they are all still in memory; if not,
// whoever asks begins anew. With none, the channel is closed at the next commit.
func (e *Engine) Recent(after andon.Seq) (events []andon.Event, complete bool, news <-chan struct{}) {
	return e.hub.since(after)
}

// followChunk is how many events one read of the journal asks for on behalf of a follower.
const followChunk = 1000

func (e *Engine) readChunk(ctx context.Context, after andon.Seq) ([]andon.Event, error) {
	events := make([]andon.Event, 0, followChunk)
	for event, err := range e.journal.Read(ctx, after, followChunk) {
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	return events, nil
}
