package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// parts are the goroutines of a plant. The first that fails ends the plant.
type parts struct {
	ctx    context.Context
	log    *slog.Logger
	failed chan error // holds the first failure
}

func newParts(ctx context.Context, log *slog.Logger) *parts {
	return &parts{ctx: ctx, log: log, failed: make(chan error, 1)}
}

// wait returns when the plant is to end: nil when it was asked to, else why it has to.
func (p *parts) wait() error {
	select {
	case <-p.ctx.Done():
		return nil
	case err := <-p.failed:
		return err
	}
}

// A phase is a set of parts that end together, before the phases that were made earlier. A part
// does not end with the plant's context but when its phase is stopped: so that an agent can still
// report to the server what its own end means.
type phase struct {
	parts  *parts
	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
}

func (p *parts) phase() *phase {
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.ctx))
	return &phase{parts: p, ctx: ctx, cancel: cancel}
}

// start runs a part, which must return when its context ends.
func (p *phase) start(name string, run func(context.Context) error) {
	p.group.Go(func() {
		err := run(p.ctx)
		if p.ctx.Err() != nil {
			if err != nil {
				p.parts.log.Warn("a part of the plant ended with an error", "part", name, "err", err)
			}
			return
		}
		select {
		case p.parts.failed <- fmt.Errorf("%s ended: %w", name, err):
		default:
		}
	})
}

// stop ends the parts of the phase and waits for them.
func (p *phase) stop() error {
	p.cancel()
	p.group.Wait()
	return nil
}
