package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/e2e/planttest"
)

func TestProxyKill_ItIsBackWithinASecondAndItsCountersSurvive(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	p.newShop().ShipFirst()
	l := p.newLoad("shop.localhost", ordering)
	const times, slow = 4, 3
	before, inTime := p.proxyProcess(), 0
	for range times {
		waitForRequests(t, l, 100)
		held := make(chan error, slow)
		for range slow {
			go func() {
				_, err := l.try(http.MethodPost, "/slow?ms=60000", strings.NewReader("x"))
				held <- err
			}()
		}
		// Each of them is with a copy: what is asked after them is answered.
		waitForRequests(t, l, 100)
		killed := time.Now()
		if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		answer, err := get(t, p.Proxy, "shop.localhost", "/")
		back := time.Since(killed)
		if err != nil || answer != "hello 1\n" {
			t.Fatalf("the first request after the kill: %q, %v", answer, err)
		}
		l.add(1, 1+slow)
		if p.soon(back) {
			inTime++
		}
		t.Logf("the first request after the kill is answered after %s", back)
		for range slow {
			if err := <-held; err == nil {
				t.Error("a request that was in flight when the proxy was killed is answered")
			}
		}
		after := p.proxyProcess()
		if after.PID == before.PID {
			t.Fatal("the proxy was not killed")
		}
		before = after
	}
	if inTime < times/2 {
		t.Errorf("after %d of %d kills the proxy was back within a second", inTime, times)
	}
	waitForRequests(t, l, 100)
	l.stop()
	sent, failed := l.count()
	t.Logf("by status: %v; the first that were not answered:\n%s", l.codes, strings.Join(l.failures, "\n"))
	// A request that the killed proxy had not read is nobody's but the customer's: it failed. All
	// others are in the ledgers.
	until(t, "the ledgers account for the requests", func() error {
		sum, err := p.ledgers("shop", "production")
		if err != nil {
			return err
		}
		known := sent - failed + times*slow // that were answered, or were with a copy for certain
		if sum.Requests > sent || sum.Requests < known || sum.Failed != 0 {
			return fmt.Errorf("%d requests, %d not answered; the ledgers say %+v", sent, failed, sum)
		}
		if sum.Unknown < times*slow || sum.Unknown > times*(slow+customers) {
			return fmt.Errorf("%d requests are unknown; there were %d to %d in flight", sum.Unknown, times*slow, times*(slow+customers))
		}
		t.Logf("%d kills: %d requests, %d not answered; the ledgers say %d requests, %d served, %d unknown",
			times, sent, failed, sum.Requests, sum.Served, sum.Unknown)
		return nil
	})
	// A customer may lose the request that is in flight, and one more that finds a connection to
	// the dead proxy that was idle.
	if most := int64(times * (slow + 2*customers)); failed > most {
		t.Errorf("%d requests failed; at most %d could be in flight or on a dead connection", failed, most)
	}
}

// soon reports whether what a killed process left undone was done again within a second: by a program
// with the race detector within three, and on a machine that is busy, or stood still just then, within
// four times what any command of the program takes there.
func (p *plant) soon(back time.Duration) bool {
	p.T.Helper()
	limit := time.Second
	if planttest.RaceEnabled {
		limit *= 3
	}
	began := time.Now()
	p.Andon("version").Wants(p.T, done, "andon version")
	return back <= max(limit, 4*time.Since(began))
}

// waitForRequests waits until so many more are answered.
func waitForRequests(t *testing.T, l *load, n int64) {
	t.Helper()
	sent, failed := l.count()
	until(t, "the customers are served", func() error {
		now, bad := l.count()
		if now-bad < sent-failed+n {
			return fmt.Errorf("%d requests, %d failed", now, bad)
		}
		return nil
	})
}
