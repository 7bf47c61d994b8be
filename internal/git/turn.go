package git

import (
	"context"

	"github.com/andon-cd/andon/internal/andon"
)

// A turn lets one push to a service at a time move its refs and be recorded.
type turn struct {
	free    chan struct{} // holds one value while nobody has the turn
	waiting int
}

// take waits for the turn of a service. The caller calls done once.
func (g *Git) take(ctx context.Context, service andon.ServiceName) (done func(), err error) {
	g.mu.Lock()
	t := g.pushing[service]
	if t == nil {
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		g.pushing[service] = t
	}
	t.waiting++
	g.mu.Unlock()
	leave := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(g.pushing, service)
		}
	}
	select {
	case <-t.free:
		return func() { t.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, errStopping().Because(ctx.Err())
	}
}
