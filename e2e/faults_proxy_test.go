package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
)

// TestFault_ProxyRestarted kills the proxy again and again while a deployment moves its traffic.
// Lost are the requests that were in flight, and those on connections that died with the proxy;
// TestProxyKill counts them. The deployment goes on.
func TestFault_ProxyRestarted(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop("deploy: test, grants", "grants", "instances: 2", "instances: 4")
	shop.shipFirst()
	l := p.newLoad("shop.localhost", shopping)
	waitForRequests(t, l, 100)
	shop.commit("Change", files{"files/answer.txt": "hello 2\n"})
	version := shop.push()
	const times = 3
	for i := range times {
		until(t, 30*time.Second, "traffic moves", func() error {
			d, err := p.deploymentOf("shop", version)
			if err == nil && d.Started == nil {
				err = fmt.Errorf("%+v", d)
			}
			return err
		})
		if err := syscall.Kill(p.proxyProcess().pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		waitForRequests(t, l, int64(20*(i+1)))
	}
	p.wait(shop.at(version), "live:production")
	p.idle(30 * time.Second)
	d, err := p.deploymentOf("shop", version)
	if err != nil || d.Outcome != api.Succeeded {
		t.Errorf("the deployment: %+v, %v", d, err)
	}
	l.stop()
	sent, failed := l.count()
	t.Logf("%d requests, %d in vain, %d kills", sent, failed, times)
	if most := int64(2 * customers * times); failed > most {
		t.Errorf("%d requests failed; at most %d could be in flight or on a dead connection", failed, most)
	}
	for _, failure := range l.failures {
		if strings.Contains(failure, " 50") {
			t.Errorf("this request was answered by a proxy that had lost its way: %s", failure)
		}
	}
	shop.ship("After it", files{"files/answer.txt": "hello 3\n"})
}

// TestFault_ServerAway: hosts go on with what they were last told: a copy that dies is started again
// and has traffic again, at an edge that no server tells where it is.
func TestFault_ServerAway(t *testing.T) {
	t.Parallel()
	p := startFixedPlant(t)
	one, edge := p.startHost("one", station{}), p.startHost("edge", station{}, "--label", "role=edge")
	p.production("hosts: {names: [one]}\n")
	shop := p.newShop()
	shop.shipFirst()
	there := *p
	there.proxy = edge.proxy
	l := there.newLoad("shop.localhost", shopping)
	waitForRequests(t, l, 100)

	p.kill()
	dead := one.copies("production")[0]
	kill(t, dead)
	until(t, 20*time.Second, "the copy is started again", func() error {
		now := one.copies("production")
		if len(now) != 2 {
			return fmt.Errorf("%+v", now)
		}
		for _, c := range now {
			if c.pid == dead.pid || !strings.HasPrefix(c.command, shopd(t)) { // what starts it runs before
				return fmt.Errorf("%+v", c)
			}
		}
		return nil
	})
	one.kill() // and an agent that starts without the server finds its copies
	waitForRequests(t, l, 200)
	before := one.copies("production")
	p.start()
	one.start()
	p.knows("one", true, 20*time.Second)
	p.knows("edge", true, 20*time.Second)
	until(t, 20*time.Second, "the plant knows what happened without it", func() error {
		if in := p.inTraffic("shop", "production"); len(in) != 2 {
			return fmt.Errorf("%+v", in)
		}
		return nil
	})
	if after := one.copies("production"); len(after) != 2 || !before[0].alive() || !before[1].alive() {
		t.Errorf("the copies were %+v and are %+v", before, after)
	}
	shop.ship("It is back", files{"files/answer.txt": "hello 2\n"})
	l.stop()
	l.lostOnly(customers, "POST /order", "502") // those that the killed copy had just then
}
