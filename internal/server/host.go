package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/andon-cd/andon/internal/agent"
	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
	"github.com/andon-cd/andon/internal/ca"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/vcs"
)

// HostConfig is what an agent and its drivers on one host are started with.
type HostConfig struct {
	Directory Directory // of the agent's and the proxy's state
	Name      andon.AgentName
	Slots     int // how many jobs run there at once; see andon.Hello
	Labels    map[string]string
	Address   string // at which copies listen; empty: for this host's own proxy alone
	Build     string
	URL       string // of the server
	Token     string // of the agent; empty: Identity proves who it is
	// Identity is that of an agent which joined the plant; nil: it has a token.
	Identity *ca.Identity
	// Repositories is the directory of the server's bare repositories when the agent runs beside
	// it; empty: the agent fetches commits from the server.
	Repositories string
	Listen       string // public address of the proxy
	Drivers      Drivers
	Log          *slog.Logger
	Welcomed     func() // called once, when the server has taken the agent; may be nil
}

// A Host is an agent with its drivers: everything that acts on one machine.
type Host struct {
	Agent     *agent.Agent
	Proxy     Proxy
	cache     *artifact.Cache
	platforms map[string]platform.Platform // by name
	runner    *runner.Runner
	gateway   *gateway // nil: git needs none
	renew     func(context.Context)
}

// OpenHost adopts or starts what belongs to the host. Close ends it; copies and proxy stay.
func OpenHost(ctx context.Context, config HostConfig) (*Host, error) {
	d := config.Directory
	for _, dir := range []string{d.Agent(), d.Proxy()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, d.unusable(err)
		}
	}
	cache, err := artifact.OpenCache(filepath.Join(d.Agent(), "artifacts"))
	if err != nil {
		return nil, err
	}
	h := &Host{platforms: make(map[string]platform.Platform), renew: func(context.Context) {}}
	plant, registry, source, err := h.connect(ctx, config)
	if err != nil {
		return nil, err
	}
	run, err := runner.Open(runner.Config{
		Dir:    d.Agent(),
		Source: source,
		Push: func(ctx context.Context, version andon.VersionRef, packed *artifact.Packed) (andon.Artifact, error) {
			return artifact.Push(ctx, registry, version.Service, version.Number.String(), packed)
		},
		Log: config.Log,
	})
	if err != nil {
		return nil, errors.Join(err, h.disconnect())
	}
	pull := func(ctx context.Context, service andon.ServiceName, digest andon.Digest) (string, error) {
		return cache.Pull(ctx, registry, service, digest)
	}
	h.cache, h.runner = cache, run
	if err := h.openPlatforms(ctx, config, pull, registry); err != nil {
		return nil, errors.Join(err, h.closePlatforms(), h.disconnect())
	}
	if h.Proxy, err = config.Drivers.Proxy(ctx, d.Proxy(), config.Listen, config.Log); err != nil {
		return nil, errors.Join(err, h.closePlatforms(), h.disconnect())
	}
	h.Agent, err = agent.New(agent.Config{
		Name: config.Name, Joined: config.Identity != nil, Slots: config.Slots, Labels: config.Labels, Address: config.Address, Proxy: proxyURL(h.Proxy), Build: config.Build, Dir: d.Agent(),
		Plant: plant, Platforms: h.platforms, Traffic: h.Proxy, Runner: run, Log: config.Log,
		Welcomed: config.Welcomed,
	})
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// proxyURL returns where a proxy is reached: by HTTPS, if it has that.
func proxyURL(p Proxy) string {
	if address := p.AddrTLS(); address != "" {
		return "https://" + address
	}
	return "http://" + p.Addr()
}

// Run does what the agent does until ctx ends, as agent.Agent.Run, and keeps its certificate valid.
func (h *Host) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { h.renew(ctx) })
	err := h.Agent.Run(ctx)
	stop()
	renewing.Wait()
	return err
}

// Close ends the drivers' own goroutines. Run must have returned.
func (h *Host) Close() error {
	h.runner.Close()
	return errors.Join(h.Proxy.Close(), h.closePlatforms(), h.disconnect())
}

// connect returns the ways to the plant: for the agent, for artifacts, and for commits.
func (h *Host) connect(ctx context.Context, config HostConfig) (*agent.Client, artifact.Remote, commits, error) {
	registry := artifact.Remote{URL: config.URL, Token: config.Token}
	id := config.Identity
	if id == nil {
		plant, err := agent.Dial(config.URL, config.Token, nil)
		return plant, registry, sources(config, config.URL, vcs.Credentials{User: "agent", Token: config.Token}), err
	}
	transport := transportOf(id)
	plant, err := agent.Dial(config.URL, "", transport)
	if err != nil {
		return nil, registry, nil, err
	}
	if h.gateway, err = openGateway(ctx, config.URL, transport, config.Log); err != nil {
		return nil, registry, nil, err
	}
	registry.Client = &http.Client{Transport: transport}
	h.renew = func(ctx context.Context) { renew(ctx, id, plant, config.Log) }
	return plant, registry, sources(config, h.gateway.url, vcs.Credentials{User: "agent", Token: h.gateway.password}), nil
}

func (h *Host) disconnect() error {
	if h.gateway == nil {
		return nil
	}
	return h.gateway.Close()
}

// openPlatforms opens what copies run on here.
func (h *Host) openPlatforms(ctx context.Context, config HostConfig, pull Artifacts, registry artifact.Remote) error {
	processes, err := config.Drivers.Platform(config.Directory.Copies(), pull, config.Log)
	if err != nil {
		return err
	}
	h.platforms[andon.PlatformProcess] = processes
	if config.Drivers.Containers == nil {
		return nil
	}
	containers, err := config.Drivers.Containers(ctx, config.Directory.Containers(), registry, config.Log)
	if err == nil && containers != nil {
		h.platforms[andon.PlatformDocker] = containers
	}
	return err
}

func (h *Host) closePlatforms() error {
	var err error
	for _, p := range h.platforms {
		err = errors.Join(err, p.Close())
	}
	return err
}

// Collect removes the artifacts that are kept here and that keep does not want, and returns how
// many those were.
func (h *Host) Collect(ctx context.Context, keep func(andon.Digest) bool) (int, error) {
	removed, err := h.cache.Collect(keep)
	for _, p := range h.platforms {
		if c, ok := p.(interface {
			Collect(ctx context.Context, keep func(andon.Digest) bool) (int, error)
		}); ok {
			n, collectErr := c.Collect(ctx, keep)
			removed, err = removed+n, errors.Join(err, collectErr)
		}
	}
	return removed, err
}

// commits returns a repository on this host that has a commit of a service.
type commits = func(context.Context, andon.ServiceName, andon.CommitID) (string, error)

// sources returns how the runner finds commits: beside the server in its own repositories, else
// in a copy of the service's repository that is fetched when it lacks the commit.
func sources(config HostConfig, server string, credentials vcs.Credentials) commits {
	if config.Repositories != "" {
		return func(_ context.Context, service andon.ServiceName, _ andon.CommitID) (string, error) {
			return filepath.Join(config.Repositories, string(service)+".git"), nil
		}
	}
	var turns sync.Map // by service: git makes and fetches a repository for one job at a time
	return func(ctx context.Context, service andon.ServiceName, commit andon.CommitID) (string, error) {
		entry, _ := turns.LoadOrStore(service, make(chan struct{}, 1))
		turn := entry.(chan struct{})
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return "", ctx.Err()
		}
		repo, err := vcs.InitBare(ctx, filepath.Join(config.Directory.Agent(), "git", string(service)+".git"))
		if err != nil {
			return "", err
		}
		if has, err := repo.Has(ctx, commit); err == nil && has {
			return repo.Dir, nil
		}
		if err := repo.Fetch(ctx, fmt.Sprintf("%s/git/%s.git", server, service), credentials); err != nil {
			return "", err
		}
		return repo.Dir, nil
	}
}
