package httpapi

import (
	"context"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/line"
)

// mostHeld bounds what the queue lists of one cause.
const mostHeld = 100

func (a *API) queue(ctx context.Context, _ *none) (out api.Queue, err error) {
	out = api.Queue{Position: int64(a.Engine.Head()), Causes: []api.Cause{}}
	if err := a.fresh(ctx); err != nil {
		return out, err
	}
	var causes []line.Cause
	err = a.Engine.View(ctx, func(s *line.State) { causes, out.Moving = s.Causes(a.Engine.Now()) })
	if err != nil {
		return out, err
	}
	for _, c := range causes {
		one := api.Cause{
			Kind: api.WaitKind(c.Kind), On: c.On, Reason: c.Reason, Since: c.Since.UTC(), GoesOn: c.GoesOn, Who: c.Who, Action: c.Action,
			Held: []api.Wait{}, More: max(0, len(c.Held)-mostHeld),
		}
		expected, err := a.History.Expect(ctx, c.Wait, c.Deployment, c.Started)
		if err != nil {
			return out, err
		}
		if !expected.At.IsZero() {
			one.Expected = &api.Expected{At: expected.At.UTC(), TookMS: expected.Took.Milliseconds(), From: expected.From}
		}
		for _, r := range c.Held[:min(len(c.Held), mostHeld)] {
			one.Held = append(one.Held, wireReason(r))
		}
		out.Causes = append(out.Causes, one)
	}
	return out, nil
}
