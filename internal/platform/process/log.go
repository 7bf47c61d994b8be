package process

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/copylog"
)

// trimTick is how often the logs are kept within their limit. A copy writes its log itself, so
// it goes on while the agent is away.
const trimTick = 500 * time.Millisecond

// trimLogs keeps the logs within their limit until the driver closes.
func (d *Driver) trimLogs() {
	tick := time.NewTicker(trimTick)
	defer tick.Stop()
	for {
		select {
		case <-d.done:
			return
		case <-tick.C:
		}
		d.mu.Lock()
		ids := make([]andon.InstanceID, 0, len(d.copies))
		for id := range d.copies {
			ids = append(ids, id)
		}
		d.mu.Unlock()
		for _, id := range ids {
			if err := copylog.Trim(d.home(id), d.config.LogLimit); err != nil && !errors.Is(err, os.ErrNotExist) {
				d.config.Log.Warn("cannot shorten the log of a copy", "copy", id, "error", err)
			}
		}
	}
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
