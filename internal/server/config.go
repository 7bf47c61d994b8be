// Package server wires a plant together: storage, engine, agent, git, registry, pages and API
// in one process, over one data directory.
package server

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/notify"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/traffic"
)

// Config is everything that a plant is started with.
type Config struct {
	Data   string   // the data directory; made if it is missing
	Listen string   // address of the API, the pages, git and the registry; port 0 picks one
	Proxy  string   // public address of the built-in proxy; port 0 picks one and remembers it
	Names  []string // host names, besides loopback ones, by which people may reach Listen
	Slots  int      // of the agent in this process: how many jobs run here at once; see andon.Hello
	Build  string   // the version of this binary
	// WatchInterval is how often repositories elsewhere are asked; 0: the default.
	WatchInterval time.Duration
	// Ready is called once with the two addresses, when everything answers.
	Ready   func(Addresses)
	Drivers Drivers
	Log     *slog.Logger
}

// Addresses is where a running plant is reached.
type Addresses struct {
	URL   string `json:"url"`   // of the API, the pages, git and the registry
	Proxy string `json:"proxy"` // of the built-in proxy
	PID   int    `json:"pid"`
}

// Drivers opens the concrete parts behind the contracts. Package cli names them.
type Drivers struct {
	Journal func(ctx context.Context, file string) (journal.Journal, error)
	// Platform opens that of processes, which every host has.
	Platform func(dir string, artifacts Artifacts, log *slog.Logger) (platform.Platform, error)
	// Containers opens that of containers; nil, or nil from it: this host has none.
	Containers func(ctx context.Context, dir string, images artifact.Remote, log *slog.Logger) (platform.Platform, error)
	Proxy      func(ctx context.Context, dir, listen string, log *slog.Logger) (Proxy, error)
	// Notifier is told when the line stops and runs again; nil: nobody is.
	Notifier notify.Notifier
}

// Artifacts returns the directory of an unpacked artifact.
type Artifacts = func(ctx context.Context, service andon.ServiceName, digest andon.Digest) (dir string, err error)

// A Proxy moves traffic and has a public address of its own.
type Proxy interface {
	traffic.Traffic
	Addr() string    // host:port
	AddrTLS() string // host:port of HTTPS; empty: it has none
}

// LocalAgent is the name of the agent in the server's own process.
const LocalAgent andon.AgentName = "local"

// A Directory is the data directory of a plant: the names of what is in it.
type Directory string

func (d Directory) join(name string) string { return filepath.Join(string(d), name) }

// Lock is held by the server that uses the directory.
func (d Directory) Lock() string { return d.join("lock") }

// Format holds the number of the directory's format.
func (d Directory) Format() string { return d.join("format") }

// Addresses holds where the running server is reached.
func (d Directory) Addresses() string { return d.join("server.json") }

// AdminToken holds the token of the admin.
func (d Directory) AdminToken() string { return d.join("admin.token") }

// AgentToken holds the token of the agent in the server's process.
func (d Directory) AgentToken() string { return d.join("agent.token") }

// ScraperToken holds the token with which metrics are read. It follows from the admin's, and is
// written at each start.
func (d Directory) ScraperToken() string { return d.join("scraper.token") }

// Journal is the journal's file.
func (d Directory) Journal() string { return d.join("journal.db") }

// History is the file of the read models; it can be deleted while no server runs.
func (d Directory) History() string { return d.join("history.db") }

// Logs holds the output of tasks and copies.
func (d Directory) Logs() string { return d.join("logs") }

// Registry holds the artifacts.
func (d Directory) Registry() string { return d.join("registry") }

// Git holds the repositories.
func (d Directory) Git() string { return d.join("git") }

// Secrets holds the credentials of private repositories.
func (d Directory) Secrets() string { return d.join("secrets") }

// Authority holds the plant's certificate authority: whoever has it can let hosts in.
func (d Directory) Authority() string { return d.join("ca") }

// Identity holds who an agent is that joined a plant.
func (d Directory) Identity() string { return d.join("identity") }

// Announced holds how far messages to the world outside were delivered.
func (d Directory) Announced() string { return d.join("announced.json") }

// WebhookSecret holds the secret that signs outgoing webhooks.
func (d Directory) WebhookSecret() string { return d.join("webhook.secret") }

// Agent holds what the agent keeps.
func (d Directory) Agent() string { return d.join("agent") }

// Copies holds the running copies of the process platform.
func (d Directory) Copies() string { return d.join("agent/copies") }

// Containers holds what is kept of copies that are containers.
func (d Directory) Containers() string { return d.join("agent/containers") }

// Proxy holds what the proxy keeps.
func (d Directory) Proxy() string { return d.join("proxy") }
