package cli

import (
	"context"
	"errors"
	"time"

	"github.com/andon-cd/andon/api"
)

const (
	// followPause is how long it rests between two looks: many changes, few of them.
	followPause = 500 * time.Millisecond
	// followPatience is how long a command that no person watches tries to reach a plant again.
	followPatience = time.Minute
	// longestPause is how long it rests at most between two attempts to reach the plant.
	longestPause = 5 * time.Second
)

// A sight is the plant as a command that follows it saw it last.
type sight struct {
	api.Status
	Taken time.Time // by the clock here
	Lost  time.Time // since when the plant does not answer; zero: it does
}

// now returns the time by the clock of the plant.
func (s *sight) now(here time.Time) time.Time { return s.Time.Add(here.Sub(s.Taken)) }

// errMoved ends a stream of events because there is something new to see.
var errMoved = errors.New("something happened")

// follow calls see with the plant as it is now, then whenever the journal has gone on, and when
// the plant is lost and found. What happened while it was lost is not missed: the position in the
// journal tells whether anything did. It ends with ctx, with what see returns, when the plant
// refuses to answer, or when it has not been reached for as long as patience; 0: it goes on for
// ever. A plant that is not reached at first is an error.
func (c *call) follow(ctx context.Context, client *api.Client, service string, patience time.Duration, see func(sight) error) error {
	var last sight
	pause := followPause
	for {
		status, err := look(ctx, client, service)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // interrupted, as following always ends
		case err == nil:
			pause = followPause
			if news := status.Position != last.Position || status.Plant != last.Plant || !last.Lost.IsZero(); news {
				last = sight{Status: status, Taken: time.Now()}
				err = see(last)
			}
		case !lost(err) || last.Plant == "":
			return c.known(client, service, err)
		case last.Lost.IsZero():
			last.Lost = time.Now()
			err = see(last)
		case patience > 0 && time.Since(last.Lost) > patience:
			return err
		default:
			err, pause = nil, min(2*pause, longestPause)
		}
		if err != nil {
			return err
		}
		if last.Lost.IsZero() {
			// However the stream ends, the next status tells whether the plant is lost.
			_ = client.Events(ctx, last.Position, func(api.Event) error { return errMoved })
		}
		if !rest(ctx, pause) {
			return nil
		}
	}
}

// lookLimit bounds one look at a plant that may be lost: a network that is cut does not say so.
const lookLimit = 10 * time.Second

func look(ctx context.Context, client *api.Client, service string) (api.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	return client.Status(ctx, service)
}

// lost reports whether an error is what a plant looks like that cannot be reached now.
func lost(err error) bool {
	e, ok := errors.AsType[*api.Error](err)
	return ok && (restarting(err) || e.Kind == api.KindTimeout)
}

// restarting reports whether an error is what a restart of the plant looks like.
func restarting(err error) bool {
	e, ok := errors.AsType[*api.Error](err)
	return ok && (e.Kind == api.KindUnreachable || e.Kind == api.KindUnavailable)
}

// rest waits; false means that ctx ended before.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
