package process

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/copylog"
)

// How often the logs are kept within their limit. A copy writes its log itself, so it goes on
// while the agent is away.
const (
	trimSoonest = 20 * time.Millisecond // after a log was shortened: some copy writes fast
	trimLatest  = 100 * time.Millisecond
)

// trimLogs keeps the logs within their limit until the driver closes.
func (d *Driver) trimLogs() {
	wait := trimLatest
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-d.done:
			return
		case <-timer.C:
		}
		if wait = min(2*wait, trimLatest); d.trimAll() {
			wait = trimSoonest
		}
		timer.Reset(wait)
	}
}

// trimAll reports whether a log was too long.
func (d *Driver) trimAll() (trimmed bool) {
	d.mu.Lock()
	ids := slices.Collect(maps.Keys(d.copies))
	d.mu.Unlock()
	for _, id := range ids {
		some, err := copylog.Trim(d.home(id), d.config.LogLimit)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			d.config.Log.Warn("cannot shorten the log of a copy", "copy", id, "error", err)
		}
		trimmed = trimmed || some
	}
	return trimmed
}

// Log implements platform.Platform.
func (d *Driver) Log(ctx context.Context, id andon.InstanceID, offset int64) (platform.LogReader, error) {
	unknown := andon.Errorf(andon.KindNotFound, "there is no copy %s on this host", id)
	d.mu.Lock()
	s := d.copies[id]
	d.mu.Unlock()
	if s == nil {
		return nil, unknown
	}
	if _, started := s.instance(); !started {
		return nil, unknown
	}
	r, err := copylog.Open(d.home(id), offset)
	if errors.Is(err, os.ErrNotExist) {
		return nil, unknown
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}
