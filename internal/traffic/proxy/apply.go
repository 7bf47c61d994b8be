package proxy

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// errStale says that the caller does not know what the proxy does now; it applies everything.
var errStale = andon.Errorf(andon.KindConflict, "The proxy's routes have changed meanwhile.")

// apply changes the routes in one step: all of it, or nothing and an error. It returns when
// every new request follows it.
func (s *server) apply(c applyCall) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.Full && c.Base != s.revision {
		return 0, errStale
	}
	remove := c.Remove
	if c.Full {
		remove = s.missingFrom(c.Set)
	}
	set, err := s.prepare(c.Set)
	if err != nil {
		return 0, err
	}
	before := s.table.Load()
	next, err := before.with(set, remove)
	if err != nil {
		return 0, err
	}
	fresh, err := s.listenFor(c.Set, nil)
	if err != nil {
		return 0, err
	}
	s.revision++
	s.save(change{Revision: s.revision, Full: c.Full, Set: s.withPorts(set), Remove: remove}, next)
	s.swap(before, next, set, remove)
	s.certs.routesChanged()
	for _, p := range fresh {
		s.serveOwn(p)
	}
	return s.revision, nil
}

// missingFrom returns the places that have a route now and none among the given ones.
func (s *server) missingFrom(routes []traffic.Route) []andon.Place {
	named := map[andon.Place]bool{}
	for _, r := range routes {
		named[r.Place] = true
	}
	var missing []andon.Place
	for p := range s.table.Load().places.all {
		if !named[p] {
			missing = append(missing, p)
		}
	}
	return missing
}

// prepare makes the routes, out of the targets that are there already and new ones.
func (s *server) prepare(specs []traffic.Route) ([]*route, error) {
	now := s.table.Load()
	seen := map[andon.Place]bool{}
	var set []*route
	for _, spec := range specs {
		if err := validate(spec); err != nil {
			return nil, err
		}
		if seen[spec.Place] {
			return nil, andon.Errorf(andon.KindInvalid, "There are two routes for %s.", spec.Place)
		}
		seen[spec.Place] = true
		led, err := s.ledgers.open(spec.Place, spec.Ledger)
		if err != nil {
			return nil, err
		}
		set = append(set, s.newRoute(spec, led, now.route(spec.Place)))
	}
	return set, nil
}

func (s *server) newRoute(spec traffic.Route, led *ledger, old *route) *route {
	known := map[andon.InstanceID]*target{}
	if old != nil {
		for t := range old.all {
			known[t.instance] = t
		}
	}
	find := func(t traffic.Target) *target {
		if have := known[t.Instance]; have != nil && have.address == t.Address {
			return have
		}
		return newTarget(t.Instance, t.Address, s.drained)
	}
	r := &route{spec: spec, ledger: led}
	for _, t := range spec.Targets {
		r.targets = append(r.targets, choice{find(t), int64(t.Weight), s.ledgers.group(led, t.Instance.Group()), ""})
	}
	for _, t := range spec.Draining {
		r.draining = append(r.draining, find(t))
	}
	r.share()
	if spec.Sticky != "" {
		r.stick(s.stickyKey)
	}
	if old != nil {
		r.turn.Store(old.turn.Load()) // or frequent changes would always begin with the heaviest
	}
	return r
}

// listenFor makes the own listeners of the places that have none, on the given port if it can
// be had, and returns those places. Nothing is accepted yet.
func (s *server) listenFor(routes []traffic.Route, ports map[andon.Place]int) (made []andon.Place, err error) {
	for _, r := range routes {
		if s.own[r.Place] != nil {
			continue
		}
		l, err := listenLocal(ports[r.Place])
		if err != nil {
			for _, p := range made {
				s.forgetOwn(p)
			}
			return nil, fmt.Errorf("a listener for %s: %w", r.Place, err)
		}
		if port := ports[r.Place]; port != 0 && port != portOf(l) {
			s.log.Warn("a route's own address had to change: its port is taken", "place", r.Key(), "was", port, "is", portOf(l))
		}
		made = append(made, r.Place)
		s.own[r.Place] = l
	}
	return made, nil
}

// listenLocal listens on that port of the loopback interface, or on any if it is taken or 0.
func listenLocal(port int) (*net.TCPListener, error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil && port != 0 {
		return listenLocal(0)
	}
	return l, err
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func (s *server) forgetOwn(p andon.Place) {
	if l := s.own[p]; l != nil {
		l.Close()
		delete(s.own, p)
	}
}

// save records the change. A failure does not keep the traffic where it is: a full disk must
// not hold requests at copies that go away. The driver applies its routes to each new process.
func (s *server) save(c change, next *table) {
	err := s.saved.append(c, func() change {
		var all []*route
		for _, r := range next.places.all {
			all = append(all, r)
		}
		return change{Revision: s.revision, Set: s.withPorts(all)}
	})
	if err != nil {
		s.log.Error("the routes cannot be saved: until they can, a proxy that is killed starts with older ones", "error", err)
	}
}

func (s *server) withPorts(routes []*route) []savedRoute {
	var saved []savedRoute
	for _, r := range routes {
		one := savedRoute{Route: r.spec}
		if l := s.own[r.spec.Place]; l != nil {
			one.Port = portOf(l)
		}
		saved = append(saved, one)
	}
	return saved
}

// swap puts the next table into force. New targets are opened before, old ones closed after,
// so that every request finds a target that takes it.
func (s *server) swap(before, next *table, set []*route, removed []andon.Place) {
	for _, r := range set {
		for _, c := range r.targets {
			c.start()
		}
	}
	s.table.Store(next)
	at := clock()
	for _, r := range set {
		if old := before.route(r.spec.Place); old != nil {
			old.retire(r, r.ledger, at)
		}
	}
	for _, p := range removed {
		if old := before.route(p); old != nil {
			old.retire(&route{}, old.ledger, at)
		}
		s.forgetOwn(p)
	}
	if len(removed) > 0 {
		keys := map[string]bool{}
		for p := range next.places.all {
			keys[p.Key()] = true
		}
		s.ledgers.keepOnly(func(key string) bool { return keys[key] })
	}
}

// retire closes the targets of a route that the next one gives no new requests, and cuts off
// those that it does not name at all.
func (r *route) retire(next *route, to *ledger, at time.Duration) {
	for t := range r.all {
		if !slices.ContainsFunc(next.targets, func(c choice) bool { return c.target == t }) {
			t.leave(to, at)
			if !slices.Contains(next.draining, t) {
				t.cut()
			}
		}
	}
}

// state returns what the proxy does now.
func (s *server) state() traffic.State {
	s.ledgers.settleOther()
	s.mu.Lock()
	defer s.mu.Unlock()
	var state traffic.State
	for p, r := range s.table.Load().places.all {
		rs := traffic.RouteState{Place: p, Generation: r.spec.Generation, InFlight: map[andon.InstanceID]int64{}}
		for _, c := range r.targets {
			rs.Targets = append(rs.Targets, c.instance)
		}
		for t := range r.all {
			if n := t.load.Load(); n > 0 {
				rs.InFlight[t.instance] = n
			}
		}
		// Read last: what is not in flight any more was counted before.
		rs.Ledgers, rs.Groups = s.ledgers.of(p), s.ledgers.groupsOf(p)
		if l := s.own[p]; l != nil {
			rs.Address = "127.0.0.1:" + strconv.Itoa(portOf(l))
		}
		state.Routes = append(state.Routes, rs)
	}
	slices.SortFunc(state.Routes, func(a, b traffic.RouteState) int { return cmp.Compare(a.Key(), b.Key()) })
	return state
}
