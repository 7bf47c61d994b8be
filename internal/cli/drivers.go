package cli

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/process"
	"github.com/andon-cd/andon/internal/server"
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

func openProxy(ctx context.Context, dir, listen, listenTLS string, settings proxy.Settings, log *slog.Logger) (*proxy.Driver, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	config := proxy.Config{Dir: dir, Listen: []string{listen}, Command: []string{self, "proxy", "--dir", dir}, Settings: settings, Log: log}
	if listenTLS != "" {
		config.ListenTLS = []string{listenTLS}
	}
	return proxy.Open(ctx, config)
}

// proxyMain is the proxy process.
func proxyMain(ctx context.Context, dir string) error { return proxy.Main(ctx, dir) }

// stopProxy ends the proxy of a directory, if one runs.
func stopProxy(ctx context.Context, dir string) error { return proxy.Stop(ctx, dir) }

// verifyJournal checks the journal at path, which nobody needs to have open.
func verifyJournal(ctx context.Context, path string, report func(journal.Progress)) error {
	return sqlite.Verify(ctx, path, report)
}
