// Package retention deletes what nobody needs any more: the logs and artifacts of old versions,
// and unpacked artifacts that nothing runs. What happened stays in the journal for good.
package retention

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/logs"
	"github.com/andon-cd/andon/internal/registry"
)

const (
	// Interval is how often a plant is swept.
	Interval = time.Hour
	// FirstSweep is how long after the start the first sweep is: not while everybody waits.
	FirstSweep = 5 * time.Minute
	// batch is how many versions one step deletes.
	batch = 100
	// maxBatches bounds one sweep; the next one goes on.
	maxBatches = 1000
)

// Default keeps the newest 50 versions of each service, everything younger than 30 days, and the
// last 10 good releases of each place, which a rollback may want.
func Default() history.Retention {
	return history.Retention{Versions: 50, Age: 30 * 24 * time.Hour, Releases: 10}
}

// Config is what a sweeper needs.
type Config struct {
	Engine   *engine.Engine
	History  *history.History
	Logs     *logs.Store
	Registry *registry.Registry
	// Cache drops unpacked artifacts that keep does not want; nil: there is none here.
	Cache func(keep func(andon.Digest) bool) (removed int, err error)
	Keep  history.Retention
	Log   *slog.Logger
}

// A Sweeper deletes what its retention does not keep.
type Sweeper struct {
	Config
	sweeping sync.Mutex // held by a sweep, and by whoever must not be swept meanwhile
}

// New returns a sweeper; Run makes it sweep.
func New(config Config) *Sweeper { return &Sweeper{Config: config} }

// Pause holds sweeps off until resume is called: a backup reads what a sweep would delete.
func (s *Sweeper) Pause() (resume func()) {
	s.sweeping.Lock()
	return s.sweeping.Unlock
}

// Run sweeps now and then until ctx ends.
func (s *Sweeper) Run(ctx context.Context) error {
	timer := time.NewTimer(FirstSweep)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("old logs and artifacts could not all be deleted", "err", err)
		}
		timer.Reset(Interval)
	}
}

// Sweep deletes everything that is to go now.
func (s *Sweeper) Sweep(ctx context.Context) error {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	swept, err := s.sweepVersions(ctx)
	if err != nil {
		return err
	}
	keep, err := s.referenced(ctx)
	if err != nil {
		return err
	}
	freed, err := s.Registry.Collect(ctx, func(_ string, d andon.Digest) bool { return keep[d] })
	if err != nil {
		return err
	}
	unpacked := 0
	if s.Cache != nil {
		running, err := s.running(ctx)
		if err != nil {
			return err
		}
		if unpacked, err = s.Cache(func(d andon.Digest) bool { return running[d] }); err != nil {
			return err
		}
	}
	if swept+unpacked > 0 || freed > 0 {
		s.Log.Info("deleted what nobody needs any more", "versions", swept, "registry_bytes", freed, "unpacked_artifacts", unpacked)
	}
	return nil
}

// sweepVersions deletes the logs of expired versions; their artifacts are then not referenced.
func (s *Sweeper) sweepVersions(ctx context.Context) (swept int, err error) {
	for range maxBatches {
		expired, err := s.History.Expired(ctx, s.Keep, s.Engine.Now(), batch)
		if err != nil || len(expired) == 0 {
			return swept, err
		}
		done := make([]andon.VersionRef, 0, len(expired))
		for _, e := range expired {
			for _, stream := range e.Logs {
				if err := s.Logs.Remove(stream); err != nil {
					return swept, err
				}
			}
			done = append(done, e.Version)
		}
		if err := s.History.MarkSwept(ctx, done); err != nil {
			return swept, err
		}
		swept += len(done)
	}
	return swept, nil
}

// referenced returns the artifacts that are still needed: by the history's rule, or by what the
// line has in hands.
func (s *Sweeper) referenced(ctx context.Context) (map[andon.Digest]bool, error) {
	byService, err := s.History.ReferencedArtifacts(ctx)
	if err != nil {
		return nil, err
	}
	keep := map[andon.Digest]bool{}
	for _, digests := range byService {
		maps.Copy(keep, digests)
	}
	err = s.Engine.View(ctx, func(state *line.State) {
		inHands(state, keep)
		for _, service := range state.Services {
			for _, v := range service.Versions {
				if v.Artifact != nil && v.Ended == nil {
					keep[v.Artifact.Digest] = true
				}
			}
		}
	})
	return keep, err
}

// running returns the artifacts that copies run from, or are about to.
func (s *Sweeper) running(ctx context.Context) (map[andon.Digest]bool, error) {
	keep := map[andon.Digest]bool{}
	err := s.Engine.View(ctx, func(state *line.State) { inHands(state, keep) })
	return keep, err
}

func inHands(state *line.State, keep map[andon.Digest]bool) {
	for _, place := range state.Places {
		for _, c := range place.Desired.Copies {
			keep[c.Artifact] = true
		}
		for _, good := range place.Good {
			keep[good.Release.Artifact] = true
		}
		for _, d := range place.Queued {
			keep[d.Plan.Release.Artifact] = true
		}
		if place.Active != nil {
			keep[place.Active.Plan.Release.Artifact] = true
		}
	}
}
