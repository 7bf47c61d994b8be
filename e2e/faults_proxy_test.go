package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/e2e/planttest"
)

// TestFault_ProxyRestarted kills the proxy again and again while a deployment moves its traffic.
// Lost are the requests that were in flight, and those on connections that died with the proxy;
// TestProxyKill counts them. The deployment goes on.
func TestFault_ProxyRestarted(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop("deploy: test, grants", "grants", "instances: 2", "instances: 4")
	shop.ShipFirst()
	l := p.newLoad("shop.localhost", shopping)
	waitForRequests(t, l, 100)
	shop.Commit("Change", files{"files/answer.txt": "hello 2\n"})
	version := shop.Push()
	const times = 3
	for i := range times {
		until(t, "traffic moves", func() error {
			d, err := p.deploymentOf("shop", version)
			if err == nil && d.Started == nil {
				err = fmt.Errorf("%+v", d)
			}
			return err
		})
		if err := syscall.Kill(p.proxyProcess().PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		waitForRequests(t, l, int64(20*(i+1)))
	}
	p.Wait(shop.Ref(version), "live:production")
	p.idle()
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
	shop.Ship("After it", files{"files/answer.txt": "hello 3\n"})
}

// TestFault_ServerAway: hosts go on with what they were last told: a copy that dies is started again
// and has traffic again, at an edge that no server tells where it is.
func TestFault_ServerAway(t *testing.T) {
	t.Parallel()
	p := startFixedPlant(t)
	one, edge := p.startHost("one", station{}), p.startHost("edge", station{}, "--label", "role=edge")
	p.production("hosts: {names: [one]}\n")
	shop := p.newShop()
	shop.ShipFirst()
	atEdge := *p.Plant
	atEdge.Proxy = edge.proxy
	l := (&plant{&atEdge}).newLoad("shop.localhost", shopping)
	waitForRequests(t, l, 100)

	p.Kill()
	dead := one.copies("production")[0]
	kill(t, dead)
	until(t, "the copy is started again", func() error {
		now := one.copies("production")
		if len(now) != 2 {
			return fmt.Errorf("%+v", now)
		}
		for _, c := range now {
			if c.PID == dead.PID || !strings.HasPrefix(c.Command, planttest.Shopd(t)) { // what starts it runs before
				return fmt.Errorf("%+v", c)
			}
		}
		return nil
	})
	one.kill() // and an agent that starts without the server finds its copies
	waitForRequests(t, l, 200)
	before := one.copies("production")
	p.Start()
	one.start()
	p.knows("one", true)
	p.knows("edge", true)
	until(t, "the plant knows what happened without it", func() error {
		if in := p.inTraffic("shop", "production"); len(in) != 2 {
			return fmt.Errorf("%+v", in)
		}
		return nil
	})
	if after := one.copies("production"); len(after) != 2 || !before[0].Alive() || !before[1].Alive() {
		t.Errorf("the copies were %+v and are %+v", before, after)
	}
	shop.Ship("It is back", files{"files/answer.txt": "hello 2\n"})
	l.stop()
	l.lostOnly(customers, "POST /order", "502") // those that the killed copy had just then
}
