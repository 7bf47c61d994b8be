// Package agent does to one host what the plant wants: it keeps the copies and routes that
// should be, and runs the tasks that are leased to it.
//
// What it was last told to keep is on disk, so it goes on converging while the server is
// away. Copies and the proxy outlive it and are adopted again by the next agent of the same
// directory; tasks end with it.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/traffic"
)

// Config says what an agent is and which parts it works with.
type Config struct {
	Name   andon.AgentName
	Slots  int // how many jobs it runs at once; see andon.Hello. Smoke tests do not count
	Labels map[string]string
	Build  string // the version of the andon binary
	// Dir is the agent's own directory, made with mode 0700 if it does not exist: what it was
	// last told (desired/) and what it has not reported yet (results/). One agent at a time
	// uses it.
	Dir   string
	Plant Plant
	// Platforms are what this host runs copies on, by their names: andon.PlatformProcess at least.
	Platforms map[string]platform.Platform
	Traffic   traffic.Traffic // nil: this host has no proxy, and routes are left alone
	Runner    Runner
	Ports     PortRange // for copies; zero: DefaultPorts
	Copies    int       // most of one service; 0: DefaultCopies
	// Address is the IP address at which copies listen: one of this host, which the edges reach.
	// Empty: DefaultAddress, for a host that keeps its copies for its own proxy.
	Address string
	Proxy   string       // where the host's proxy answers, as in a Hello
	Probe   Probe        // how health is asked for; nil: over the network
	Log     *slog.Logger // nil: nothing is logged
	// Joined says that the host joined the plant: it has a key, and no token.
	Joined bool
	// Welcomed is called once, when the server has taken the agent; nil: nobody is told. The
	// agent gets no work before it returns.
	Welcomed func()
}

// DefaultCopies is how many copies of one service may be on a host at once, those of a
// deployment that has not ended included: it leaves ports, memory and processes to others.
const DefaultCopies = 128

// An Agent is one agent. It starts nothing before Run.
type Agent struct {
	config  Config
	store   *store
	board   *board
	link    *link
	fleet   *fleet
	lookout *lookout
	router  *router
	tasks   *tasks
	refused map[andon.InstanceID]bool // what refuse returned last; accept alone touches it
}

// New returns an agent over its directory, with what an earlier agent was told to keep. It
// owns neither the platforms nor the traffic driver: who opened them closes them after Run.
func New(config Config) (*Agent, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	desired, err := openStore(filepath.Join(config.Dir, "desired"), config.Log)
	if err != nil {
		return nil, err
	}
	results, err := openSpool(filepath.Join(config.Dir, "results"))
	if err != nil {
		return nil, err
	}
	a := &Agent{config: config, store: desired, board: newBoard(), link: newLink()}
	a.fleet = &fleet{agent: a, keepers: make(map[andon.InstanceID]*keeper), ports: newPorts(config.Address, config.Ports)}
	a.lookout = newLookout(a)
	a.router = &router{agent: a, wake: newSignal()}
	a.tasks = &tasks{agent: a, spool: results, running: make(map[andon.Token]*running), ended: make(map[andon.Token]bool)}
	return a, nil
}

// complete fills in what a configuration leaves open, and refuses one that lacks a part.
func (c *Config) complete() error {
	switch {
	case !andon.ValidName(string(c.Name)):
		return andon.Errorf(andon.KindInvalid, "%q cannot be the name of an agent: %s", c.Name, andon.NameRule)
	case c.Dir == "" || c.Plant == nil || c.Platforms[andon.PlatformProcess] == nil || c.Runner == nil:
		return errors.New("agent: Config needs Dir, Plant, the platform of processes, and Runner")
	case c.Slots < 0:
		return andon.Errorf(andon.KindInvalid, "an agent cannot have %d slots", c.Slots)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Probe == nil {
		c.Probe = probeOverNetwork()
	}
	if c.Address == "" {
		c.Address = DefaultAddress
	}
	if err := checkAddress(c.Address); err != nil {
		return err
	}
	if c.Ports == (PortRange{}) {
		c.Ports = DefaultPorts
	}
	if c.Copies == 0 {
		c.Copies = DefaultCopies
	}
	return c.Ports.check()
}

// Run does the agent's work until ctx ends; call it once. Then running tasks are killed and
// reported as lost, in a bounded time; copies and proxy stay. It returns an error only when the
// agent cannot work at all: its directory cannot be used or belongs to another plant, or the
// server refused it before it ever took it.
func (a *Agent) Run(ctx context.Context) error {
	if err := a.tasks.recover(ctx); err != nil {
		return fmt.Errorf("agent: what an earlier agent was doing cannot be ended: %w", err)
	}
	defer a.fleet.ports.letGo()
	if err := a.fleet.adopt(ctx); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// What runs here is known before anybody is told of it.
	a.router.pass(ctx)
	a.tasks.deliverUnreported(ctx)
	var parts sync.WaitGroup
	var refused error
	parts.Go(func() { a.router.run(ctx) })
	for _, p := range a.config.Platforms {
		parts.Go(func() { a.fleet.heedExits(ctx, p.Exits()) })
	}
	parts.Go(func() { a.fleet.shipLogs(ctx) })
	parts.Go(func() { a.keepBallast(ctx) })
	parts.Go(func() { a.attest(ctx) })
	parts.Go(func() { a.count(ctx) })
	parts.Go(func() {
		refused = a.connect(ctx)
		stop()
	})
	parts.Wait()
	a.fleet.parts.Wait()
	a.lookout.parts.Wait()
	a.tasks.parts.Wait()
	return refused
}

// belongsTo refuses to work for another plant than the directory was made for: its copies
// would be stopped, or taken for copies of the same name.
func (a *Agent) belongsTo(plant string) error {
	path := filepath.Join(a.config.Dir, "plant")
	known, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return writeFile(path, []byte(plant+"\n"))
	}
	if err != nil {
		return err
	}
	if was := strings.TrimSpace(string(known)); was != plant {
		return andon.Errorf(andon.KindConflict, "the agent's directory %s belongs to another plant (%s, not %s)", a.config.Dir, was, plant).
			WithHint("Give the agent a directory of its own; or end that plant's copies with andon down and remove the directory.")
	}
	return nil
}

// A signal wakes whoever waits for it. Raised several times, it wakes once.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) raise() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// sleep waits for a time, and returns false if ctx ends before it is over.
func sleep(ctx context.Context, t time.Duration) bool { return sleepUnless(ctx, t, nil) }

// sleepUnless is sleep that a signal ends early.
func sleepUnless(ctx context.Context, t time.Duration, hurry signal) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-hurry:
		return true
	case <-timer.C:
		return true
	}
}
