package logs

import (
	"context"

	"github.com/andon-cd/andon/internal/andon"
)

// A waiter is what those who wait for one stream wait on.
type waiter struct {
	changed chan struct{} // closed when the stream changes
	waiting int
}

// Wait returns as soon as a stream is longer than after, or finished, or removed. A stream that
// does not exist yet is waited for. It fails when ctx is done, or the store is closed.
func (s *Store) Wait(ctx context.Context, name string, after int64) (Info, error) {
	for {
		changed, leave := s.enter(name)
		info, err := s.Info(name)
		if err == nil && (info.Size > after || info.Finished) {
			leave()
			return info, nil
		}
		if err != nil && andon.KindOf(err) != andon.KindNotFound {
			leave()
			return Info{}, err
		}
		existed := err == nil
		select {
		case <-changed:
			leave()
			if existed && !s.exists(name) {
				return Info{}, notFound(name)
			}
		case <-s.closed:
			leave()
			return Info{}, andon.Errorf(andon.KindUnavailable, "the server is stopping")
		case <-ctx.Done():
			leave()
			return Info{}, ctx.Err()
		}
	}
}

func (s *Store) exists(name string) bool {
	_, err := s.Info(name)
	return err == nil
}

// enter begins to wait for a change of a stream; leave must be called once.
func (s *Store) enter(name string) (changed <-chan struct{}, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.waiters[name]
	if !ok {
		w = &waiter{changed: make(chan struct{})}
		s.waiters[name] = w
	}
	w.waiting++
	return w.changed, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.waiting--
		if w.waiting == 0 && s.waiters[name] == w {
			delete(s.waiters, name)
		}
	}
}

// wake tells all who wait for a stream that it changed.
func (s *Store) wake(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w, ok := s.waiters[name]; ok {
		delete(s.waiters, name)
		close(w.changed)
	}
}
