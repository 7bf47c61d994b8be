package e2e

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/e2e/planttest"
)

// A fleet is a plant with three hosts, of which two are edges that take requests, in the clear and by
// TLS, for the copies on all three.
type fleet struct {
	*plant
	hosts     []*host
	authority string   // of the certificates
	clear     []string // addresses of the edges' proxies
	secret    []string // the same by TLS

	mu     sync.Mutex // one change of the estate at a time
	estate *repository
}

// startFleet starts it; the hosts run containers by the engine at that socket, if there is one.
func startFleet(t *testing.T, engine string, hostNames []string) *fleet {
	t.Helper()
	p := startPlant(t, "--docker", "none")
	keys := newHome(t)
	certificate(t, keys, hostNames...)
	f := &fleet{plant: p, authority: filepath.Join(keys, "cert.pem"), estate: p.newRepository("estate")}
	if engine == "" {
		engine = "none"
	}
	for i, name := range []string{"one", "two", "three"} {
		at := station{address: fmt.Sprintf("127.0.0.%d", 2+i)}
		options := []string{"--label", "tier=web", "--docker", engine}
		if edge := i < 2; edge {
			_, port, _ := net.SplitHostPort(planttest.FreeAddress(t))
			secret := net.JoinHostPort(at.address, port)
			options = append(options, "--label", "role=edge", "--tls-proxy", secret, "--cert", f.authority, "--key", filepath.Join(keys, "key.pem"))
			f.secret = append(f.secret, secret)
		}
		f.hosts = append(f.hosts, p.startHost(name, at, options...))
	}
	for _, h := range f.hosts[:2] {
		f.clear = append(f.clear, h.proxy)
	}
	return f
}

// A lane is one service in an environment of its own, with the hosts of the fleet.
type lane struct {
	*fleet
	platform, service string
	shop              *repository
	made              int // rollouts
}

// environment has the name of the service: each lane has its own strategy.
func (l *lane) environment() string { return l.service }

func (l *lane) host() string { return hostOf(l.service) }

// hostOf returns the host name of a lane's service, which is that of an environment without a route.
func hostOf(service string) string { return service + "." + service + ".localhost" }

// lanePipeline takes a service to its environment. A drain is longer than the slowest answers, by what
// they may be late on a busy machine.
const lanePipeline = `service: SERVICE
commit:
  jobs:
    build:
      steps: ["BUILD"]
  artifact: {path: files}
run:
  command: [COMMAND]
  port: 8080
  health: {path: /healthz, interval: 500ms, timeout: 5s, start: 3m}
  instances: 3
  drain: 15s
  stop: 30s
smoke:
  - http: {path: /, status: 200}
stages:
  - {name: live, deploy: SERVICE}
`

// newLane returns a lane whose first version is on its way.
func (f *fleet) newLane(platform, service string) *lane {
	f.T.Helper()
	l := &lane{fleet: f, platform: platform, service: service, shop: f.newRepository(service)}
	l.declare(f.T, "strategy: rolling\n")
	command, build := planttest.Shopd(f.T), "exit 0"
	if platform != "process" {
		command, build = "./shopd", "cp "+planttest.Shopd(f.T)+" files/shopd" // a container has nothing but its artifact
	}
	pipeline := strings.NewReplacer("SERVICE", service, "BUILD", build, "COMMAND", command).Replace(lanePipeline)
	l.shop.Commit("Open", files{"andon.yaml": pipeline, "files/answer.txt": "hello 1\n"})
	l.shop.Push()
	return l
}

// declare makes the lane's environment what the text adds to it.
func (l *lane) declare(t *testing.T, text string) {
	t.Helper()
	l.fleet.mu.Lock()
	defer l.fleet.mu.Unlock()
	l.estate.T = t
	l.estate.Commit("Deploy "+l.service+" otherwise", files{"environments/" + l.environment() + ".yaml": text +
		"platform: " + l.platform + "\nhosts: {labels: {tier: web}}\nedge: {labels: {role: edge}}\n"})
	l.Andon("estate", "apply", l.estate.Dir).Wants(t, done, "andon estate apply")
}

func (l *lane) waitLive(t *testing.T, version int64) {
	t.Helper()
	r := l.Andon("wait", l.shop.Ref(version), "--for", "live:"+l.environment(), "--timeout", "280s")
	if r.Code != done {
		t.Fatalf("%s is not live: %s\n%s", l.shop.Ref(version), r, l.Andon("why").Out)
	}
}

// settled waits until so many deployments of the lane have ended, and fails the test unless the
// newest succeeded.
func (l *lane) settled(t *testing.T, deployments int) {
	t.Helper()
	until(t, "the deployment ends", func() error {
		all, err := l.deployments(t)
		if err != nil {
			return err
		}
		if len(all) != deployments || all[0].Outcome == "" {
			return fmt.Errorf("%d of %d deployments; the newest is %+v", len(all), deployments, all[0])
		}
		if all[0].Outcome != api.Succeeded {
			t.Fatalf("%s: %s: %s", all[0].ID, all[0].Outcome, all[0].Reason)
		}
		return nil
	})
}

// deployments returns those of the lane, the newest first.
func (l *lane) deployments(t *testing.T) ([]api.Deployment, error) {
	all, err := l.Client.Deployments(t.Context(), api.DeploymentFilter{Service: l.service, Environment: l.environment(), Page: api.Page{Limit: 1000}})
	if err == nil && (len(all) == 0 || len(all) == 1000) {
		err = fmt.Errorf("%d deployments on one page", len(all))
	}
	return all, err
}

// rollOut deploys a version by a strategy, and goes back.
func (l *lane) rollOut(t *testing.T, s strategy) {
	t.Helper()
	l.shop.T = t
	l.declare(t, s.text+fmt.Sprintf("# %d\n", l.made))
	before := l.liveNow(t)
	l.shop.Commit(s.name, files{"files/answer.txt": fmt.Sprintf("hello %d\n", l.made+2)})
	version := l.shop.Push()
	l.waitLive(t, version)
	l.settled(t, 2*l.made+2)
	if live := l.liveNow(t); live != version {
		t.Fatalf("%s: version %d is live after %d was deployed", s.name, live, version)
	}
	l.Andon("rollback", l.service, l.environment(), strconv.FormatInt(before, 10), "--reason", "the test goes back").Wants(t, done, "andon rollback")
	l.settled(t, 2*l.made+3)
	if live := l.liveNow(t); live != before {
		t.Fatalf("%s: version %d is live after going back to %d", s.name, live, before)
	}
	l.made++
}

func (l *lane) liveNow(t *testing.T) int64 {
	t.Helper()
	s, err := l.Client.Service(t.Context(), l.service)
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range s.Places {
		if place.Environment == l.environment() && place.Live != nil {
			return place.Live.Version
		}
	}
	return 0
}

// A visitors is all the client processes of a fleet, each with its kind of traffic for all services
// at both edges.
type visitors struct {
	t   *testing.T
	all []*clientProcess
}

// startVisitors begins every kind of traffic that the built-in proxy carries.
func (f *fleet) startVisitors(lanes []*lane) *visitors {
	f.T.Helper()
	v := &visitors{t: f.T}
	var hosts []string
	for _, l := range lanes {
		hosts = append(hosts, l.host())
	}
	start := func(name, kind string, at []string, more ...string) {
		args := append([]string{"-kind", kind, "-at", strings.Join(at, ","), "-hosts", strings.Join(hosts, ",")}, more...)
		v.all = append(v.all, startClient(f.T, name, args...))
	}
	start("HTTP/1.1", "http1", f.clear)
	start("HTTP/2", "http2", f.secret, "-ca", f.authority)
	start("answers of 5 s", "slow", f.clear)
	start("uploads of 50 MB", "upload", f.clear[:1])
	start("websockets", "websocket", f.clear)
	start("websockets by TLS", "websocket", f.secret, "-ca", f.authority)
	start("streams of events", "events", f.clear)
	start("streams of events by TLS", "events", f.secret, "-ca", f.authority)
	f.T.Cleanup(func() { // all at a time, each then is waited for by its own
		for _, c := range v.all {
			c.leave()
		}
	})
	return v
}

// intact fails the test when any client was let down.
func (v *visitors) intact(t *testing.T) {
	t.Helper()
	var failures []string
	for _, c := range v.all {
		failures = append(failures, c.failed()...)
	}
	if len(failures) > 0 {
		t.Fatalf("clients were let down %d times; the first ones:\n%s", len(failures), strings.Join(failures[:min(len(failures), 20)], "\n"))
	}
}

// count makes all clients silent and returns what they counted, by host name and by client.
func (v *visitors) count() (byHost, byClient map[string]clientCount) {
	v.t.Helper()
	byHost, byClient = map[string]clientCount{}, map[string]clientCount{}
	for _, c := range v.all {
		c.silence()
	}
	for _, c := range v.all {
		for host, counted := range c.counted() {
			sum, mine := byHost[host], byClient[c.name]
			sum.add(counted)
			mine.add(counted)
			byHost[host], byClient[c.name] = sum, mine
		}
	}
	return byHost, byClient
}

// balance makes all clients silent, waits until the ledgers of the lanes say exactly what the clients
// say, and returns what each client counted, as lines of text.
func (v *visitors) balance(lanes []*lane) []string {
	v.t.Helper()
	byHost, byClient := v.count()
	for _, l := range lanes {
		counted := byHost[l.host()]
		until(v.t, "clients and ledgers of "+l.service+" agree", func() error {
			sum, err := l.ledgers(l.service, l.environment())
			if err != nil {
				return err
			}
			if sum.Requests != counted.Requests || sum.Served != counted.Requests || sum.Upgraded != counted.Upgraded || sum.CutOff != 0 {
				return fmt.Errorf("the clients counted %+v, the ledgers %+v", counted, sum)
			}
			return nil
		})
		if n := counted.unserved(); n > 0 {
			v.t.Errorf("%d requests to %s were not served: %v", n, l.service, counted.Codes)
		}
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(byClient)) {
		c := byClient[name]
		lines = append(lines, fmt.Sprintf("%s: %d requests, %d messages, went on elsewhere %d times", name, c.Requests, c.Messages, c.Moved))
	}
	return lines
}
