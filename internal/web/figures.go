package web

import (
	"context"
	"time"

	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/metrics"
)

const (
	month    = 30 * 24 * time.Hour
	monthFor = time.Minute // how long what is of a month is good for, when nothing is deployed
)

// Figures are the numbers in the head of the board.
type figures struct {
	history.Today
	Lead    time.Duration
	Changes int // of which Lead is the median
}

// A counter counts the figures of the board. The sheet calls it one at a time.
type counter struct {
	last     figures
	measured time.Time // when what is of a month was
}

// of returns the figures that the history has now.
func (c *counter) of(ctx context.Context, h *history.History, now time.Time) (f figures, err error) {
	y, m, d := now.Local().Date()
	if f.Today, err = h.Today(ctx, time.Date(y, m, d, 0, 0, 0, 0, time.Local)); err != nil {
		return f, err
	}
	f.Lead, f.Changes = c.last.Lead, c.last.Changes
	if now.Sub(c.measured) >= monthFor || f.Deployments != c.last.Deployments {
		period := history.Period{Span: metrics.Span{From: now.Add(-month), To: now}}
		if f.Lead, f.Changes, err = h.Lead(ctx, period); err != nil {
			return f, err
		}
		c.measured = now
	}
	c.last = f
	return f, nil
}
