package agent

import (
	"cmp"
	"context"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
)

// platform returns the platform of that name; empty: that of processes.
func (f *fleet) platform(name string) platform.Platform {
	name = cmp.Or(name, andon.PlatformProcess)
	if p := f.agent.config.Platforms[name]; p != nil {
		return p
	}
	return missing(name)
}

// missing is a platform that this host has not, or has no more: what may run on it is not known,
// and nothing is done about it until an agent is started with it.
type missing string

var _ platform.Platform = missing("")

func (m missing) error() error {
	return andon.Errorf(andon.KindUnavailable, "this host's agent has no platform %s", string(m)).
		WithHint("See what `andon doctor` says there, and start the agent again.")
}

func (m missing) Start(context.Context, platform.Spec) (platform.Instance, error) {
	return platform.Instance{}, m.error()
}

func (m missing) End(context.Context, andon.InstanceID, time.Duration) error { return m.error() }

func (m missing) Stop(context.Context, andon.InstanceID, time.Duration) error { return m.error() }

func (m missing) List(context.Context) ([]platform.Instance, error) { return nil, m.error() }

func (m missing) Exits() <-chan andon.InstanceID { return nil }

func (m missing) Log(context.Context, andon.InstanceID, int64) (platform.LogReader, error) {
	return nil, m.error()
}

func (m missing) Close() error { return nil }
