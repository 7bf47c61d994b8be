package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
)

// startNetworked returns a plant with hosts one and two, each in a namespace of its own, behind the
// proxy of the server's host.
func startNetworked(t *testing.T) (p *plant, one, two *host) {
	t.Helper()
	n := newNetwork(t)
	at := n.station("plant")
	p = newPlant(t)
	p.At = at
	p.Listen, p.Through = at.address+":0", at.address+":0"
	p.Start()
	one, two = p.startHost("one", n.station("one")), p.startHost("two", n.station("two"))
	p.production("hosts: {names: [one, two]}\nedge: {names: [local]}\n")
	return p, one, two
}

// inTraffic returns the copies of a place that get requests, as their agents attest it.
func (p *plant) inTraffic(service, environment string) []api.Copy {
	p.T.Helper()
	var found []api.Copy
	for _, place := range p.service(service).Places {
		for _, c := range place.CopyList {
			if place.Environment == environment && c.InTraffic {
				found = append(found, c)
			}
		}
	}
	return found
}

// TestFault_HostCutOff: the host's copies leave the traffic within the health interval and its
// timeout. Lost are the requests that were with a copy there and that nobody may send again. A
// rollback of what goes on ends while the host is away, the next version goes to the hosts that are
// there, and the host that is back does what it missed. All the time it kept its copies running.
func TestFault_HostCutOff(t *testing.T) {
	t.Parallel()
	p, one, two := startNetworked(t)
	shop := p.newShop()
	first := shop.ShipFirst()
	l := p.newLoad("shop.localhost", shopping)
	waitForRequests(t, l, 100)
	l.intact()

	one.at.cut()
	cut := time.Now()
	until(t, 20*time.Second, "the copies of the host leave the traffic", func() error {
		if in := p.inTraffic("shop", "production"); len(in) != 1 || in[0].Agent != "two" {
			return fmt.Errorf("%+v", in)
		}
		return nil
	})
	t.Logf("its copies are out of traffic after %s", time.Since(cut).Round(10*time.Millisecond))
	p.Andon("status").Wants(t, done, "andon status").Says(t, "2 of 2 healthy, 1 in traffic")

	// Nobody knows yet that the agent is away: a deployment waits for it, and is called off.
	shop.Commit("Into the dark", files{"files/answer.txt": "hello 2\n"})
	stuck := shop.Push()
	until(t, 30*time.Second, "the deployment waits for the host", func() error {
		if r := p.Andon("why", shop.Ref(stuck)); !strings.Contains(r.Out, "shop.production.2: agent local does not send requests to shop.production.1.0 yet: it may not reach the host of agent one") {
			return fmt.Errorf("%s", r)
		}
		return nil
	})
	began := time.Now()
	p.Andon("rollback", "shop", "production", "--reason", "it does not move").Wants(t, done, "andon rollback")

	dead := one.copies("production")[0]
	kill(t, dead)
	until(t, 20*time.Second, "the agent that is cut off starts its copy again", func() error {
		if now := one.copies("production"); len(now) != 1 || now[0].PID == dead.PID {
			return fmt.Errorf("%+v", now)
		}
		return nil
	})

	agent := p.knows("one", false, time.Minute)
	t.Logf("after %s the plant says: agent one is away: %s", time.Since(cut).Round(time.Second), agent.Reason)
	p.Andon("status").Wants(t, done, "andon status").Says(t, "away", agent.Reason, "1 of 2 healthy, 1 not attested")
	p.idleBut(t, "one", 30*time.Second)
	t.Logf("the rollback has ended after %s", time.Since(began).Round(time.Second))
	if live := p.live("shop", "production"); live != first {
		t.Fatalf("version %d is live after the rollback", live)
	}
	p.answers("shop.localhost", "hello 1\n")
	shop.Ship("While one is away", files{"files/answer.txt": "hello 3\n"})
	if n := len(two.copies("production")); n != 2 {
		t.Errorf("host two has %d copies; want both", n)
	}

	one.at.mend()
	mended := time.Now()
	p.knows("one", true, time.Minute)
	until(t, time.Minute, "the host that is back ends what is not wanted any more", func() error {
		if left := one.copies("production"); len(left) > 0 {
			return fmt.Errorf("%d copies run", len(left))
		}
		return nil
	})
	t.Logf("the host does what it missed %s after it is back", time.Since(mended).Round(100*time.Millisecond))
	shop.Ship("After it is back", files{"files/answer.txt": "hello 4\n"})
	if len(one.copies("production")) != 1 || len(two.copies("production")) != 1 {
		t.Error("the next version is not spread over both hosts")
	}
	l.stop()
	l.lostOnly(customers, "POST /order", "502")
	l.add(1, 1) // what the test itself asked
	l.balances(p, "shop", "production")
}
