package traffictest

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// sharesExactlyBetweenGroups gives a new group of two copies 5 % of what many clients with
// connections of their own send at once.
func sharesExactlyBetweenGroups(t *testing.T, b *bench) {
	const requests, clients = 10_000, 8
	var targets []traffic.Target
	for i, weight := range []int{32, 32, 31, 3, 2} { // in a hundred
		group, of := int64(1), i
		if i >= 3 {
			group, of = 2, i-3
		}
		target := b.copy(group, of).Target
		target.Weight = weight
		targets = append(targets, target)
	}
	b.apply(route(2, targets))
	var mu sync.Mutex
	got := map[andon.GroupID]int{}
	var load sync.WaitGroup
	for range clients {
		load.Go(func() {
			for range requests / clients {
				status, body, err := b.fetch(request(t.Context(), http.MethodGet, "/", nil))
				if err != nil || status != http.StatusOK {
					t.Errorf("%d %q %v", status, body, err)
					return
				}
				mu.Lock()
				got[andon.InstanceID(body).Group()]++
				mu.Unlock()
			}
		})
	}
	load.Wait()
	if light := got[andon.GroupID(deployment(2))]; light < requests*4/100 || light > requests*6/100 {
		t.Errorf("of %d requests %v: want 5 %% for the second group, give or take 1", requests, got)
	}
}

func countsWhatEachGroupAnswers(t *testing.T, b *bench) {
	if !b.Groups {
		t.Skip("this driver does not count by group")
	}
	old, fresh := b.copy(1, 0), b.copy(2, 0)
	b.apply(route(1, []traffic.Target{old.Target}))
	b.get("/")
	b.apply(route(2, []traffic.Target{old.Target, fresh.Target}))
	for range 4 {
		b.get("/")
		b.get("/") // the two take turns
		b.get("/fail")
		b.get("/fail")
	}
	var clientsGone int64
	if !b.GoneOrServed {
		clientsGone = 1
		b.leave(old, fresh) // it says nothing of a group
	}
	stats := func(group, ledger int64) andon.GroupStats {
		for _, g := range b.state().Groups {
			if g.Group == andon.GroupID(deployment(group)) && g.Ledger == deployment(ledger) {
				return g
			}
		}
		return andon.GroupStats{}
	}
	b.eventually("all are counted", func() bool {
		return stats(1, 2).Requests+stats(2, 2).Requests == 16 && b.total().ClientGone == clientsGone
	})
	for group := int64(1); group <= 2; group++ {
		got := stats(group, 2)
		var timed int64
		for _, n := range got.Latency {
			timed += n
		}
		if got.Requests != 8 || got.Errors != 4 || timed != 8 || len(got.Latency) > andon.LatencyBuckets {
			t.Errorf("group %d: %+v, want 8 requests, 4 of them errors, and 8 latencies", group, got)
		}
	}
	if got := stats(1, 1); got.Requests != 1 || got.Errors != 0 || len(b.state().Groups) != 3 {
		t.Errorf("under the first ledger %+v, in all %+v", got, b.state().Groups)
	}

	// A copy that is not there fails the requests that it is sent, wherever they end up.
	dead := traffic.Target{Instance: andon.NewInstanceID(andon.GroupID(deployment(3)), 0), Address: "127.0.0.1:1", Weight: 1}
	b.apply(route(3, []traffic.Target{dead, old.Target}))
	for range 4 {
		b.get("/")
	}
	b.eventually("all are counted", func() bool { return stats(1, 3).Requests == 4 })
	if got := stats(3, 3); got.Requests < 1 || got.Errors != got.Requests || len(got.Latency) != 0 {
		t.Errorf("the group that is not there: %+v", got)
	}
}

// leave sends a request that one of the copies holds, and goes away.
func (b *bench) leave(one, other *copyOf) {
	ctx, cancel := context.WithCancel(b.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _, _ = b.fetch(request(ctx, http.MethodGet, "/hold", nil))
	}()
	select {
	case <-one.held:
	case <-other.held:
	}
	cancel()
	<-gone
}
