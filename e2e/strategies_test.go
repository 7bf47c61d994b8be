package e2e

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/andon-cd/andon/api"
)

// strategies are the ways in which production is deployed to, in turn, as the estate writes them.
var strategies = []struct{ name, text string }{
	{"rolling", "strategy: rolling\n"},
	{"rolling, one may be missing", "strategy: {rolling: {max_unavailable: 1, max_surge: 1}}\n"},
	{"blue-green", "strategy: blue-green\nsoak: 200ms\n"},
	{"blue-green, warm", "strategy: {blue-green: {warm: 5m}}\n"},
	{"canary", "strategy: {canary: {steps: [{weight: 20, pause: 300ms}, {weight: 60, pause: 300ms}]}}\nwatch: {errors: 5, latency: 100, least: 1000000}\n"},
	{"replace", "strategy: replace\n"},
}

// rollouts returns how many deployments, each with a rollback after it, are made: ANDON_ROLLOUTS,
// or 20.
func rollouts(t *testing.T) int {
	text := os.Getenv("ANDON_ROLLOUTS")
	if text == "" {
		return 20
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("ANDON_ROLLOUTS is %q", text)
	}
	return n
}

// TestStrategies_NoClientNoticesDeploymentsAndRollbacks deploys and rolls back by each strategy in
// turn, under load, and lets the ledgers be compared with what the customers counted.
func TestStrategies_NoClientNoticesDeploymentsAndRollbacks(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop("instances: 2", "instances: 3")
	shop.shipFirst()
	p.andon("estate").wants(t, done, "andon estate").says(t, "No estate is applied")
	l := p.newLoad("shop.localhost", shopping)
	estate := p.newRepository("estate")
	made := rollouts(t)
	for i := range made {
		s := strategies[i%len(strategies)]
		estate.commit(s.name+" for production", files{
			"environments/production.yaml": s.text + fmt.Sprintf("# %d\n", i), "environments/test.yaml": "strategy: rolling\n",
		})
		p.andon("estate", "apply", estate.dir).wants(t, done, "andon estate apply")
		before := p.live("shop", "production")
		version := shop.ship(s.name, files{"files/answer.txt": fmt.Sprintf("hello %d\n", i+2)})
		if live := p.live("shop", "production"); live != version {
			t.Fatalf("%s: version %d is live after %d was deployed", s.name, live, version)
		}
		p.idle(commandTimeout)
		p.andon("rollback", "shop", "production", strconv.FormatInt(before, 10), "--reason", "the test goes back").wants(t, done, "andon rollback")
		p.idle(commandTimeout)
		if live := p.live("shop", "production"); live != before {
			t.Fatalf("%s: version %d is live after going back to %d", s.name, live, before)
		}
		l.intact()
	}
	l.stop()
	l.intact()
	l.balances(p, "shop", "production")
	p.everyDeployment(t, "shop", "production", made)
	sent, _ := l.count()
	t.Logf("%d deployments and %d rollbacks by %d strategies, %d requests, none failed", made, made, len(strategies), sent)
}

// everyDeployment fails the test unless each deployment after the first succeeded, half of them
// going back, with no request failed.
func (p *plant) everyDeployment(t *testing.T, service, environment string, made int) {
	t.Helper()
	all, err := p.client.Deployments(t.Context(), api.DeploymentFilter{Service: service, Environment: environment, Page: api.Page{Limit: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	back := 0
	for _, d := range all {
		if d.Outcome != api.Succeeded {
			t.Errorf("%s %s: %s: %s", d.ID, d.Strategy, d.Outcome, d.Reason)
		}
		if d.Kind == api.DeployRollback {
			back++
		}
		if d.Ledger != nil && d.Ledger.Failed > 0 {
			t.Errorf("%s failed %d requests", d.ID, d.Ledger.Failed)
		}
	}
	if want := min(2*made+1, 1000); len(all) != want || back != made {
		t.Errorf("%d deployments, %d of them rollbacks; want %d and %d", len(all), back, want, made)
	}
}
