package proxy

import (
	"context"
	"errors"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// takeOwn gets the places' own listeners from the process that serves now. load serves them.
func (s *server) takeOwn(ctx context.Context, old *link) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for from := 0; ; {
		var a listenersAnswer
		fds, err := old.call(ctx, callListeners, listenersCall{From: from}, &a)
		if err != nil {
			return err
		}
		if len(fds) != len(a.Places) {
			closeAll(fds)
			return errors.New("as many listeners as places were expected")
		}
		if len(fds) == 0 {
			return nil
		}
		listeners, err := listenersOf(fds)
		if err != nil {
			return err
		}
		for i, l := range listeners {
			s.own[a.Places[i]] = l
		}
		from += len(fds)
	}
}

// load puts the saved routes into force. told says that they are what somebody wanted, and not
// what a proxy begins with.
func (s *server) load(saved map[andon.Place]savedRoute, told bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var specs []traffic.Route
	ports := map[andon.Place]int{}
	for p, r := range saved {
		specs = append(specs, r.Route)
		ports[p] = r.Port
	}
	set, err := s.prepare(specs)
	if err != nil {
		return err
	}
	next, err := new(table).with(set, nil)
	if err != nil {
		return err
	}
	next.untold = !told
	if _, err := s.listenFor(specs, ports); err != nil {
		return err
	}
	for p := range s.own {
		if next.route(p) == nil {
			s.forgetOwn(p)
		}
	}
	s.swap(s.table.Load(), next, set, nil)
	for p := range s.own {
		s.serveOwn(p)
	}
	return nil
}
