package e2e

import (
	"fmt"
	"testing"

	"github.com/andon-cd/andon/e2e/planttest"
)

func TestUpgrade_OfTheBinaryTouchesNoCopyAndLosesNoRequest(t *testing.T) {
	t.Parallel()
	later := planttest.LaterProgram(t)
	p := startFixedPlant(t)
	shop := p.newShop()
	shop.ShipFirst()
	p.idle()
	l := p.newLoad("shop.localhost", shopping)
	copies := func() map[string]int {
		all := map[string]int{}
		for _, c := range with(processesOf(p.Data), "ANDON_INSTANCE") {
			all[c.Environ["ANDON_INSTANCE"]] = c.PID
		}
		return all
	}
	before, proxy := copies(), p.proxyProcess()
	if len(before) != 4 {
		t.Fatalf("%d copies run: %v", len(before), before)
	}
	waitForRequests(t, l, 50)
	p.Stop()
	waitForRequests(t, l, 50) // the server is away, and nobody notices
	p.Program = later
	p.Start()
	if plant, err := p.Client.Plant(t.Context()); err != nil || plant.Build != "e2e-later" {
		t.Fatalf("the plant is of build %q, %v", plant.Build, err)
	}
	waitForRequests(t, l, 50)
	until(t, "the old proxy has ended", func() error {
		if proxy.Alive() {
			return fmt.Errorf("process %d goes on: %s", proxy.PID, proxy.Command)
		}
		return nil
	})
	if after := copies(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("copies were %v and are %v", before, after)
	}
	shop.Ship("Second", files{"files/answer.txt": "hello 2\n"})
	p.answers("shop.localhost", "hello 2\n")
	l.stop()
	l.intact()
	l.add(1, 1) // what the test itself asked
	l.balances(p, "shop", "production")
	sent, _ := l.count()
	t.Logf("%d requests, none failed", sent)
}
