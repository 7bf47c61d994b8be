package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startWithHAProxy returns a plant whose requests HAProxy moves, on ports that stay.
func startWithHAProxy(t *testing.T) *plant {
	t.Helper()
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skip("haproxy is not installed: scripts/setup installs it")
	}
	return startFixedPlant(t, "--traffic", "haproxy")
}

// haproxyProcess returns the HAProxy that carries requests.
func (p *plant) haproxyProcess() process {
	p.T.Helper()
	all := processesOf(p.Data)
	i := slices.IndexFunc(all, func(x process) bool { return strings.Contains(x.Command, "haproxy -db") })
	if i < 0 {
		p.T.Fatal("there is no HAProxy")
	}
	return all[i]
}

func TestHAProxy_NobodyNoticesDeploymentsRollbacksAndARestartOfTheServer(t *testing.T) {
	t.Parallel()
	p := startWithHAProxy(t)
	shop := p.newShop()
	first := shop.ShipFirst()
	l := p.newLoad("shop.localhost", shopping)
	mover := p.haproxyProcess()
	for n := 2; n <= 4; n++ {
		shop.Ship("Another answer", files{"files/answer.txt": fmt.Sprintf("hello %d\n", n)})
		waitForRequests(t, l, 50)
	}
	p.Andon("rollback", "shop", "production", strconv.FormatInt(first, 10), "--reason", "the test goes back").Wants(t, done, "andon rollback")
	p.idle()
	p.answers("shop.localhost", "hello 1\n")
	l.add(1, 1) // what the test itself asked
	p.Stop()
	waitForRequests(t, l, 50) // the server is away, and nobody notices
	p.Start()
	shop.Ship("One more", files{"files/answer.txt": "hello 5\n"})
	p.answers("shop.localhost", "hello 5\n")
	l.add(1, 1)
	if !mover.Alive() {
		t.Error("the HAProxy that ran was not adopted")
	}
	l.stop()
	l.intact()
	l.balances(p, "shop", "production")
	sent, _ := l.count()
	sum, err := p.ledgers("shop", "production")
	if err != nil || sum.Served != sent {
		t.Errorf("%d requests were answered; the ledgers say %+v, %v", sent, sum, err)
	}
	t.Logf("5 deployments and a rollback through HAProxy: %d requests, none failed", sent)
}

func TestHAProxyKill_ItIsBackWithinASecond(t *testing.T) {
	t.Parallel()
	p := startWithHAProxy(t)
	p.newShop().ShipFirst()
	l := p.newLoad("shop.localhost", ordering)
	const times = 4
	before, inTime := p.haproxyProcess(), 0
	for range times {
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
		l.add(1, 1)
		if p.soon(back) {
			inTime++
		}
		t.Logf("the first request after the kill is answered after %s", back)
		after := p.haproxyProcess()
		if after.PID == before.PID {
			t.Fatal("HAProxy was not killed")
		}
		before = after
	}
	if inTime < times/2 {
		t.Errorf("after %d of %d kills HAProxy was back within a second", inTime, times)
	}
	waitForRequests(t, l, 100)
	l.stop()
	sent, failed := l.count()
	// A customer may lose the request that is in flight, and one more that finds a connection to
	// the dead HAProxy that was idle.
	if most := int64(times * 2 * customers); failed > most {
		t.Errorf("%d requests failed; at most %d could be in flight or on a dead connection", failed, most)
	}
	// What ended in the moment before a kill and was not read counts for nothing; all else is there.
	until(t, "the ledgers account for the requests", func() error {
		sum, err := p.ledgers("shop", "production")
		if err != nil {
			return err
		}
		if sum.Failed != 0 || sum.Requests > sent || sum.Served+sum.Unknown < sent-failed-times*unread {
			return fmt.Errorf("%d requests, %d not answered; the ledgers say %+v", sent, failed, sum)
		}
		t.Logf("%d kills: %d requests, %d not answered; the ledgers say %d served, %d unknown", times, sent, failed, sum.Served, sum.Unknown)
		return nil
	})
	if code, err := l.try(http.MethodGet, "/", nil); code != http.StatusOK {
		t.Errorf("after the kills: %d, %v", code, err)
	}
}

// unread is how many requests may have ended and not been read when HAProxy is killed: each
// customer's latest.
const unread = 2 * customers

func TestTraffic_AnotherDriverTakesOver(t *testing.T) {
	t.Parallel()
	p := startWithHAProxy(t)
	p.newShop().ShipFirst()
	p.answers("shop.localhost", "hello 1\n")
	for _, options := range [][]string{nil, {"--traffic", "haproxy"}} {
		p.Stop()
		p.Options = options
		p.Start()
		until(t, "the other driver moves the requests", func() error {
			if got, err := get(t, p.Proxy, "shop.localhost", "/"); err != nil || got != "hello 1\n" {
				return fmt.Errorf("%q, %w", got, err)
			}
			return nil
		})
		builtIn, other := 0, 0
		for _, x := range processesOf(p.Data) {
			switch {
			case strings.Contains(x.Command, "haproxy -db"):
				other++
			case strings.Contains(x.Command, " proxy --dir"):
				builtIn++
			}
		}
		if want := len(options) / 2; other != want || builtIn != 1-want {
			t.Errorf("with %v, %d built-in proxies and %d HAProxies run", options, builtIn, other)
		}
	}
}

func TestHAProxy_MovesTheRequestsOfAnEdgeToCopiesOnOtherHosts(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skip("haproxy is not installed: scripts/setup installs it")
	}
	front := p.startHost("front", station{}, "--traffic", "haproxy", "--haproxy-copies", "3", "--label", "role=edge")
	shop := p.newShop()
	shop.ShipFirst()
	if got, err := get(t, front.proxy, "shop.localhost", "/"); err != nil || got != "hello 1\n" {
		t.Fatalf("the edge answers %q, %v", got, err)
	}
	// What it cannot do is refused before anything happens.
	shop.Commit("Run too many", files{"andon.yaml": p.Pipeline("instances: 2", "instances: 4")})
	version := shop.Push()
	p.Andon("wait", shop.Ref(version), "--for", "ended", "--timeout", "4m").Wants(t, done, "waiting for its end")
	p.Andon("why", "shop").Says(t, "the proxy of host front takes 3")
	if got, err := get(t, front.proxy, "shop.localhost", "/"); err != nil || got != "hello 1\n" {
		t.Errorf("the edge answers %q, %v", got, err)
	}
}
