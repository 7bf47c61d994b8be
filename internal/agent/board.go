package agent

import (
	"maps"
	"reflect"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
)

// A board shows what the agent observes at this moment. The keepers of the copies and the
// router write to it; the router and the attester read it.
type board struct {
	health signal // a copy's phase or address changed: routes may have to follow
	news   signal // anything changed: the server may have to be told
	ledger signal // running ledgers changed

	mu     sync.Mutex
	copies map[andon.InstanceID]andon.InstanceState
	routes map[andon.Place]andon.RouteState
}

func newBoard() *board {
	return &board{
		health: newSignal(), news: newSignal(), ledger: newSignal(),
		copies: make(map[andon.InstanceID]andon.InstanceState),
		routes: make(map[andon.Place]andon.RouteState),
	}
}

// setCopy shows the state of a copy.
func (b *board) setCopy(s andon.InstanceState) {
	b.mu.Lock()
	was, known := b.copies[s.ID]
	b.copies[s.ID] = s
	b.mu.Unlock()
	if known && was == s {
		return
	}
	b.news.raise()
	if was.Phase != s.Phase || was.Address != s.Address {
		b.health.raise()
	}
}

// copy returns the state of a copy.
func (b *board) copy(id andon.InstanceID) (andon.InstanceState, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.copies[id]
	return s, ok
}

// dropStopped forgets a copy that is gone, once the server knows it.
func (b *board) dropStopped(id andon.InstanceID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.copies[id].Phase == andon.PhaseStopped {
		delete(b.copies, id)
	}
}

// setRoutes shows the states of all routes.
func (b *board) setRoutes(routes map[andon.Place]andon.RouteState) {
	b.mu.Lock()
	was := b.routes
	b.routes = routes
	b.mu.Unlock()
	if !maps.EqualFunc(was, routes, sameRoute) {
		b.news.raise()
	}
	if !maps.EqualFunc(was, routes, func(x, y andon.RouteState) bool { return reflect.DeepEqual(x.Ledgers, y.Ledgers) }) {
		b.ledger.raise()
	}
}

// route returns the state of the route of a place.
func (b *board) route(p andon.Place) (andon.RouteState, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.routes[p]
	return r, ok
}

// show returns everything as it is now. The slices must not be changed.
func (b *board) show() (map[andon.InstanceID]andon.InstanceState, map[andon.Place]andon.RouteState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.copies), maps.Clone(b.routes)
}

// sameRoute reports whether two states of a route attest the same; running ledgers are not
// attested for their own sake.
func sameRoute(x, y andon.RouteState) bool {
	x.Ledgers, y.Ledgers = nil, nil
	x.Groups, y.Groups = nil, nil
	return reflect.DeepEqual(x, y)
}
