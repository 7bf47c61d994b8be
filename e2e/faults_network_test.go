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
	shop := p.newShop("timeout: 5s", "timeout: 2s", "{name: production,", "{name: production, approval: {},")
	ship := func(text string) (version int64) {
		t.Helper()
		shop.Commit("Answer "+text, files{"files/answer.txt": text + "\n"})
		version = shop.Push()
		shop.promote(version)
		p.Wait(shop.Ref(version), "live:production")
		return version
	}
	first := ship("hello 1")
	shop.Commit("Into the dark", files{"files/answer.txt": "hello 2\n"})
	stuck := shop.Push()
	p.Wait(shop.Ref(stuck), "certified")
	l := p.newLoad("shop.localhost", shopping)
	waitForRequests(t, l, 100)
	l.intact()

	one.at.cut()
	cut := time.Now()
	until(t, "the copies of the host leave the traffic", func() error {
		if in := p.inTraffic("shop", "production"); len(in) != 1 || in[0].Agent != "two" {
			return fmt.Errorf("%+v", in)
		}
		return nil
	})
	t.Logf("its copies are out of traffic after %s", time.Since(cut).Round(10*time.Millisecond))
	p.Andon("status").Wants(t, done, "andon status").Says(t, "2 of 2 healthy, 1 in traffic")

	// Nobody knows yet that the agent is away: a deployment waits for it, and is called off.
	if _, err := p.Client.Promote(t.Context(), "shop", fmt.Sprint(stuck), api.Promote{Stage: "production"}); err != nil {
		t.Fatal(err)
	}
	until(t, "the deployment waits for the host", func() error {
		why, err := p.Client.Why(t.Context(), api.WhyQuestion{Service: "shop", Version: fmt.Sprint(stuck)})
		if err == nil && !strings.Contains(fmt.Sprintf("%s %+v", why.Sentence, why.Waits), "agent local does not send requests to shop.production.1.0 yet: it may not reach the host of agent one") {
			err = fmt.Errorf("%s %+v", why.Sentence, why.Waits)
		}
		return err
	})
	began := time.Now()
	p.Andon("rollback", "shop", "production", "--reason", "it does not move").Wants(t, done, "andon rollback")

	dead := one.copies("production")[0]
	kill(t, dead)
	until(t, "the agent that is cut off starts its copy again", func() error {
		if now := one.copies("production"); len(now) != 1 || now[0].PID == dead.PID {
			return fmt.Errorf("%+v", now)
		}
		return nil
	})

	agent := p.knows("one", false)
	away := time.Since(cut).Round(time.Second)
	t.Logf("after %s the plant says: agent one is away: %s", away, agent.Reason)
	if away > awayWithin {
		t.Errorf("the plant says after %s that the agent is away", away)
	}
	p.Andon("status").Wants(t, done, "andon status").Says(t, "away", agent.Reason, "1 of 2 healthy, 1 not attested")
	p.idleBut(t, "one")
	t.Logf("the rollback has ended after %s", time.Since(began).Round(time.Second))
	if live := p.live("shop", "production"); live != first {
		t.Fatalf("version %d is live after the rollback", live)
	}
	p.answers("shop.localhost", "hello 1\n")
	ship("hello 3") // while one is away
	if n := len(two.copies("production")); n != 2 {
		t.Errorf("host two has %d copies; want both", n)
	}

	one.at.mend()
	mended := time.Now()
	p.knows("one", true)
	until(t, "the host that is back ends what is not wanted any more", func() error {
		if left := one.copies("production"); len(left) > 0 {
			return fmt.Errorf("%d copies run", len(left))
		}
		return nil
	})
	t.Logf("the host does what it missed %s after it is back", time.Since(mended).Round(100*time.Millisecond))
	ship("hello 4") // after it is back
	if len(one.copies("production")) != 1 || len(two.copies("production")) != 1 {
		t.Error("the next version is not spread over both hosts")
	}
	l.stop()
	l.lostOnly(customers, "POST /order", "502")
	l.add(1, 1) // what the test itself asked
	l.balances(p, "shop", "production")
}
