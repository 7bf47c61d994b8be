package docker

import (
	"context"
	"sync"
)

// turns lets one caller at a time do something about each name.
type turns struct {
	mu     sync.Mutex
	queues map[string]*queue
}

type queue struct {
	token chan struct{} // holds one; who has taken it has the turn
	users int           // who has it and who waits for it; guarded by turns.mu
}

// take returns when it is the caller's turn, and what ends that turn.
func (t *turns) take(ctx context.Context, name string) (release func(), err error) {
	t.mu.Lock()
	q := t.join(name)
	t.mu.Unlock()
	select {
	case <-q.token:
		return func() { q.token <- struct{}{}; t.leave(name, q) }, nil
	case <-ctx.Done():
		t.leave(name, q)
		return nil, ctx.Err()
	}
}

// try returns what ends the caller's turn, false if it is somebody else's.
func (t *turns) try(name string) (release func(), free bool) {
	t.mu.Lock()
	if t.queues[name] != nil {
		t.mu.Unlock()
		return nil, false
	}
	q := t.join(name)
	<-q.token // nobody else has joined
	t.mu.Unlock()
	return func() { q.token <- struct{}{}; t.leave(name, q) }, true
}

// join returns the queue of a name, with the caller in it. The caller holds mu.
func (t *turns) join(name string) *queue {
	q := t.queues[name]
	if q == nil {
		if t.queues == nil {
			t.queues = make(map[string]*queue)
		}
		q = &queue{token: make(chan struct{}, 1)}
		q.token <- struct{}{}
		t.queues[name] = q
	}
	q.users++
	return q
}

func (t *turns) leave(name string, q *queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(t.queues, name)
	}
}
