package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
	"github.com/andon-cd/andon/internal/backup"
	"github.com/andon-cd/andon/internal/ca"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/git"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/httpapi"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/logs"
	"github.com/andon-cd/andon/internal/registry"
	"github.com/andon-cd/andon/internal/retention"
	"github.com/andon-cd/andon/internal/scrape"
	"github.com/andon-cd/andon/internal/secret"
	"github.com/andon-cd/andon/internal/watch"
	"github.com/andon-cd/andon/internal/web"
	"github.com/andon-cd/andon/internal/webhook"
)

const (
	// headerTimeout bounds how long a client may take to send its request's header.
	headerTimeout = 10 * time.Second
	// idleTimeout bounds how long a connection without a request is kept.
	idleTimeout = 2 * time.Minute
	// maxHeader bounds the header of a request, in bytes.
	maxHeader = 64 << 10
	// farewell bounds how long requests in flight may take when the server stops.
	farewell = 5 * time.Second
)

// A plant is everything that one data directory and one port serve.
type plant struct {
	config    Config
	directory Directory
	url       string                 // where the port is reached
	proxy     atomic.Pointer[string] // where the proxy is; nil until it is open
	keys      *auth.Keys
	agent     string // token of the agent in this process

	port      *port
	authority *ca.Authority
	journal   journal.Journal
	history   *history.History
	logs      *logs.Store
	secrets   *secret.Store
	registry  *registry.Registry
	engine    *engine.Engine
	git       *git.Git
	watcher   *watch.Watcher
	sweeper   *retention.Sweeper
	host      *Host

	closers []func() error // in the order of opening
}

// Run runs a plant until ctx ends: nil then. Copies and the proxy stay up. An error before Ready
// is called says why the plant cannot start, and that nothing of it runs.
func Run(ctx context.Context, config Config) error {
	p := &plant{config: config, directory: Directory(config.Data)}
	err := p.run(ctx)
	for i := len(p.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, p.closers[i]())
	}
	return err
}

func (p *plant) run(ctx context.Context) error {
	if err := p.open(ctx); err != nil {
		return err
	}
	parts := newParts(ctx, p.config.Log)
	core := parts.phase()    // what everything else needs to end in an orderly way
	outside := parts.phase() // what asks the core for something
	core.start("engine", p.engine.Run)
	if err := p.prepare(ctx); err != nil {
		return errors.Join(err, core.stop())
	}
	core.start("history", p.followHistory)
	core.start("http", p.serve)
	if err := p.openHost(ctx); err != nil {
		return errors.Join(err, core.stop())
	}
	outside.start("agent", p.host.Agent.Run)
	outside.start("watcher", p.watcher.Run)
	outside.start("retention", p.sweeper.Run)
	outside.start("authority", p.tendAuthority)
	if p.config.Drivers.Notifier != nil {
		outside.start("announcements", p.announce)
	}
	addresses := Addresses{URL: p.url, Proxy: p.proxyURL(), PID: os.Getpid()}
	if err := p.directory.writeAddresses(addresses); err != nil {
		return errors.Join(err, outside.stop(), core.stop())
	}
	if p.config.Ready != nil {
		p.config.Ready(addresses)
	}
	err := parts.wait()
	return errors.Join(err, outside.stop(), core.stop())
}

// open opens everything that is on disk, and the port.
func (p *plant) open(ctx context.Context) (err error) {
	d := p.directory
	if err := d.Prepare(); err != nil {
		return err
	}
	release, err := d.Hold()
	if err != nil {
		return err
	}
	p.onClose(func() error { release(); return nil })
	if err := p.openKeys(); err != nil {
		return err
	}
	if p.authority, err = ca.Open(d.Authority(), time.Now); err != nil {
		return err
	}
	if err := p.listen(ctx); err != nil {
		return err
	}
	if p.journal, err = p.config.Drivers.Journal(ctx, d.Journal()); err != nil {
		return err
	}
	p.onClose(p.journal.Close)
	if p.engine, err = engine.Open(ctx, engine.Config{Journal: p.journal, Log: p.config.Log}); err != nil {
		return err
	}
	if p.history, err = history.Open(ctx, d.History()); err != nil {
		return err
	}
	p.onClose(p.history.Close)
	if p.logs, err = logs.Open(d.Logs(), logs.Options{}); err != nil {
		return err
	}
	p.onClose(p.logs.Close)
	if p.secrets, err = secret.Open(d.Secrets()); err != nil {
		return err
	}
	p.onClose(p.secrets.Close)
	if p.registry, err = registry.Open(ctx, registry.Config{Dir: d.Registry()}); err != nil {
		return err
	}
	p.onClose(p.registry.Close)
	return nil
}

func (p *plant) onClose(f func() error) { p.closers = append(p.closers, f) }

func (p *plant) openKeys() error {
	admin, err := p.directory.token(p.directory.AdminToken(), "andon_")
	if err != nil {
		return err
	}
	if p.agent, err = p.directory.token(p.directory.AgentToken(), "andon_agent_"); err != nil {
		return err
	}
	p.keys = auth.New(admin, map[andon.AgentName]string{LocalAgent: p.agent})
	return p.directory.keep(p.directory.ScraperToken(), []byte(p.keys.ScraperToken()+"\n"))
}

func (p *plant) listen(ctx context.Context) error {
	// Who waits for an answer and is not reached any more hangs up, as far as the server knows, after
	// 11 s of silence.
	config := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}
	listener, err := config.Listen(ctx, "tcp", p.config.Listen)
	if err != nil {
		return unlistened(p.config.Listen, err)
	}
	p.onClose(func() error {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	p.url = "http://" + reachable(listener.Addr())
	names := append([]string{hostOf(listener.Addr())}, p.config.Names...)
	p.port = newPort(listener, p.authority.ServerConfig(names))
	return nil
}

// reason returns the innermost words of a network error.
func reason(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		err = call.Err
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return err.Error()
}

// unlistened says why an address cannot be listened on, and what to do about it.
func unlistened(address string, err error) error {
	hint := "write it like 127.0.0.1:8600; port 0 picks one"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another program uses it: stop that, or choose another address with --listen ADDR"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "this machine does not have it: choose another address with --listen ADDR"
	case errors.Is(err, syscall.EACCES):
		hint = "ports below 1024 need a privilege: choose another one with --listen ADDR"
	}
	return andon.Errorf(andon.KindConflict, "the address %s cannot be listened on: %s", address, reason(err)).WithHint("%s", hint).Because(err)
}

// reachable returns an address at which programs on this machine reach a listener.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// hostOf returns the IP address of a listener.
func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

// longReading is how many events the history may be behind at a start before that is told: a few
// seconds' worth.
const longReading = 30_000

// prepare makes the plant on its first start, brings the read models up to date, and lets what a
// crash left between git and the journal agree.
func (p *plant) prepare(ctx context.Context) (err error) {
	if err := p.create(ctx); err != nil {
		return err
	}
	if behind := p.engine.Head() - p.history.Position(); behind > longReading {
		p.config.Log.Warn("the history is made anew from the journal: the plant answers when that is done; what is deployed goes on", "events", behind)
	}
	if err := p.history.CatchUp(ctx, p.journal); err != nil {
		return err
	}
	p.git, err = git.New(ctx, git.Config{
		Dir: p.directory.Git(), Engine: p.engine, History: p.history,
		Address: func() string { return p.url }, Log: p.config.Log,
	})
	if err != nil {
		return err
	}
	p.onClose(p.git.Close)
	p.watcher = watch.New(watch.Config{
		Engine: p.engine, Dir: p.directory.Git(), Secrets: p.secrets, Interval: p.config.WatchInterval, Log: p.config.Log,
	})
	p.sweeper = retention.New(retention.Config{
		Engine: p.engine, History: p.history, Logs: p.logs, Registry: p.registry, Keep: retention.Default(), Log: p.config.Log,
		Cache: func(keep func(andon.Digest) bool) (int, error) {
			if p.host == nil {
				return 0, nil
			}
			return p.host.Collect(ctx, keep)
		},
	})
	return p.git.Reconcile(ctx)
}

// create names the plant and declares its environments; on a plant that has them, it does nothing.
func (p *plant) create(ctx context.Context) error {
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	_, err := p.engine.Do(ctx, andon.ActorLine, line.CreatePlant{Plant: hex.EncodeToString(id), Environments: andon.DefaultEnvironments()})
	return err
}

// openHost opens the agent's side, which talks to the server over the port like any other agent.
func (p *plant) openHost(ctx context.Context) (err error) {
	p.host, err = OpenHost(ctx, HostConfig{
		Directory: p.directory, Name: LocalAgent, Slots: p.config.Slots, Build: p.config.Build,
		URL: p.url, Token: p.agent, Repositories: p.directory.Git(), Listen: p.config.Proxy,
		Drivers: p.config.Drivers, Log: p.config.Log,
	})
	if err != nil {
		return err
	}
	p.onClose(p.host.Close)
	address := "http://" + p.host.Proxy.Addr()
	p.proxy.Store(&address)
	return nil
}

// proxyURL returns where the proxy is reached; empty before it is open.
func (p *plant) proxyURL() string {
	if address := p.proxy.Load(); address != nil {
		return *address
	}
	return ""
}

// serve answers requests until ctx ends; those in flight get a moment to end.
func (p *plant) serve(ctx context.Context) error {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var unused connections
	server := &http.Server{
		ConnState:         unused.note,
		Handler:           p.handler(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// Who breaks off, or proves nothing, is no trouble of the server's.
		ErrorLog:    slog.NewLogLogger(p.config.Log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	server.RegisterOnShutdown(unused.close) // Shutdown would wait five seconds for each
	sorted := make(chan struct{})
	go func() { p.port.run(requests); close(sorted) }()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(p.port) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving %s: %w", p.port.Addr(), err)
	case <-ctx.Done():
	}
	cut() // long polls and streams end at once
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := server.Shutdown(limited); err != nil {
		_ = server.Close()
	}
	<-ended //nolint:errcheck // http.ErrServerClosed
	<-sorted
	return nil
}

// tending is how often the authority is looked after: its roots live for years.
const tending = 24 * time.Hour

// tendAuthority makes the next root of the authority in time, until ctx ends.
func (p *plant) tendAuthority(ctx context.Context) error {
	daily := time.NewTicker(tending)
	defer daily.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-daily.C:
			if err := p.authority.Tend(); err != nil {
				p.config.Log.Error("the certificate authority could not be looked after; it is tried again tomorrow", "err", err)
			}
		}
	}
}

func (p *plant) handler() http.Handler {
	return httpapi.New(httpapi.Config{
		Engine: p.engine, History: p.history, Logs: p.logs, Secrets: p.secrets, Keys: p.keys,
		Log: p.config.Log, Build: p.config.Build,
		Address: func() string { return p.url }, Proxy: p.proxyURL,
		Hosts: p.config.Names, Authority: p.authority, Reachable: watch.Reachable, Trouble: p.watcher.Trouble,
		Git: p.git, Registry: p.registry, Backup: p.backup,
		Hooks:   webhook.New(webhook.Config{Wake: p.watcher.Wake, Secret: p.hookSecret, Log: p.config.Log}),
		Metrics: scrape.New(scrape.Config{Engine: p.engine, History: p.history, Build: p.config.Build}),
		Pages:   web.New(web.Config{Engine: p.engine, History: p.history, Logs: p.logs}),
	})
}

// backup writes the plant while it runs. Nothing is swept meanwhile.
func (p *plant) backup(ctx context.Context, to io.Writer) error {
	defer p.sweeper.Pause()()
	return backup.Write(ctx, to, p.journal, string(p.directory))
}

// hookSecret returns what signs the webhooks of a service.
func (p *plant) hookSecret(service andon.ServiceName) (string, error) {
	c, err := p.secrets.Get(service)
	return c.Hook, err
}
