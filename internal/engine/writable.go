package engine

import (
	"context"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// Writable reports why the plant would take no command now: it is stopping, or the journal
// refused the last events and has not taken any since.
func (e *Engine) Writable(ctx context.Context) error {
	var broken error
	// The owner of the state runs this, so broken may be read.
	if err := e.View(ctx, func(*line.State) { broken = e.broken }); err != nil {
		return err
	}
	if broken != nil {
		return andon.Errorf(andon.KindUnavailable, "the journal takes no events at the moment").
			WithHint("see the log of the plant; often the disk is full").Because(broken)
	}
	return nil
}
