package agent

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// gather is how long changes are collected before they are told: those of one moment go
// together.
const gather = 3 * time.Millisecond

// countEvery is how often running ledgers are told at most.
const countEvery = time.Second

// attest tells the server what the board shows whenever it changes, until ctx ends: everything
// once in each connection, and then the differences to what the server has acknowledged.
func (a *Agent) attest(ctx context.Context) {
	var told int64 // the epoch that has heard everything
	copies := make(map[andon.InstanceID]andon.InstanceState)
	routes := make(map[andon.Place]andon.RouteState)
	pause := towardsPlant()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.board.news:
		}
		epoch, err := a.link.await(ctx)
		if err != nil || !sleep(ctx, gather) {
			return
		}
		nowCopies, nowRoutes := a.board.show()
		full := epoch != told
		if full {
			clear(copies)
			clear(routes)
		}
		o := difference(copies, nowCopies, routes, nowRoutes)
		o.Agent, o.Epoch, o.Full = a.config.Name, epoch, full
		if !full && len(o.Instances) == 0 && len(o.Routes) == 0 {
			routes = nowRoutes
			continue
		}
		if err := a.config.Plant.Observe(ctx, o); err != nil {
			if gone(err) {
				a.link.lose(epoch)
			}
			if sleep(ctx, pause.pause()) {
				a.board.news.raise()
			}
			continue
		}
		pause.reset()
		told, copies, routes = epoch, nowCopies, nowRoutes
		for id, s := range copies {
			if s.Phase == andon.PhaseStopped {
				a.board.dropStopped(id)
			}
		}
	}
}

// difference returns what is now and was not before, in a fixed order.
func difference(copies, nowCopies map[andon.InstanceID]andon.InstanceState, routes, nowRoutes map[andon.Place]andon.RouteState) andon.Observation {
	var o andon.Observation
	for _, id := range slices.Sorted(maps.Keys(nowCopies)) {
		if was, ok := copies[id]; !ok || was != nowCopies[id] {
			o.Instances = append(o.Instances, nowCopies[id])
		}
	}
	for place, s := range nowRoutes {
		if was, ok := routes[place]; !ok || !sameRoute(was, s) {
			o.Routes = append(o.Routes, s)
		}
	}
	slices.SortFunc(o.Routes, func(x, y andon.RouteState) int { return strings.Compare(x.Key(), y.Key()) })
	return o
}

// count tells the server the running ledgers while they change, until ctx ends. They are only
// shown, so what is not told is not told again.
func (a *Agent) count(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.board.ledger:
		}
		if epoch := a.link.present(); epoch != 0 {
			_, routes := a.board.show()
			c := andon.Counters{Epoch: epoch}
			for _, s := range routes {
				if len(s.Ledgers) > 0 {
					c.Places = append(c.Places, andon.PlaceLedger{Place: s.Place, Ledgers: s.Ledgers, Groups: s.Groups})
				}
			}
			slices.SortFunc(c.Places, func(x, y andon.PlaceLedger) int { return strings.Compare(x.Key(), y.Key()) })
			if len(c.Places) > 0 {
				if err := a.config.Plant.Count(ctx, c); err != nil && gone(err) {
					a.link.lose(epoch)
				}
			}
		}
		if !sleep(ctx, countEvery) {
			return
		}
	}
}
