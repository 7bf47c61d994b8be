package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
)

// awayWithin bounds how long the plant may take to say that an agent is away: the 45 s of one that is
// only silent, and some for a busy machine.
const awayWithin = 75 * time.Second

// TestFault_AgentKilled: nobody notices but status, which says that the agent is away; a version
// goes to the hosts that are there, and the host does what it missed when its agent is back.
func TestFault_AgentKilled(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	one, two := p.startHost("one", station{}), p.startHost("two", station{})
	p.production("hosts: {names: [one, two]}\nedge: {names: [local]}\n")
	shop := p.newShop()
	shop.ShipFirst()
	l := p.newLoad("shop.localhost", shopping)
	before := one.copies("production")
	if len(before) != 1 || len(two.copies("production")) != 1 {
		t.Fatalf("the copies are not spread: %+v, %+v", before, two.copies("production"))
	}

	one.kill()
	killed := time.Now()
	agent := p.knows("one", false)
	away := time.Since(killed).Round(time.Second)
	t.Logf("after %s the plant says: agent one is away: %s", away, agent.Reason)
	if away > awayWithin {
		t.Errorf("the plant says after %s that the agent is away", away)
	}
	p.Andon("status").Wants(t, done, "andon status").Says(t, "away", agent.Reason)
	if !before[0].Alive() {
		t.Error("the copy ended with its agent")
	}
	waitForRequests(t, l, 100)
	second := shop.Ship("While one is away", files{"files/answer.txt": "hello 2\n"})
	if n := len(two.copies("production")); n != 2 {
		t.Errorf("host two has %d copies of version %d; want both", n, second)
	}
	if !before[0].Alive() {
		t.Error("somebody ended the copy of an agent that is away")
	}

	one.start()
	p.knows("one", true)
	until(t, "the host that is back ends what is not wanted any more", func() error {
		if left := one.copies("production"); len(left) > 0 {
			return fmt.Errorf("%d copies run", len(left))
		}
		return nil
	})
	shop.Ship("After it is back", files{"files/answer.txt": "hello 3\n"})
	if len(one.copies("production")) != 1 || len(two.copies("production")) != 1 {
		t.Error("the next version is not spread over both hosts")
	}
	l.stop()
	l.intact()
	l.balances(p, "shop", "production")
}

// TestFault_AgentKilledDuringADeployment: an agent that is back soon is not missed. While it is not,
// the deployment waits and says for whom, and a rollback calls it off.
//
// What is to be in the middle of a deployment must not be before or after it, however slow the machine
// is: a person promotes the version, and a long soak keeps the first deployment where it is.
func TestFault_AgentKilledDuringADeployment(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	one, two := p.startHost("one", station{}), p.startHost("two", station{})
	const onBoth = "hosts: {names: [one, two]}\nedge: {names: [local]}\n"
	p.production(onBoth)
	shop := p.newShop("{name: production,", "{name: production, approval: {},")
	first := shop.Push()
	shop.promote(first)
	p.Wait(shop.Ref(first), "live:production")
	p.production(onBoth + "soak: 15s\n")
	l := p.newLoad("shop.localhost", shopping)
	shop.Commit("Its agent is back soon", files{"files/answer.txt": "hello 2\n"})
	second := shop.Push()
	shop.promote(second)
	until(t, "the deployment soaks", func() error {
		d, err := p.deploymentOf("shop", second)
		if err == nil && d.Step != api.StepSoaking {
			err = fmt.Errorf("%+v", d)
		}
		return err
	})
	one.kill()
	one.start()
	p.Wait(shop.Ref(second), "live:production")
	p.production(onBoth)
	p.idle()

	shop.Commit("Its agent is not", files{"files/answer.txt": "hello 3\n"})
	third := shop.Push()
	p.Wait(shop.Ref(third), "certified")
	two.kill()
	// Before the plant misses the agent: then it would choose the other host for both copies.
	if _, err := p.Client.Promote(t.Context(), "shop", fmt.Sprint(third), api.Promote{Stage: "production"}); err != nil {
		t.Fatal(err)
	}
	until(t, "the deployment waits for the agent", func() error {
		if r := p.Andon("why", "shop"); !strings.Contains(r.Out, "agent two, which has shop.production.3.") {
			return fmt.Errorf("%s", r)
		}
		return nil
	})
	began := time.Now()
	p.Andon("rollback", "shop", "production", "--reason", "it does not move").Wants(t, done, "andon rollback")
	p.idleBut(t, "two")
	t.Logf("the rollback has ended after %s", time.Since(began).Round(10*time.Millisecond))
	if live := p.live("shop", "production"); live != second {
		t.Fatalf("version %d is live", live)
	}
	if v := p.version("shop", third); v.Maturity != api.Quarantined {
		t.Errorf("version %d is %s", third, v.Maturity)
	}
	two.start()
	p.idle()
	shop.Commit("With all of them", files{"files/answer.txt": "hello 4\n"})
	fourth := shop.Push()
	shop.promote(fourth)
	p.Wait(shop.Ref(fourth), "live:production")
	if len(one.copies("production")) != 1 || len(two.copies("production")) != 1 {
		t.Error("the next version is not spread over both hosts")
	}
	l.stop()
	l.intact()
	l.balances(p, "shop", "production")
}
