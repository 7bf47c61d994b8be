// Package fake is a traffic driver in memory, for the tests of whoever uses one. It passes the
// conformance suite with requests that never leave the process.
package fake

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// Traffic is a driver without a network. Its zero value is not ready: see New.
type Traffic struct {
	mu       sync.Mutex
	places   map[andon.Place]*place
	drained  chan struct{}
	failWith error
	applied  int
}

type place struct {
	route   traffic.Route
	turn    int
	address string
	flights map[*Request]struct{}
	ledgers []*andon.Ledger
}

var _ traffic.Traffic = (*Traffic)(nil)

// New returns a driver without routes.
func New() *Traffic {
	return &Traffic{places: map[andon.Place]*place{}, drained: make(chan struct{}, 1)}
}

// Apply implements traffic.Traffic.
func (f *Traffic) Apply(_ context.Context, routes []traffic.Route) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failWith != nil {
		return f.failWith
	}
	if err := validate(routes); err != nil {
		return err
	}
	f.applied++
	named := map[andon.Place]bool{}
	for _, r := range routes {
		named[r.Place] = true
		p := f.places[r.Place]
		if p == nil {
			p = &place{address: fmt.Sprintf("127.0.0.1:%d", 40000+len(f.places)), flights: map[*Request]struct{}{}}
			f.places[r.Place] = p
		}
		f.follow(p, r)
	}
	for key, p := range f.places {
		if !named[key] {
			f.follow(p, traffic.Route{Place: key, Ledger: p.route.Ledger})
			delete(f.places, key)
		}
	}
	return nil
}

func validate(routes []traffic.Route) error {
	hosts := map[string]andon.Place{}
	seen := map[andon.Place]bool{}
	for _, r := range routes {
		if seen[r.Place] {
			return andon.Errorf(andon.KindInvalid, "There are two routes for %s.", r.Place)
		}
		seen[r.Place] = true
		for _, h := range r.Hosts {
			if other, taken := hosts[h]; taken {
				return andon.Errorf(andon.KindInvalid, "The host name %s is routed to %s and to %s.", h, other, r.Place)
			}
			hosts[h] = r.Place
		}
	}
	return nil
}

// follow makes new requests of the place follow the route.
func (f *Traffic) follow(p *place, r traffic.Route) {
	p.route = r
	led := p.ledger(r.Ledger)
	for request := range p.flights {
		if slices.ContainsFunc(r.Targets, func(t traffic.Target) bool { return t == request.target }) {
			continue
		}
		if request.switched == nil {
			request.switched = led
			led.AtSwitch++
		}
		if !slices.ContainsFunc(r.Draining, func(t traffic.Target) bool { return t.Instance == request.target.Instance }) {
			p.end(request, true)
			close(request.cut)
		}
	}
}

func (p *place) ledger(d andon.DeploymentID) *andon.Ledger {
	for _, l := range p.ledgers {
		if l.Deployment == d {
			return l
		}
	}
	made := &andon.Ledger{Deployment: d}
	p.ledgers = append(p.ledgers, made)
	if extra := len(p.ledgers) - traffic.KeptLedgers; extra > 0 {
		p.ledgers = slices.Clone(p.ledgers[extra:])
	}
	return made
}

// end counts the request.
func (p *place) end(r *Request, cut bool) {
	delete(p.flights, r)
	switch {
	case cut:
		r.ledger.Failed++
		r.switched.CutOff++
	case r.switched != nil:
		r.switched.Drained++
		fallthrough
	default:
		r.ledger.Served++
	}
}

// State implements traffic.Traffic.
func (f *Traffic) State(context.Context) (traffic.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failWith != nil {
		return traffic.State{}, f.failWith
	}
	var s traffic.State
	for key, p := range f.places {
		rs := traffic.RouteState{Place: key, Generation: p.route.Generation, Address: p.address, InFlight: map[andon.InstanceID]int64{}}
		for _, t := range p.route.Targets {
			rs.Targets = append(rs.Targets, t.Instance)
		}
		for r := range p.flights {
			rs.InFlight[r.target.Instance]++
		}
		for _, l := range p.ledgers {
			rs.Ledgers = append(rs.Ledgers, *l)
		}
		s.Routes = append(s.Routes, rs)
	}
	slices.SortFunc(s.Routes, func(a, b traffic.RouteState) int { return cmp.Compare(a.Key(), b.Key()) })
	return s, nil
}

// Drained implements traffic.Traffic.
func (f *Traffic) Drained() <-chan struct{} { return f.drained }

// Close implements traffic.Traffic.
func (f *Traffic) Close() error { return nil }

// Fail makes Apply and State return the error, until it is called with nil.
func (f *Traffic) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failWith = err
}

// Applied returns how many times routes were applied.
func (f *Traffic) Applied() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.applied
}

// A Request is in flight in the fake until it ends or is cut off.
type Request struct {
	fake     *Traffic
	place    *place
	target   traffic.Target
	ledger   *andon.Ledger
	switched *andon.Ledger
	cut      chan struct{}
}

// Begin starts a request for the host. The status is 200 and the request is in flight, or it
// is 404 or 503 as the proxy would answer, and the request is nil.
func (f *Traffic) Begin(host string) (*Request, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.places {
		if !slices.Contains(p.route.Hosts, host) {
			continue
		}
		led := p.ledger(p.route.Ledger)
		if len(p.route.Targets) == 0 {
			led.Failed++
			return nil, 503
		}
		p.turn++
		r := &Request{fake: f, place: p, target: p.route.Targets[p.turn%len(p.route.Targets)], ledger: led, cut: make(chan struct{})}
		p.flights[r] = struct{}{}
		return r, 200
	}
	return nil, 404
}

// Target returns the copy that has the request.
func (r *Request) Target() traffic.Target { return r.target }

// CutOff is closed when the driver has ended the request.
func (r *Request) CutOff() <-chan struct{} { return r.cut }

// End ends the request by itself. It reports false if it was cut off before.
func (r *Request) End() bool {
	r.fake.mu.Lock()
	defer r.fake.mu.Unlock()
	if _, inFlight := r.place.flights[r]; !inFlight {
		return false
	}
	r.place.end(r, false)
	open := slices.ContainsFunc(r.place.route.Targets, func(t traffic.Target) bool { return t == r.target })
	if !open {
		select {
		case r.fake.drained <- struct{}{}:
		default:
		}
	}
	return true
}
