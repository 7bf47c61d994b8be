package server

import (
	"context"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/announce"
)

// historyRetry is how long the read models wait after a failure, a full disk most likely.
const historyRetry = 2 * time.Second

// followHistory keeps the read models up to date. What cannot be applied is tried again from the
// journal, so a read model is late at worst, never wrong.
func (p *plant) followHistory(ctx context.Context) error {
	if err := p.history.Prepare(ctx); err != nil {
		p.config.Log.Error("the figures cannot be brought into memory: pages of them are slow until the next start", "err", err)
	}
	for {
		err := p.engine.Follow(ctx, p.history.Position(), func(events []andon.Event) error {
			return p.history.Apply(ctx, events)
		})
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was asked to end
		}
		p.config.Log.Error("the history cannot be kept up to date: trying again", "err", err)
		timer := time.NewTimer(historyRetry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if err := p.history.CatchUp(ctx, p.journal); err != nil {
			p.config.Log.Error("the history cannot be made again from the journal", "err", err)
		}
	}
}

// announce tells the world outside when the line stops and when it runs again.
func (p *plant) announce(ctx context.Context) error {
	return announce.Run(ctx, announce.Config{
		Engine: p.engine, Notifier: p.config.Drivers.Notifier, File: p.directory.Announced(), Log: p.config.Log,
	})
}
