package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/fake"
	"github.com/andon-cd/andon/internal/traffic"
)

var (
	place    = andon.Place{Service: "shop", Environment: "production"}
	artifact = andon.Digest("sha256:" + strings.Repeat("a", 64))
	confHash = andon.ConfigHash("sha256:" + strings.Repeat("c", 64))
)

// A world is a host, a server and a proxy in memory, in which agents live one after the other.
type world struct {
	t       *testing.T
	dir     string
	host    *fake.Host
	plant   *plantInMemory
	traffic *trafficInMemory
	runner  *scriptedRunner

	server   Plant        // instead of plant; nil: plant
	copies   int          // of one service, at most; 0: the default
	slots    int          // two, unless a test says another number
	welcomed int          // how often the agent was told that the server took it
	log      bytes.Buffer // of all agents

	mu   sync.Mutex
	sick map[andon.InstanceID]error
	far  map[string]error // what probes of addresses on other hosts find
}

func newWorld(t *testing.T) *world {
	host := fake.NewHost()
	return &world{
		t: t, dir: t.TempDir(), host: host, sick: make(map[andon.InstanceID]error), far: make(map[string]error),
		plant: newPlantInMemory(), traffic: newTrafficInMemory(), runner: &scriptedRunner{}, slots: 2,
	}
}

// agent starts an agent and returns what ends it and returns its error.
func (w *world) agent() (stop func() error) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.run(ctx) }()
	var once sync.Once
	var ended error
	stop = func() error {
		once.Do(func() {
			cancel()
			ended = <-done
		})
		return ended
	}
	w.t.Cleanup(func() { _ = stop() })
	return stop
}

// run runs an agent until it ends.
func (w *world) run(ctx context.Context) error {
	pf := w.host.Open()
	server := w.server
	if server == nil {
		server = w.plant
	}
	a, err := New(Config{
		Name: "local", Slots: w.slots, Build: "test", Dir: w.dir, Plant: server, Platforms: map[string]platform.Platform{andon.PlatformProcess: pf},
		Traffic: w.traffic, Runner: w.runner, Probe: w.probe, Copies: w.copies,
		Log: slog.New(slog.NewTextHandler(&w.log, nil)), Welcomed: func() { w.welcomed++ },
	})
	if err != nil {
		return err
	}
	return errors.Join(a.Run(ctx), pf.Close())
}

// probe finds every copy that runs well unless it was made sick.
func (w *world) probe(_ context.Context, address, _ string) error {
	w.mu.Lock()
	err, far := w.far[address]
	w.mu.Unlock()
	if far {
		return err
	}
	for _, spec := range slices.Backward(w.host.Starts()) {
		if spec.Address != address {
			continue
		}
		if !slices.Contains(w.host.Running(), spec.ID) {
			return errors.New("connection refused")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.sick[spec.ID]
	}
	return errors.New("connection refused")
}

// infect makes the probes of a copy fail; nil makes it well.
func (w *world) infect(id andon.InstanceID, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sick[id] = err
}

// probes says what probes of an address on another host find.
func (w *world) probes(address string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.far[address] = err
}

// after lets time pass until everything that follows from it has happened.
func after(t time.Duration) {
	<-time.After(t)
	synctest.Wait()
}

// copyOf returns the ith copy of a group.
func copyOf(group andon.GroupID, i int, command ...string) andon.Copy {
	if len(command) == 0 {
		command = []string{fake.Forever}
	}
	return andon.Copy{
		ID: andon.NewInstanceID(group, i), Group: group, Agent: "local", Version: 42, Artifact: artifact, Config: confHash,
		Spec: andon.RunSpec{
			Command: command, Port: 8080, Env: map[string]string{"COLOUR": "blue"}, Stop: time.Second,
			Health: andon.Health{Path: "/healthz", Interval: time.Second, Timeout: time.Second, Start: 10 * time.Second},
		},
	}
}

// desired returns what should be: copies, and a route to some of them.
func desired(generation int64, copies []andon.Copy, routed ...andon.InstanceID) andon.Desired {
	d := andon.Desired{Place: place, Generation: generation, Copies: copies}
	d.Route = &andon.Route{Hosts: []string{"shop.localhost"}, Ledger: "shop.production.1"}
	for _, id := range routed {
		d.Route.Targets = append(d.Route.Targets, andon.Target{Instance: id, Weight: 1})
	}
	return d
}

// wantPhases compares what the server was told of the copies, as ID=phase.
func (w *world) wantPhases(want ...string) {
	w.t.Helper()
	var got []string
	for id, s := range w.plant.observed() {
		got = append(got, string(id)+"="+string(s.Phase))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.t.Errorf("the server was told %v, want %v", got, want)
	}
}

// wantTargets compares which copies have traffic.
func (w *world) wantTargets(want ...andon.InstanceID) {
	w.t.Helper()
	got := w.traffic.targets(place)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.t.Errorf("%v have traffic, want %v", got, want)
	}
}

// A plantInMemory is a server that does what its test says.
type plantInMemory struct {
	hellos  atomic.Int64
	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, when the work changes
	epoch   int64
	known   bool // the epoch
	down    error
	name    string
	work    andon.Work
	copies  map[andon.InstanceID]andon.InstanceState
	routes  map[andon.Place]andon.RouteState
	said    []andon.Observation
	reports []andon.TaskReport
	counts  []andon.Counters
	logs    map[string][]byte
	// reportFails is returned for reports, once for each entry.
	reportFails []error
}

func newPlantInMemory() *plantInMemory {
	return &plantInMemory{
		changed: make(chan struct{}), name: "plant-1", logs: make(map[string][]byte),
		copies: make(map[andon.InstanceID]andon.InstanceState), routes: make(map[andon.Place]andon.RouteState),
	}
}

var _ Plant = (*plantInMemory)(nil)

var (
	errDown    = andon.Errorf(andon.KindUnreachable, "the server does not answer")
	errUnknown = andon.Errorf(andon.KindConflict, "this connection is not known")
)

func (p *plantInMemory) Hello(ctx context.Context, hello andon.Hello) (andon.Welcome, error) {
	p.hellos.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down != nil {
		return andon.Welcome{}, p.down
	}
	p.epoch++
	p.known = true
	return andon.Welcome{Plant: p.name, Epoch: p.epoch, HeartbeatMS: 30_000}, nil
}

// check returns what a call in an epoch is answered with. The caller holds mu.
func (p *plantInMemory) check(epoch int64) error {
	if p.down != nil {
		return p.down
	}
	if !p.known || epoch != p.epoch {
		return errUnknown
	}
	return nil
}

func (p *plantInMemory) Work(ctx context.Context, request andon.WorkRequest) (andon.Work, error) {
	timeout := time.After(20 * time.Second)
	for {
		p.mu.Lock()
		err, work, changed := p.check(request.Epoch), p.work, p.changed
		p.mu.Unlock()
		if err != nil || (work.Revision != request.Revision && work.Revision > 0) {
			return work, err
		}
		select {
		case <-ctx.Done():
			return andon.Work{}, ctx.Err()
		case <-timeout:
			return work, nil
		case <-changed:
		}
	}
}

// set changes the work.
func (p *plantInMemory) set(leases []andon.Lease, desired ...andon.Desired) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.work = andon.Work{Revision: p.work.Revision + 1, Leases: leases, Desired: desired}
	p.wake()
}

// setFar changes the work to copies of which some are on other hosts.
func (p *plantInMemory) setFar(addresses map[andon.InstanceID]string, desired ...andon.Desired) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.work = andon.Work{Revision: p.work.Revision + 1, Desired: desired, Addresses: addresses}
	p.wake()
}

// fail makes every call fail with an error; nil: not any more.
func (p *plantInMemory) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = err
	p.wake()
}

// forget makes the present connection unknown, as a restart of the server does.
func (p *plantInMemory) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = false
	p.wake()
}

func (p *plantInMemory) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *plantInMemory) Report(ctx context.Context, report andon.TaskReport) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.check(report.Epoch); err != nil {
		return err
	}
	if len(p.reportFails) > 0 {
		err := p.reportFails[0]
		p.reportFails = p.reportFails[1:]
		return err
	}
	p.reports = append(p.reports, report)
	return nil
}

func (p *plantInMemory) Observe(ctx context.Context, o andon.Observation) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.check(o.Epoch); err != nil {
		return err
	}
	if o.Full {
		clear(p.copies)
		clear(p.routes)
	}
	for _, s := range o.Instances {
		p.copies[s.ID] = s
	}
	for _, r := range o.Routes {
		p.routes[r.Place] = r
	}
	p.said = append(p.said, o)
	return nil
}

func (p *plantInMemory) Count(ctx context.Context, c andon.Counters) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts = append(p.counts, c)
	return p.check(c.Epoch)
}

func (p *plantInMemory) AppendLog(ctx context.Context, stream string, offset int64, data []byte) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down != nil {
		return 0, p.down
	}
	have := int64(len(p.logs[stream]))
	if offset <= have && offset+int64(len(data)) > have {
		p.logs[stream] = append(p.logs[stream], data[have-offset:]...)
	}
	return int64(len(p.logs[stream])), nil
}

func (p *plantInMemory) observed() map[andon.InstanceID]andon.InstanceState {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := make(map[andon.InstanceID]andon.InstanceState)
	for id, s := range p.copies {
		m[id] = s
	}
	return m
}

func (p *plantInMemory) route() andon.RouteState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.routes[place]
}

func (p *plantInMemory) saidSoFar() []andon.Observation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.said)
}

func (p *plantInMemory) log(stream string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.logs[stream])
}

// reported returns the results so far, as TOKEN=outcome.
func (p *plantInMemory) reported() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var got []string
	for _, r := range p.reports {
		got = append(got, fmt.Sprintf("%d=%s", r.Token, r.Result.Outcome))
	}
	return got
}

// A trafficInMemory is a proxy that outlives the agents.
type trafficInMemory struct {
	drained chan struct{}

	mu       sync.Mutex
	fails    error
	routes   []traffic.Route
	applied  [][]traffic.Route
	inFlight map[andon.InstanceID]int64
	served   int64
}

func newTrafficInMemory() *trafficInMemory {
	return &trafficInMemory{drained: make(chan struct{}, 1), inFlight: make(map[andon.InstanceID]int64)}
}

var _ traffic.Traffic = (*trafficInMemory)(nil)

func (f *trafficInMemory) Apply(ctx context.Context, routes []traffic.Route) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails != nil {
		return f.fails
	}
	f.routes = routes
	f.applied = append(f.applied, routes)
	return nil
}

func (f *trafficInMemory) State(ctx context.Context) (traffic.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var state traffic.State
	for _, r := range f.routes {
		s := traffic.RouteState{Place: r.Place, Generation: r.Generation, Address: "127.0.0.1:8080", InFlight: make(map[andon.InstanceID]int64)}
		for _, t := range r.Targets {
			s.Targets = append(s.Targets, t.Instance)
		}
		for id, n := range f.inFlight {
			s.InFlight[id] = n
		}
		s.Ledgers = []andon.Ledger{{Deployment: r.Ledger, Served: f.served}}
		s.Groups = []andon.GroupStats{{Group: "g", Ledger: r.Ledger, Requests: f.served}}
		state.Routes = append(state.Routes, s)
	}
	return state, nil
}

func (f *trafficInMemory) Drained() <-chan struct{} { return f.drained }

func (f *trafficInMemory) Close() error { return nil }

func (f *trafficInMemory) targets(p andon.Place) []andon.InstanceID {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []andon.InstanceID
	for _, r := range f.routes {
		for _, t := range r.Targets {
			if r.Place == p {
				ids = append(ids, t.Instance)
			}
		}
	}
	return ids
}

// changes returns every set of routes that was applied.
func (f *trafficInMemory) changes() [][]traffic.Route {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.applied)
}

func (f *trafficInMemory) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = err
}

// hold sets how many requests a copy has in flight.
func (f *trafficInMemory) hold(id andon.InstanceID, n int64) {
	f.mu.Lock()
	f.inFlight[id] = n
	f.mu.Unlock()
	if n == 0 {
		f.drained <- struct{}{}
	}
}

// A scriptedRunner runs tasks as its test says.
type scriptedRunner struct {
	recovered []andon.Lease

	mu     sync.Mutex
	began  []andon.Token
	script func(ctx context.Context, lease andon.Lease, at runner.Surroundings) andon.TaskResult
}

func (r *scriptedRunner) Run(ctx context.Context, lease andon.Lease, at runner.Surroundings) andon.TaskResult {
	r.mu.Lock()
	r.began = append(r.began, lease.Token)
	script := r.script
	r.mu.Unlock()
	if script != nil {
		return script(ctx, lease, at)
	}
	<-ctx.Done()
	return andon.TaskResult{Outcome: andon.Cancelled}
}

func (r *scriptedRunner) Recover(context.Context) ([]andon.Lease, error) { return r.recovered, nil }

func (r *scriptedRunner) begun() []andon.Token {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.began)
}

var _ platform.Platform = (*fake.Platform)(nil)
