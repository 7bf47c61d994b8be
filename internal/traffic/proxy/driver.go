package proxy

import (
	"context"
	"log/slog"

	"github.com/andon-cd/andon/internal/traffic"
)

// Config says how the agent keeps its proxy.
type Config struct {
	Dir     string       // the proxy's own directory, made with mode 0700 if it does not exist
	Listen  []string     // public addresses, host:port; port 0 is chosen once and then remembered in Dir
	Command []string     // argv that starts the proxy process, which must call Main with the same Dir
	Log     *slog.Logger // nil: nothing is logged
}

// A Driver keeps one proxy process and tells it what to do. It implements traffic.Traffic.
type Driver struct {
	config Config
}

var _ traffic.Traffic = (*Driver)(nil)

// Open adopts the proxy that runs in the directory, or starts one. A proxy of another build is
// replaced without a lost request. The goroutines that it starts end with Close.
func Open(ctx context.Context, config Config) (*Driver, error) { return &Driver{config: config}, nil }

// Addr returns the first public address that the proxy listens on, host:port.
func (d *Driver) Addr() string { return "" }

// Apply implements traffic.Traffic.
func (d *Driver) Apply(ctx context.Context, routes []traffic.Route) error { return nil }

// State implements traffic.Traffic.
func (d *Driver) State(ctx context.Context) (traffic.State, error) { return traffic.State{}, nil }

// Drained implements traffic.Traffic.
func (d *Driver) Drained() <-chan struct{} { return nil }

// Replace starts a new proxy process, which takes over the listeners and routes; the old one
// accepts nothing more, finishes what it has begun within DrainBound, and exits. It returns
// when the new one serves.
func (d *Driver) Replace(ctx context.Context) error { return nil }

// Shutdown ends the proxy process too, after the requests in flight or when ctx ends, and
// then closes the driver.
func (d *Driver) Shutdown(ctx context.Context) error { return nil }

// Close implements traffic.Traffic: it lets go of the proxy, which goes on serving.
func (d *Driver) Close() error { return nil }

// Stop ends the proxy that runs in dir, if one does, after the requests in flight or when ctx
// ends. It is for whoever has no Driver: the agent of the directory must not be running.
func Stop(ctx context.Context, dir string) error { return nil }
