package e2e

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/andon-cd/andon/api"
)

// A strategy is a way in which an environment is deployed to, as the estate writes it.
type strategy struct{ name, text string }

// strategies are the ways that are taken in turn.
var strategies = []strategy{
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
// turn on three hosts, as processes and as containers, in six lanes at a time, while client processes
// use every service in every way at two edges. In the end no client was let down, and the ledgers say
// for each service how many requests its clients made, and that all were served.
//
// A client is let down by anything but this:
//
//   - a request, short, of 5 seconds, or with 50 MB to send, is sent once, on one connection, and
//     answered wholly with 200;
//   - a websocket answers each message, in order, until a copy stops after the drain time: then it is
//     closed with 1001 between two messages, the client connects again, and its conversation goes on
//     with what was not answered;
//   - a stream of events then ends in good order after a whole event, and goes on after that one when
//     the client comes back with Last-Event-ID: none is missing, none comes twice.
//
// ANDON_ROLLOUTS says how many deployments, each with its rollback, all lanes make together.
func TestStrategies_NoClientNoticesDeploymentsAndRollbacks(t *testing.T) {
	t.Parallel()
	platforms, socket := []string{"process", "docker"}, ""
	if engine, err := startEngine(t); err != nil {
		t.Logf("all lanes are of processes, none of containers: %v", err)
		platforms = platforms[:1]
	} else {
		socket = engine.Socket()
	}
	names := []string{"shop", "cafe", "bank", "post", "book", "farm"}
	var hosts []string
	for _, name := range names {
		hosts = append(hosts, hostOf(name))
	}
	f := startFleet(t, socket, hosts)
	var lanes []*lane
	for i, name := range names {
		lanes = append(lanes, f.newLane(platforms[i%len(platforms)], name))
	}
	for _, l := range lanes {
		l.waitLive(t, 1)
		l.settled(t, 1)
	}
	v := f.startVisitors(lanes)
	made := rollouts(t)
	var crowd sync.WaitGroup
	for i, l := range lanes {
		crowd.Go(func() {
			t.Run(l.service+" as "+l.platform, func(t *testing.T) {
				for n := i; n < made; n += len(lanes) {
					// The lanes of a platform together take every strategy as early as they can.
					l.rollOut(t, strategies[(n/len(lanes)+i/2*2)%len(strategies)])
					v.intact(t)
				}
			})
		})
	}
	crowd.Wait()
	lines := v.balance(lanes)
	v.intact(t)
	for _, l := range lanes {
		l.everyDeployment(t, l.service, l.environment(), l.made)
	}
	t.Logf("%d deployments and %d rollbacks by %d strategies on 3 hosts, no client was let down:\n%s", made, made, len(strategies), strings.Join(lines, "\n"))
}

// everyDeployment fails the test unless each deployment after the first succeeded, half of them
// going back, with no request failed.
func (p *plant) everyDeployment(t *testing.T, service, environment string, made int) {
	t.Helper()
	all, err := p.Client.Deployments(t.Context(), api.DeploymentFilter{Service: service, Environment: environment, Page: api.Page{Limit: 1000}})
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
