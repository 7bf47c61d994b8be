package haproxy

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// A table is everything that the driver knows of its HAProxy: which routes are in force, which
// backend does what, and what was counted. It is saved as JSON, so that a later agent goes on
// with it.
type table struct {
	Run      string           // names the process that Backends count; empty: none yet
	Last     int64            // the last line of the ring that is counted
	Routes   []placed         // in force
	Next     []placed         // being put into force: whether they are, HAProxy's map says
	Changing bool             // Next counts
	Told     bool             // somebody has said which routes there are
	Backends []*backend       // by number, from 1
	Books    map[string]*book // by Place.Key
	Ports    []int            // of the places' own listeners, by number
	Key      string           // makes the cookies of sticky routes
}

// A placed route has a backend, and a listener of its own if there was one left.
type placed struct {
	traffic.Route
	Backend int // its number
	Own     int // its number; 0: none
}

// A backend of HAProxy's configuration, which is given to a route for as long as its copies and
// their weights stay as they are. Requests that began in it end in it.
type backend struct {
	Number   int
	Place    andon.Place
	Ledger   andon.DeploymentID // whom to count for; empty: the backend is free
	Slots    []slot
	Bounds   bounds
	Counted  int64         // requests of which the line is counted
	Began    int64         // requests, as last read
	InFlight int64         // as last read
	Upgraded int64         // as last read
	Streams  int64         // as last read
	Ended    int64         // upgraded connections and streams of which the line is counted
	Moved    map[int]int64 // requests that a slot could not take, by its number, as last read

	retired   time.Time // when its route left it; in this driver's time
	late      time.Time // since when a line is missing, and none has come; zero: none is missing
	lateAfter int64     // what was counted then
}

// A slot is one of a backend's servers.
type slot struct {
	traffic.Target
	InFlight int64 // as last read

	// What was in flight when traffic moved away from the target.
	Switched andon.DeploymentID // who moved it; empty: nobody has
	Pending  int64              // of those, not ended, as last read
	At       time.Time          // when it moved
	Cut      bool               // they were told to end
}

func (b *backend) name() string { return "b" + strconv.Itoa(b.Number) }

func (b *backend) free() bool { return b.Ledger == "" }

// quiet reports whether everything that came has ended and is counted.
func (b *backend) quiet() bool { return b.InFlight == 0 && b.Counted >= b.Began }

// pending reports whether something is still in flight that traffic has moved away from.
func (b *backend) pending() bool {
	return slices.ContainsFunc(b.Slots, func(s slot) bool { return s.Pending > 0 })
}

// does reports whether the backend sends requests as the route says.
func (b *backend) does(r traffic.Route) bool {
	return b.Place == r.Place && b.Ledger == r.Ledger && b.Bounds == boundsOf(r) && slices.EqualFunc(b.Slots, r.Targets, func(s slot, t traffic.Target) bool { return s.Target == t })
}

// take gives the backend to a route.
func (b *backend) take(r traffic.Route) {
	b.Place, b.Ledger, b.Slots, b.Bounds, b.retired, b.late = r.Place, r.Ledger, nil, boundsOf(r), time.Time{}, time.Time{}
	for _, t := range r.Targets {
		b.Slots = append(b.Slots, slot{Target: t})
	}
}

// release makes the backend free.
func (b *backend) release() { b.Place, b.Ledger, b.Slots, b.Bounds = andon.Place{}, "", nil, bounds{} }

// backend returns the one of that name, nil if there is none.
func (t *table) backend(name string) *backend {
	if len(name) < 2 || name[0] != 'b' {
		return nil
	}
	n, err := strconv.Atoi(name[1:])
	if err != nil || n < 1 || n > len(t.Backends) {
		return nil
	}
	return t.Backends[n-1]
}

// route returns the place's route in force.
func (t *table) route(p andon.Place) (placed, bool) {
	i := slices.IndexFunc(t.Routes, func(r placed) bool { return r.Place == p })
	if i < 0 {
		return placed{}, false
	}
	return t.Routes[i], true
}

// current reports whether new requests may come to the backend.
func (t *table) current(b *backend) bool {
	named := func(r placed) bool { return r.Backend == b.Number }
	return slices.ContainsFunc(t.Routes, named) || t.Changing && slices.ContainsFunc(t.Next, named)
}

// settling is for how long a backend that no route names is not given to another.
const settling = 250 * time.Millisecond

// place chooses a backend for each route: the one that does it already, one that did it before
// and has nothing pending, or a free one. Those that are to be set up first are fresh. Nothing
// in the table changes.
func (t *table) place(routes []traffic.Route) (next []placed, fresh []*backend, err error) {
	taken := map[int]bool{}
	own := map[int]bool{}
	for _, r := range t.Routes {
		own[r.Own] = true
	}
	for _, r := range routes {
		p := placed{Route: r}
		before, had := t.route(r.Place)
		if had && t.Backends[before.Backend-1].does(r) {
			p.Backend = before.Backend
		}
		for _, b := range t.Backends {
			if p.Backend == 0 && !b.free() && !b.pending() && b.does(r) {
				p.Backend = b.Number
			}
		}
		if p.Backend == 0 {
			b := t.freeBackend(taken)
			if b == nil {
				return nil, nil, andon.Errorf(andon.KindUnavailable, "All %d backends of HAProxy are in use.", len(t.Backends)).
					WithHint("Each older state of a route with requests in flight holds one. Wait until some have ended, or give HAProxy more backends.")
			}
			p.Backend, taken[b.Number] = b.Number, true
			fresh = append(fresh, b)
		}
		p.Own = before.Own
		for n := 1; p.Own == 0 && n <= len(t.Ports); n++ {
			if !own[n] {
				p.Own, own[n] = n, true
			}
		}
		next = append(next, p)
	}
	return next, fresh, nil
}

// freeBackend returns the one that has been free for longest.
func (t *table) freeBackend(taken map[int]bool) *backend {
	var best *backend
	for _, b := range t.Backends {
		if b.free() && !taken[b.Number] && (best == nil || b.retired.Before(best.retired)) {
			best = b
		}
	}
	return best
}

// follow makes the next routes those in force. What is in flight on targets that no longer get
// requests counts at the switch, and is cut off if nobody lets it drain: those slots are
// returned. Readings must be newer than the switch.
func (t *table) follow(next []placed, now time.Time) (cut []string) {
	before := t.Routes
	t.Routes, t.Next, t.Changing, t.Told = next, nil, false, true
	for _, old := range before {
		if b := t.Backends[old.Backend-1]; !t.current(b) {
			b.retired = now
		}
	}
	for _, b := range t.Backends {
		if b.free() {
			continue
		}
		r, routed := t.route(b.Place)
		if !routed {
			r.Ledger = b.Ledger
		}
		for i := range b.Slots {
			s := &b.Slots[i]
			if s.among(r.Targets) {
				continue
			}
			if s.InFlight > 0 && s.Pending == 0 {
				s.Switched, s.Pending, s.At, s.Cut = r.Ledger, s.InFlight, now, false
				t.ledger(b.Place, r.Ledger).AtSwitch += s.InFlight
			}
			if s.InFlight > 0 && !slices.ContainsFunc(r.Draining, func(d traffic.Target) bool { return d.Instance == s.Instance }) {
				s.Cut = true
				cut = append(cut, b.name()+"/s"+strconv.Itoa(i+1))
			}
		}
	}
	for key := range t.Books {
		if !slices.ContainsFunc(next, func(r placed) bool { return r.Key() == key }) {
			delete(t.Books, key)
		}
	}
	return cut
}

// among reports whether the slot's copy is one of the targets.
func (s *slot) among(targets []traffic.Target) bool {
	return slices.ContainsFunc(targets, func(t traffic.Target) bool {
		return t.Instance == s.Instance && t.Address == s.Address
	})
}

// take counts what was read. It reports whether a target that drains has nothing in flight any more.
func (t *table) take(readings map[string]*reading, at time.Time) (drained bool) {
	for name, r := range readings {
		b := t.backend(name)
		if b == nil || b.free() {
			continue
		}
		b.Began, b.InFlight = max(b.Began, r.began), r.inFlight
		led := t.ledger(b.Place, b.Ledger)
		led.Upgraded += max(0, r.upgraded-b.Upgraded)
		led.Served += max(0, r.streams-b.Streams)
		b.Upgraded, b.Streams = max(b.Upgraded, r.upgraded), max(b.Streams, r.streams)
		for i := range b.Slots {
			now := r.slots[i+1]
			t.missed(b, i+1, now.moved)
			drained = t.drain(b, &b.Slots[i], now.inFlight, at) || drained
		}
	}
	return drained
}

// drain takes what is in flight in a slot now.
func (t *table) drain(b *backend, s *slot, inFlight int64, now time.Time) (drained bool) {
	s.InFlight = inFlight
	ended := s.Pending - inFlight
	if s.Switched == "" || ended <= 0 {
		return false
	}
	s.Pending = inFlight
	led := t.ledger(b.Place, s.Switched)
	if s.Cut {
		led.CutOff += ended
	} else {
		led.Drained += ended
	}
	led.LongestDrain = max(led.LongestDrain, now.Sub(s.At).Milliseconds())
	return inFlight == 0
}

// idle returns the backends that may be free from now on.
func (t *table) idle(now time.Time) (idle []*backend) {
	for _, b := range t.Backends {
		if !b.free() && !t.current(b) && b.quiet() && now.Sub(b.retired) >= settling {
			idle = append(idle, b)
		}
	}
	return idle
}

// restarted forgets what a process that has died had in flight: nobody knows how it ended.
func (t *table) restarted(run string) {
	t.Run, t.Last = run, 0
	for _, b := range t.Backends {
		if !b.free() {
			// What has begun to stream is counted as served, and its line is still to come.
			t.ledger(b.Place, b.Ledger).Unknown += max(0, b.Began-b.Counted-(b.Streams-b.Ended))
		}
		b.Counted, b.Began, b.InFlight, b.Upgraded, b.Streams, b.Ended, b.Moved = 0, 0, 0, 0, 0, 0, nil
		if !t.current(b) {
			b.release()
		}
		for i := range b.Slots {
			b.Slots[i] = slot{Target: b.Slots[i].Target}
		}
	}
}

// An entry of HAProxy's map: a host name or the number of a listener, and a backend.
type entry struct{ key, value string }

// toldKey is in the map once somebody has said which routes there are. No host name has a colon.
const toldKey = ":told"

// entries returns the map for routes.
func entries(routes []placed, told bool) []entry {
	var all []entry
	if told {
		all = append(all, entry{toldKey, "-"})
	}
	for _, r := range routes {
		name := "b" + strconv.Itoa(r.Backend)
		for _, h := range r.Hosts {
			all = append(all, entry{h, name})
		}
		if r.Own > 0 {
			all = append(all, entry{"own:" + strconv.Itoa(r.Own), name})
		}
	}
	return all
}

// state returns what is in force.
func (t *table) state() traffic.State {
	var state traffic.State
	for _, r := range t.Routes {
		rs := traffic.RouteState{Place: r.Place, Generation: r.Generation, InFlight: map[andon.InstanceID]int64{}}
		for _, target := range r.Targets {
			rs.Targets = append(rs.Targets, target.Instance)
		}
		for _, b := range t.Backends {
			if b.free() || b.Place != r.Place {
				continue
			}
			for _, s := range b.Slots {
				if s.InFlight > 0 {
					rs.InFlight[s.Instance] += s.InFlight
				}
			}
		}
		if r.Own > 0 {
			rs.Address = "127.0.0.1:" + strconv.Itoa(t.Ports[r.Own-1])
		}
		if k := t.Books[r.Key()]; k != nil {
			rs.Ledgers, rs.Groups = k.show()
		}
		state.Routes = append(state.Routes, rs)
	}
	slices.SortFunc(state.Routes, func(a, b traffic.RouteState) int { return cmp.Compare(a.Key(), b.Key()) })
	return state
}
