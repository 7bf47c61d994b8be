package haproxy

import (
	"context"
	"log/slog"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/andon"
)

// Config says how the agent keeps its HAProxy. Numbers that are 0 stand for the defaults.
type Config struct {
	Dir     string       // HAProxy's own directory, made with mode 0700 if it does not exist
	Listen  []string     // public addresses, host:port; port 0 is chosen once and then remembered in Dir
	Program string       // HAProxy 2.6 or later; empty: as Find has it
	Log     *slog.Logger // nil: nothing is logged

	// Backends is how many backends there are to choose from; 0: 128. Each route has one, and each
	// older state of a route that still has requests in flight has one too.
	Backends int
	Slots    int // how many targets a route may have, at most 256; 0: 16
	Places   int // how many routes get a listener of their own; 0: 64
	MaxConn  int // connections of clients at a time; 0: 10,000, or what the limit of open files allows

	version string // of the program
}

const (
	defaultBackends = 128
	defaultSlots    = 16
	defaultPlaces   = 64
	defaultMaxConn  = 10_000
	mostSlots       = 256
	mostBackends    = 4096
)

// withDefaults checks the configuration and fills it in.
func (c Config) withDefaults(ctx context.Context) (Config, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if len(c.Listen) == 0 {
		return c, andon.Errorf(andon.KindInvalid, "HAProxy needs an address to listen on.")
	}
	for _, n := range []struct {
		value          *int
		standard, most int
		name           string
	}{
		{&c.Backends, defaultBackends, mostBackends, "backends"},
		{&c.Slots, defaultSlots, mostSlots, "slots"},
		{&c.Places, defaultPlaces, mostBackends, "places"},
		{&c.MaxConn, maxConn(), 1 << 20, "connections"},
	} {
		if *n.value == 0 {
			*n.value = n.standard
		}
		if *n.value < 1 || *n.value > n.most {
			return c, andon.Errorf(andon.KindInvalid, "HAProxy cannot have %d %s: from 1 to %d are possible.", *n.value, n.name, n.most)
		}
	}
	var err error
	if c.Program, c.version, err = Find(ctx, c.Program); err != nil {
		return c, err
	}
	c.Dir, err = filepath.Abs(c.Dir)
	return c, err
}

// maxConn returns how many clients the limit of open files allows: each may need one
// connection more, to a copy.
func maxConn() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1000
	}
	reserve := uint64(500 + 16*runtime.NumCPU()) // listeners, control connections, what is idle
	if limit.Max < 2*reserve {
		return 100
	}
	return int(min(defaultMaxConn, (limit.Max-reserve)/2))
}
