package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFault_DiskFullOnOneHost: what runs there goes on. The deployment fails with the reason and is
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
	first := shop.shipFirst()
	l := p.newLoad("shop.localhost", shopping)
	before := one.copies("production")
	filler := filepath.Join(one.data, "filler")
	fill(t, filler)

	shop.commit("Too much", files{"files/answer.txt": "hello 2\n"})
	bad := shop.push()
	p.failsBecause("shop", bad, time.Minute, "no space left on device")
	p.idle(time.Minute)
	if live := p.live("shop", "production"); live != first {
		t.Fatalf("version %d is live", live)
	}
	if now := one.copies("production"); len(now) != 1 || now[0].pid != before[0].pid {
		t.Errorf("the copy on the full disk was %+v and is %+v", before, now)
	}
	// A copy that ends there waits for room; the other host has its requests.
	kill(t, before[0])
	until(t, 20*time.Second, "the plant says why the copy is not started again", func() error {
		for _, place := range p.service("shop").Places {
			for _, c := range place.CopyList {
				if c.Agent == "one" && strings.Contains(c.Reason, "no space left on device") && !c.InTraffic {
					return nil
				}
			}
		}
		return fmt.Errorf("%+v", p.service("shop").Places)
	})
	p.andon("status").wants(t, done, "andon status").says(t, "1 of 2 healthy")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, time.Minute, "the copy is back", func() error {
		if in := p.inTraffic("shop", "production"); len(in) != 2 {
			return fmt.Errorf("%+v", in)
		}
		return nil
	})
	shop.ship("With room", files{"files/answer.txt": "hello 3\n"})
	if len(one.copies("production")) != 1 || len(two.copies("production")) != 1 {
		t.Error("the next version is not spread over both hosts")
	}
	l.stop()
	l.intact()
}
