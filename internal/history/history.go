package history

import (
	"context"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
)

// A History is an open database of read models. One goroutine at a time applies events; the
// queries may be called from any number of them, also meanwhile: each sees the state between two
// calls of Apply.
type History struct {
	store *store

	mu       sync.Mutex
	position andon.Seq
	moved    chan struct{} // closed when position changes

	reading sync.RWMutex // held to read or change what follows
	numbers *numbers     // nil: not in memory; the tables say the same
}

// Open opens the history at path. One that is missing, damaged or of another format is made anew
// and is empty: CatchUp fills it.
func Open(ctx context.Context, path string) (*History, error) {
	s, err := openStore(ctx, path)
	if err != nil {
		return nil, err
	}
	h := &History{store: s, moved: make(chan struct{})}
	if h.position, _, err = s.position(ctx); err != nil {
		return nil, joinClose(err, s)
	}
	return h, nil
}

// Close closes the database. Nothing else may be called from then on.
func (h *History) Close() error { return h.store.close() }

// Position returns the last event that the queries' answers include.
func (h *History) Position() andon.Seq {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.position
}

// WaitFor returns once the position is at least seq, or fails with the context's error.
func (h *History) WaitFor(ctx context.Context, seq andon.Seq) error {
	for {
		h.mu.Lock()
		reached, moved := h.position >= seq, h.moved
		h.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *History) moveTo(seq andon.Seq) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.position = seq
	close(h.moved)
	h.moved = make(chan struct{})
}
