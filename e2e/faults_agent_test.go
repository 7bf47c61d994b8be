package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
)

// awayWithin bounds how long the plant may take to say that an agent whose process ended is away.
const awayWithin = 25 * time.Second

// TestFault_AgentKilled: nobody notices but status, which says that the agent is away; a version
// goes to the hosts that are there, and the host does what it missed when its agent is back.
func TestFault_AgentKilled(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	one, two := p.startHost("one", station{}), p.startHost("two", station{})
	p.production("hosts: {names: [one, two]}\nedge: {names: [local]}\n")
	shop := p.newShop(patient()...)
	shop.ShipFirst()
	l := p.newLoad("shop.localhost", shopping)
	before := one.copies("production")
	if len(before) != 1 || len(two.copies("production")) != 1 {
		t.Fatalf("the copies are not spread: %+v, %+v", before, two.copies("production"))
	}

	one.kill()
	killed := time.Now()
	agent := p.knows("one", false, awayWithin)
	t.Logf("after %s the plant says: agent one is away: %s", time.Since(killed).Round(time.Second), agent.Reason)
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
	p.knows("one", true, 10*time.Second)
	until(t, 30*time.Second, "the host that is back ends what is not wanted any more", func() error {
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
func TestFault_AgentKilledDuringADeployment(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	one, two := p.startHost("one", station{}), p.startHost("two", station{})
	p.production("hosts: {names: [one, two]}\nedge: {names: [local]}\nsoak: 2s\n")
	shop := p.newShop(patient()...)
	shop.ShipFirst()
	l := p.newLoad("shop.localhost", shopping)
	step := func(version int64, want api.DeploymentStep) {
		t.Helper()
		until(t, 30*time.Second, fmt.Sprintf("the deployment of version %d is at %s", version, want), func() error {
			d, err := p.deploymentOf("shop", version)
			if err == nil && d.Step != want {
				err = fmt.Errorf("%+v", d)
			}
			return err
		})
	}
	shop.Commit("Its agent is back soon", files{"files/answer.txt": "hello 2\n"})
	second := shop.Push()
	step(second, api.StepSoaking)
	one.kill()
	one.start()
	p.Wait(shop.Ref(second), "live:production")
	p.idle(30 * time.Second)

	two.kill()
	shop.Commit("Its agent is not", files{"files/answer.txt": "hello 3\n"})
	third := shop.Push()
	until(t, 30*time.Second, "the deployment waits for the agent", func() error {
		if r := p.Andon("why", "shop"); !strings.Contains(r.Out, "agent two, which has shop.production.3.") {
			return fmt.Errorf("%s", r)
		}
		return nil
	})
	began := time.Now()
	p.Andon("rollback", "shop", "production", "--reason", "it does not move").Wants(t, done, "andon rollback")
	p.idleBut(t, "two", 20*time.Second)
	t.Logf("the rollback has ended after %s", time.Since(began).Round(10*time.Millisecond))
	if live := p.live("shop", "production"); live != second {
		t.Fatalf("version %d is live", live)
	}
	if v := p.version("shop", third); v.Maturity != api.Quarantined {
		t.Errorf("version %d is %s", third, v.Maturity)
	}
	two.start()
	p.idle(30 * time.Second)
	shop.Ship("With all of them", files{"files/answer.txt": "hello 4\n"})
	if len(one.copies("production")) != 1 || len(two.copies("production")) != 1 {
		t.Error("the next version is not spread over both hosts")
	}
	l.stop()
	l.intact()
	l.balances(p, "shop", "production")
}
