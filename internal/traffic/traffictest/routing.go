package traffictest

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

func routesByHost(t *testing.T, b *bench) {
	one, two := b.copy(1, 0), b.copy(2, 0)
	other := andon.Place{Service: "shop", Environment: "test"}
	b.apply(route(1, []traffic.Target{one.Target}),
		traffic.Route{Place: other, Generation: 1, Hosts: []string{"shop.test.localhost"}, Targets: []traffic.Target{two.Target}, Ledger: "shop.test.1"})
	for name, want := range map[string]andon.InstanceID{host: one.Instance, "shop.test.localhost": two.Instance, "SHOP.localhost:8080": one.Instance, "shop.localhost.": one.Instance} {
		if b.Addr == "" && name != strings.ToLower(strings.TrimRight(name, ".:80")) {
			continue // nothing but the driver itself reads a Host header
		}
		r := request(t.Context(), http.MethodGet, "/", nil)
		r.Host, r.URL.Host = name, name
		if status, body, err := b.fetch(r); err != nil || status != 200 || body != string(want) {
			t.Errorf("host %s: %d %q %v, want %s", name, status, body, err, want)
		}
	}
	b.eventually("one request of the test environment is counted", func() bool {
		s, err := b.Traffic.State(t.Context())
		return err == nil && slices.ContainsFunc(s.Routes, func(r traffic.RouteState) bool {
			return r.Place == other && len(r.Ledgers) == 1 && r.Ledgers[0].Served == 1
		})
	})
}

func answersForUnknownHosts(t *testing.T, b *bench) {
	b.apply(route(1, []traffic.Target{b.copy(1, 0).Target}))
	r := request(t.Context(), http.MethodGet, "/", nil)
	r.Host, r.URL.Host = "nobody.localhost", "nobody.localhost"
	if status, body, err := b.fetch(r); err != nil || status != 404 || body == "" {
		t.Errorf("%d %q %v, want 404 and a sentence", status, body, err)
	}
	if got := b.total(); got.Requests() != 0 {
		t.Errorf("counted for a place: %+v", got)
	}
}

func answersWithoutTargets(t *testing.T, b *bench) {
	b.apply(route(1, nil))
	status, body := b.get("/")
	if status != 503 || body == "" {
		t.Errorf("%d %q, want 503 and a sentence", status, body)
	}
	b.eventually("it is counted", func() bool { return b.total().Requests() == 1 })
	if got := b.total(); got.Failed != 1 {
		t.Errorf("ledger %+v, want one failed", got)
	}
}

func sharesByWeight(t *testing.T, b *bench) {
	heavy, light := b.copy(1, 0).Target, b.copy(2, 0).Target
	heavy.Weight, light.Weight = 9, 1
	b.apply(route(1, []traffic.Target{heavy, light}))
	got := map[string]int{}
	for range 100 {
		_, body := b.get("/")
		got[body]++
	}
	if got[string(light.Instance)] != 10 {
		t.Errorf("of 100 requests one after the other, %v: the copy of weight 1 of 10 should have had 10", got)
	}
}

func reportsGenerationAndTargets(t *testing.T, b *bench) {
	one, two := b.copy(1, 0), b.copy(1, 1)
	b.apply(route(7, []traffic.Target{one.Target, two.Target}))
	s := b.state()
	if s.Generation != 7 || !slices.Equal(s.Targets, []andon.InstanceID{one.Instance, two.Instance}) {
		t.Errorf("state %+v", s)
	}
	b.apply(route(8, []traffic.Target{two.Target}))
	if s := b.state(); s.Generation != 8 || !slices.Equal(s.Targets, []andon.InstanceID{two.Instance}) {
		t.Errorf("state after the switch %+v", s)
	}
}

func appliesTheSameTwice(t *testing.T, b *bench) {
	r := route(1, []traffic.Target{b.copy(1, 0).Target})
	b.apply(r)
	b.get("/")
	var before traffic.RouteState
	b.eventually("the request ends", func() bool {
		before = b.state()
		return len(before.InFlight) == 0 && len(before.Ledgers) == 1 && before.Ledgers[0].Served == 1
	})
	b.apply(r)
	if after := b.state(); !reflect.DeepEqual(before, after) {
		t.Errorf("state %+v, was %+v", after, before)
	}
}

func refusesAllOrNothing(t *testing.T, b *bench) {
	one, two := b.copy(1, 0), b.copy(2, 0)
	b.apply(route(1, []traffic.Target{one.Target}))
	thief := traffic.Route{Place: andon.Place{Service: "thief", Environment: "production"}, Generation: 1, Hosts: []string{host}, Ledger: "thief.production.1"}
	err := b.Traffic.Apply(t.Context(), []traffic.Route{route(2, []traffic.Target{two.Target}), thief})
	if andon.KindOf(err) != andon.KindInvalid {
		t.Errorf("two routes for one host: %v, want an error of kind invalid", err)
	}
	if _, body := b.get("/"); body != string(one.Instance) {
		t.Errorf("after the refusal %q answers, want %s", body, one.Instance)
	}
	if s := b.state(); s.Generation != 1 {
		t.Errorf("generation %d after the refusal", s.Generation)
	}
	b.apply(route(2, []traffic.Target{two.Target}))
}

func forgetsRemovedRoutes(t *testing.T, b *bench) {
	b.apply(route(1, []traffic.Target{b.copy(1, 0).Target}))
	b.get("/")
	b.apply()
	if status, _ := b.get("/"); status != 404 {
		t.Errorf("status %d of a removed route", status)
	}
	if s, err := b.Traffic.State(t.Context()); err != nil || len(s.Routes) != 0 {
		t.Errorf("state %+v %v", s, err)
	}
}

// switches is how many times traffic moves under load.
const switches = 120

func switchesWithoutAFailedRequest(t *testing.T, b *bench) {
	copies := []*copyOf{b.copy(1, 0), b.copy(2, 0)}
	b.apply(route(1, []traffic.Target{copies[0].Target}))
	var sent atomic.Int64
	var load sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				sent.Add(1)
				if status, body, err := b.fetch(request(t.Context(), http.MethodGet, "/", nil)); err != nil || status != 200 {
					t.Errorf("request %d: %d %q %v", sent.Load(), status, body, err)
					return
				}
			}
		})
	}
	for n := range int64(switches) {
		next, last := copies[(n+1)%2], copies[n%2]
		reached := sent.Load() + 3
		b.apply(route(n+2, []traffic.Target{next.Target}, last.Target))
		if _, body := b.get("/"); body != string(next.Instance) {
			t.Fatalf("switch %d: a request after it went to %s", n, body)
		}
		sent.Add(1)
		b.eventually("requests go on", func() bool { return sent.Load() >= reached || t.Failed() })
	}
	close(stop)
	load.Wait()
	b.eventually("nothing is in flight", func() bool { return len(b.state().InFlight) == 0 })
	if kept := b.state().Ledgers; len(kept) != traffic.KeptLedgers || kept[len(kept)-1].Deployment != deployment(switches+1) {
		t.Errorf("ledgers %+v, want the newest %d", kept, traffic.KeptLedgers)
	}
	if got := b.total(); got.Failed+got.ClientGone+got.Unknown != 0 {
		t.Errorf("ledgers %+v", got)
	}
}
