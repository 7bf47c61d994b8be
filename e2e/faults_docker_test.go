package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestFault_DockerRestarted: an engine that keeps its containers, as live-restore says, costs no
// request. One that ends them is as a host that is cut off, for as long as it is away: lost are the
// requests that its copies had and that nobody may send again. A deployment waits for the engine,
// and the copies are started again as soon as it is back.
func TestFault_DockerRestarted(t *testing.T) {
	t.Parallel()
	keeps, ends := newEngine(t, "--live-restore"), newEngine(t)
	p := startPlant(t, "--docker", "none")
	one := p.startHost("one", station{}, "--docker", keeps.Socket())
	p.startHost("two", station{}, "--docker", ends.Socket())
	p.production("platform: docker\nhosts: {names: [one, two]}\nedge: {names: [local]}\n")
	shop := p.newContainedShop()
	shop.ShipFirst()
	l := p.newLoad("shop.localhost", shopping)
	waitForRequests(t, l, 100)
	healthy := func(what string, want int) {
		t.Helper()
		until(t, what, func() error {
			if in := p.inTraffic("shop", "production"); len(in) != want {
				return fmt.Errorf("%+v", p.service("shop").Places)
			}
			return nil
		})
	}

	keeps.Kill()
	waitForRequests(t, l, 200)
	one.kill() // also an agent that starts without its engine knows its copies
	one.start()
	waitForRequests(t, l, 200)
	if err := keeps.Start(); err != nil {
		t.Fatal(err)
	}
	healthy("both copies are in traffic", 2)
	l.intact()

	if err := ends.End(); err != nil {
		t.Fatal(err)
	}
	healthy("the copy of the engine that ended leaves the traffic", 1)
	p.Andon("status").Wants(t, done, "andon status").Says(t, "1 of 2 healthy")
	shop.Commit("Without an engine", files{"files/answer.txt": "hello 2\n"})
	second := shop.Push()
	until(t, "the deployment says what it waits for", func() error {
		if r := p.Andon("why", "shop"); !strings.Contains(r.Out, "container engine at "+ends.Socket()+" does not answer") {
			return fmt.Errorf("%s", r)
		}
		return nil
	})
	if err := ends.Start(); err != nil {
		t.Fatal(err)
	}
	p.Wait(shop.Ref(second), "live:production")
	p.idle()
	healthy("both copies are in traffic", 2)
	l.stop()
	l.lostOnly(customers, "POST /order", "502")
}

// TestFault_ImageCorrupt: an image that is not what was built never becomes a container.
func TestFault_ImageCorrupt(t *testing.T) {
	t.Parallel()
	engine := newEngine(t)
	p := startPlant(t, "--docker", "none")
	p.startHost("one", station{}, "--docker", engine.Socket())
	p.production("platform: docker\nhosts: {names: [one]}\nedge: {names: [local]}\n")
	shop := p.newContainedShop("{name: production,", "{name: production, approval: {},")
	first := shop.Push()
	shop.promote(first)
	p.Wait(shop.Ref(first), "live:production")
	l := p.newLoad("shop.localhost", shopping)
	shop.Commit("Change", files{"files/answer.txt": "hello 2\n"})
	bad := shop.Push()
	p.Wait(shop.Ref(bad), "certified")
	p.corrupt(p.version("shop", bad))
	p.Andon("promote", "shop", fmt.Sprint(bad), "production").Wants(t, done, "andon promote")
	p.failsBecause("shop", bad, "damaged")
	p.idle()
	if live := p.live("shop", "production"); live != first {
		t.Fatalf("version %d is live", live)
	}
	shop.Commit("The same again", nil)
	again := shop.Push()
	shop.promote(again)
	p.Wait(shop.Ref(again), "live:production")
	p.answers("shop.localhost", "hello 2\n")
	l.stop()
	l.intact()
}
