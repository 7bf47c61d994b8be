package traffictest

import (
	"net/http"
	"testing"

	"github.com/andon-cd/andon/internal/traffic"
)

type held struct {
	status int
	body   string
	err    error
}

// hold sends a request that stays in flight on c, and returns how it ends.
func (b *bench) hold(c *copyOf) <-chan held {
	ended := make(chan held, 1)
	go func() {
		status, body, err := b.fetch(request(b.Context(), http.MethodGet, "/hold", nil))
		ended <- held{status, body, err}
	}()
	select {
	case <-c.held:
	case <-b.Context().Done():
	}
	return ended
}

func drainsWhatIsInFlight(t *testing.T, b *bench) {
	old, fresh := b.copy(1, 0), b.copy(2, 0)
	b.apply(route(1, []traffic.Target{old.Target}))
	first, second := b.hold(old), b.hold(old)
	b.apply(route(2, []traffic.Target{fresh.Target}, old.Target))
	if _, body := b.get("/"); body != string(fresh.Instance) {
		t.Errorf("a new request went to %s", body)
	}
	if s := b.state(); s.InFlight[old.Instance] != 2 {
		t.Errorf("in flight %v, want two on %s", s.InFlight, old.Instance)
	}
	if got := b.state().Ledgers[1]; got.Deployment != deployment(2) || got.AtSwitch != 2 || got.Drained != 0 {
		t.Errorf("ledger at the switch %+v", got)
	}
	old.release <- struct{}{}
	old.release <- struct{}{}
	for _, ended := range []<-chan held{first, second} {
		if got := <-ended; got.err != nil || got.body != string(old.Instance) {
			t.Errorf("a request that was in flight at the switch ended with %q %v", got.body, got.err)
		}
	}
	select {
	case <-b.Traffic.Drained():
	case <-t.Context().Done():
		t.Fatal("no signal when the last request ended")
	}
	var drained traffic.RouteState
	b.eventually("the old copy is drained", func() bool { drained = b.state(); return drained.InFlight[old.Instance] == 0 })
	if got := drained.Ledgers[1]; got.AtSwitch != 2 || got.Drained != 2 || got.CutOff != 0 {
		t.Errorf("when nothing is in flight any more, the new ledger is %+v, want both drained", got)
	}
	b.eventually("all are counted", func() bool { return b.total().Served == 3 })
	if got := b.state().Ledgers[0]; got.Served != 2 || got.Requests() != 2 {
		t.Errorf("old ledger %+v, want the two requests that began under it", got)
	}
	b.apply(route(3, []traffic.Target{fresh.Target}))
}

func cutsOffWhatIsRemoved(t *testing.T, b *bench) {
	old, fresh := b.copy(1, 0), b.copy(2, 0)
	b.apply(route(1, []traffic.Target{old.Target}))
	ended := b.hold(old)
	b.apply(route(2, []traffic.Target{fresh.Target}, old.Target))
	b.apply(route(3, []traffic.Target{fresh.Target}))
	if got := <-ended; got.err == nil {
		t.Errorf("the request that was cut off ended as if it were whole: %d %q", got.status, got.body)
	}
	b.eventually("it is counted", func() bool { got := b.total(); return got.Requests() == 1 && got.CutOff == 1 })
	if got := b.total(); got.Failed != 1 || got.AtSwitch != 1 || got.CutOff != 1 || got.Drained != 0 {
		t.Errorf("ledgers %+v, want one cut off", got)
	}
	if _, body := b.get("/"); body != string(fresh.Instance) {
		t.Errorf("a new request went to %s", body)
	}
}

func keepsTheNewestLedgers(t *testing.T, b *bench) {
	c := b.copy(1, 0)
	for n := range int64(traffic.KeptLedgers + 3) {
		b.apply(route(n+1, []traffic.Target{c.Target}))
		b.get("/")
	}
	b.eventually("all are counted", func() bool { return b.total().Served == traffic.KeptLedgers })
	for i, l := range b.state().Ledgers {
		if l.Deployment != deployment(int64(i+4)) || l.Served != 1 {
			t.Errorf("ledger %d is %+v", i, l)
		}
	}
}
