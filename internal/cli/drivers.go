package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/process"
	"github.com/andon-cd/andon/internal/server"
	"github.com/andon-cd/andon/internal/traffic/haproxy"
	"github.com/andon-cd/andon/internal/traffic/proxy"
)

// drivers returns the concrete parts of a plant. Nothing else in the program names them.
func drivers() server.Drivers {
	return server.Drivers{
		Journal:  func(ctx context.Context, file string) (journal.Journal, error) { return sqlite.Open(ctx, file) },
		Platform: openProcesses,
		Proxy: func(ctx context.Context, dir, listen string, log *slog.Logger) (server.Proxy, error) {
			return openProxy(ctx, dir, listen, "", proxy.Settings{}, log)
		},
	}
}

func openProcesses(dir string, artifacts server.Artifacts, log *slog.Logger) (platform.Platform, error) {
	return process.Open(process.Config{Dir: dir, Artifacts: artifacts, Log: log})
}

// openProxy opens the built-in proxy of a directory, in the place of a HAProxy that runs there.
func openProxy(ctx context.Context, dir, listen, listenTLS string, settings proxy.Settings, log *slog.Logger) (*proxy.Driver, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := makeRoom(ctx, func(ctx context.Context) error { return haproxy.Stop(ctx, haproxyDir(dir)) }); err != nil {
		return nil, err
	}
	config := proxy.Config{Dir: dir, Listen: []string{listen}, Command: []string{self, "proxy", "--dir", dir}, Settings: settings, Log: log}
	if listenTLS != "" {
		config.ListenTLS = []string{listenTLS}
	}
	return proxy.Open(ctx, config)
}

// openHAProxy opens a HAProxy of a proxy's directory, in the place of a built-in proxy that runs
// there.
func openHAProxy(ctx context.Context, dir string, config haproxy.Config) (*haproxy.Driver, error) {
	if err := makeRoom(ctx, func(ctx context.Context) error { return proxy.Stop(ctx, dir) }); err != nil {
		return nil, err
	}
	config.Dir = haproxyDir(dir)
	return haproxy.Open(ctx, config)
}

// haproxyDir is HAProxy's own directory below that of the proxy.
func haproxyDir(dir string) string { return filepath.Join(dir, "haproxy") }

// otherDriver is how long the proxy of another driver may finish what it has begun. Nothing is
// served meanwhile.
const otherDriver = 5 * time.Second

// makeRoom ends the proxy of another driver.
func makeRoom(ctx context.Context, stop func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, otherDriver)
	defer cancel()
	return stop(ctx)
}

// proxyMain is the proxy process.
func proxyMain(ctx context.Context, dir string) error { return proxy.Main(ctx, dir) }

// stopProxy ends the proxy of a directory, whichever runs.
func stopProxy(ctx context.Context, dir string) error {
	return errors.Join(proxy.Stop(ctx, dir), haproxy.Stop(ctx, haproxyDir(dir)))
}

// verifyJournal checks the journal at path, which nobody needs to have open.
func verifyJournal(ctx context.Context, path string, report func(journal.Progress)) error {
	return sqlite.Verify(ctx, path, report)
}
