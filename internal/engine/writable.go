package engine

import (
	"context"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// refusing is how long after a failed append the journal is taken to refuse the next one too.
const refusing = 5 * time.Second

// Writable reports why the plant would take no command now: it is stopping, or the journal
// refused events just now and has not taken any since. After a while it lets the next command
// try: nothing else would find out that the disk has room again.
func (e *Engine) Writable(ctx context.Context) error {
	var broken error
	// The owner of the state runs this, so broken may be read.
	look := func(*line.State) {
		if e.now().Sub(e.brokenAt).Abs() < refusing {
			broken = e.broken
		}
	}
	if err := e.View(ctx, look); err != nil {
		return err
	}
	if broken != nil {
		return andon.Errorf(andon.KindUnavailable, "the journal takes no events at the moment").
			WithHint("see the log of the plant; often the disk is full").Because(broken)
	}
	return nil
}
