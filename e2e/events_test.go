package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
)

// A follower reads the events of a plant as they happen, over restarts, and keeps what it saw:
// whatever it was shown is acknowledged, and must be there for good.
type follower struct {
	t      *testing.T
	cancel context.CancelFunc
	gone   chan struct{}

	mu   sync.Mutex
	seen [][sha256.Size]byte // of the event at position i+1
	odd  error               // the first thing that must not be
}

// follow begins at the first event of the plant and goes on until the end of the test.
func (p *plant) follow() *follower {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{t: p.T, cancel: cancel, gone: make(chan struct{})}
	// The address is that of now: a plant that is to be followed over restarts keeps its ports.
	client := *p.Client
	go func() {
		defer close(f.gone)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil {
			_ = client.Events(ctx, f.position(), f.take) // ends with each restart
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	}()
	p.T.Cleanup(func() {
		cancel()
		<-f.gone
	})
	return f
}

func (f *follower) position() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.seen))
}

func (f *follower) take(e api.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if want := int64(len(f.seen)) + 1; e.Position != want && f.odd == nil {
		f.odd = fmt.Errorf("after event %d comes event %d", want-1, e.Position)
	}
	f.seen = append(f.seen, sum(e))
	return f.odd
}

// sum returns what tells an event from every other one at its position.
func sum(e api.Event) [sha256.Size]byte {
	data, _ := json.Marshal(e) // it came from JSON
	return sha256.Sum256(data)
}

var errEnough = errors.New("enough")

// verify reads the events that were seen once more, from a position on, and fails the test unless
// each is there as it was. It returns how many were seen.
func (f *follower) verify(p *plant, after int64) int64 {
	f.t.Helper()
	f.mu.Lock()
	seen, odd := f.seen[:len(f.seen):len(f.seen)], f.odd
	f.mu.Unlock()
	if odd != nil {
		f.t.Fatal(odd)
	}
	last := int64(len(seen))
	if after >= last {
		return last
	}
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	at := after
	err := p.Client.Events(ctx, after, func(e api.Event) error {
		if at++; e.Position != at {
			return fmt.Errorf("event %d was seen and is missing: event %d is in its place", at, e.Position)
		}
		if sum(e) != seen[at-1] {
			return fmt.Errorf("event %d is not what it was: it is %s %s now", at, e.Name, e.Body)
		}
		if at == last {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		f.t.Fatalf("of the events up to %d, those up to %d are there: %v", last, at, err)
	}
	return last
}
