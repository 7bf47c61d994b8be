package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
)

// inProduction returns the running copies of a service's production on the server's own host.
func (p *plant) inProduction() []process {
	p.T.Helper()
	var found []process
	for _, c := range with(processesOf(p.Data), "ANDON_INSTANCE") {
		if c.Environ["ANDON_ENVIRONMENT"] == "production" {
			found = append(found, c)
		}
	}
	return found
}

// deploymentOf returns the newest deployment of a version to production.
func (p *plant) deploymentOf(service string, version int64) (api.Deployment, error) {
	all, err := p.Client.Deployments(p.T.Context(), api.DeploymentFilter{Service: service, Environment: "production", Page: api.Page{Limit: 100}})
	if err != nil {
		return api.Deployment{}, err
	}
	for _, d := range all {
		if d.Version == version {
			return d, nil
		}
	}
	return api.Deployment{}, fmt.Errorf("version %d was never deployed", version)
}

// failsBecause waits until the deployment of a version to production has failed, and returns it. Its
// reason, and what why says of the cord that it pulled, must have all those words.
func (p *plant) failsBecause(service string, version int64, words ...string) api.Deployment {
	p.T.Helper()
	var d api.Deployment
	until(p.T, "the deployment fails", func() (err error) {
		if d, err = p.deploymentOf(service, version); err == nil && d.Outcome != api.Failed {
			why, _ := p.Client.Why(p.T.Context(), api.WhyQuestion{Service: service})
			err = fmt.Errorf("%+v; %s %+v", d, why.Sentence, why.Waits)
		}
		return err
	})
	p.T.Logf("%s failed after %d ms: %s", d.ID, d.TookMS, d.Reason)
	why := p.Andon("why", service).Wants(p.T, done, "andon why")
	for _, word := range words {
		if !strings.Contains(d.Reason, word) {
			p.T.Errorf("the reason does not say %q: %s", word, d.Reason)
		}
		why.Says(p.T, word)
	}
	return d
}

// TestFault_CopyHangs: it leaves the traffic within the health interval and its timeout, and is
// killed and started again after five probes. Lost are the requests that it had and that nobody may
// send again.
func TestFault_CopyHangs(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	p.newShop("timeout: 5s", "timeout: 2s").ShipFirst()
	l := p.newLoad("shop.localhost", shopping)
	waitForRequests(t, l, 100)
	l.intact()
	hung := p.inProduction()[0]
	if err := syscall.Kill(hung.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	until(t, "the copy leaves the traffic", func() error {
		if in := p.inTraffic("shop", "production"); len(in) != 1 {
			return fmt.Errorf("%+v", in)
		}
		return nil
	})
	t.Logf("it is out of traffic after %s", time.Since(stopped).Round(10*time.Millisecond))
	p.Andon("status").Wants(t, done, "andon status").Says(t, "1 of 2 healthy")
	until(t, "the copy is started again", func() error {
		if in := p.inTraffic("shop", "production"); len(in) != 2 || hung.Alive() {
			return fmt.Errorf("%+v", in)
		}
		return nil
	})
	t.Logf("it is replaced after %s", time.Since(stopped).Round(100*time.Millisecond))
	waitForRequests(t, l, 100)
	l.stop()
	l.lostOnly(customers, "POST /order", "502")
	l.balances(p, "shop", "production")
}

// TestFault_CrashLoop: a version whose copies crash is a failed deployment: nothing of it goes on.
func TestFault_CrashLoop(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop("deploy: test, grants", "grants")
	shop.ShipFirst()
	l := p.newLoad("shop.localhost", shopping)
	shop.Commit("Crash", files{"files/crash": "yes\n"})
	bad := shop.Push()
	p.failsBecause("shop", bad, "in a crash loop", "exit status 1")
	p.idle()
	for _, c := range p.inProduction() {
		if c.Environ["ANDON_VERSION"] == fmt.Sprint(bad) {
			t.Errorf("a copy of version %d goes on: process %d", bad, c.PID)
		}
	}
	shop.Ship("Do not crash", files{"files/crash": "", "files/answer.txt": "hello 3\n"})
	l.stop()
	l.intact()
}

// TestFault_HealthFlapping: a new version whose health comes and goes does not stay. Of one that
// began to flap later, a copy has requests only while it is well, and nobody ends it.
func TestFault_HealthFlapping(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop("deploy: test, grants", "grants")
	first := shop.ShipFirst()
	l := p.newLoad("shop.localhost", shopping)
	p.production("soak: 1m\n") // it ends as soon as it was seen twice to be unwell
	shop.Commit("Flap", files{"files/flaps": "yes\n"})
	flapping := shop.Push()
	p.failsBecause("shop", flapping, "GET /healthz answers with status 503")
	p.idle()
	if live := p.live("shop", "production"); live != first {
		t.Fatalf("version %d is live", live)
	}

	sick := p.inProduction()[0]
	if err := syscall.Kill(sick.PID, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	id := sick.Environ["ANDON_INSTANCE"]
	in := func(want bool) {
		t.Helper()
		until(t, fmt.Sprintf("%s is in traffic: %t", id, want), func() error {
			for _, c := range p.inTraffic("shop", "production") {
				if c.ID == id {
					if want {
						return nil
					}
					return fmt.Errorf("%+v", c)
				}
			}
			if want {
				return fmt.Errorf("it is not in traffic")
			}
			return nil
		})
	}
	for range 3 {
		in(false)
		in(true)
	}
	if err := syscall.Kill(sick.PID, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if !sick.Alive() {
		t.Error("a copy that flaps was ended")
	}
	p.production("soak: 1s\n")
	p.idle()
	shop.Ship("Be steady", files{"files/flaps": "", "files/answer.txt": "hello 3\n"})
	l.stop()
	l.intact()
}

// TestFault_DrainNeverEnds: the deployment waits for requests that do not end for as long as the
// service says, then tells the copy to stop, and waits no longer than for that. Lost are those
// requests that the copy does not end itself, and the ledger has each of them as failed.
func TestFault_DrainNeverEnds(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop("deploy: test, grants", "grants", "{name: production,", "{name: production, approval: {},", "drain: 2s", "drain: 20s\n  stop: 1s")
	first := shop.Push()
	shop.promote(first)
	p.Wait(shop.Ref(first), "live:production")
	shop.Commit("Change", files{"files/answer.txt": "hello 2\n"})
	version := shop.Push()
	p.Wait(shop.Ref(version), "certified")
	l := p.newLoad("shop.localhost", shopping)
	const endless, length = 4, 3 * time.Minute // of requests that the deployment must not wait for
	held := make(chan error, endless)
	for range endless {
		go func() {
			_, err := l.try(http.MethodPost, fmt.Sprintf("/slow?ms=%d", length.Milliseconds()), strings.NewReader("x"))
			held <- err
		}()
	}
	waitForRequests(t, l, 100)
	shop.promote(version)
	until(t, "the deployment waits for the requests", func() error {
		why, err := p.Client.Why(t.Context(), api.WhyQuestion{Service: "shop"})
		if err == nil && !strings.Contains(fmt.Sprint(why.Waits), "requests in flight on shop.production.1.") {
			err = fmt.Errorf("%s %+v", why.Sentence, why.Waits)
		}
		return err
	})
	p.Wait(shop.Ref(version), "live:production")
	p.idle()
	for range endless {
		if err := <-held; err == nil {
			t.Error("a request that takes longer than the drain is answered")
		}
	}
	l.stop()
	l.intact()
	until(t, "the ledgers have the requests that were lost", func() error {
		sum, err := p.ledgers("shop", "production")
		if err == nil && sum.Failed != endless {
			err = fmt.Errorf("%+v", sum)
		}
		return err
	})
	d, err := p.deploymentOf("shop", version)
	// It waits for the drain and the stop, and not for the requests themselves.
	if took := time.Duration(d.TookMS) * time.Millisecond; err != nil || d.Outcome != api.Succeeded || took < 20*time.Second || took > length/2 {
		t.Errorf("the deployment: %+v, %v", d, err)
	}
	t.Logf("the deployment took %d ms; %d requests were lost", d.TookMS, endless)
}
