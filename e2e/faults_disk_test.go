package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestFault_DiskFullOnOneHost: what runs there goes on, and is started again. The deployment fails with the reason and is
// turned back, and the next one goes through once there is room. The full disk of the server itself
// is TestDisk.
func TestFault_DiskFullOnOneHost(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	one, two := p.newHost("one", station{}), p.startHost("two", station{})
	smallDisk(t, one.data, "24m", one.end)
	one.start()
	p.production("hosts: {names: [one, two]}\nedge: {names: [local]}\n")
	shop := p.newShop()
	first := shop.ShipFirst()
	l := p.newLoad("shop.localhost", shopping)
	before := one.copies("production")
	filler := filepath.Join(one.data, "filler")
	fill(t, filler)

	shop.Commit("Too much", files{"files/answer.txt": "hello 2\n"})
	bad := shop.Push()
	p.failsBecause("shop", bad, "no space left on device")
	p.idle()
	if live := p.live("shop", "production"); live != first {
		t.Fatalf("version %d is live", live)
	}
	if now := one.copies("production"); len(now) != 1 || now[0].PID != before[0].PID {
		t.Errorf("the copy on the full disk was %+v and is %+v", before, now)
	}
	// What runs there has room kept for it: a copy that ends is started again.
	kill(t, before[0])
	until(t, "the copy is back", func() error {
		if in := p.inTraffic("shop", "production"); len(in) != 2 || in[0].Restarts+in[1].Restarts == 0 {
			return fmt.Errorf("%+v", in)
		}
		return nil
	})
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	shop.Ship("With room", files{"files/answer.txt": "hello 3\n"})
	if len(one.copies("production")) != 1 || len(two.copies("production")) != 1 {
		t.Error("the next version is not spread over both hosts")
	}
	l.stop()
	l.lostOnly(customers, "POST /order", "502") // those that the killed copy had just then
}
