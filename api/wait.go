package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// longestWait is how long one request waits; Wait repeats it.
const longestWait = 5 * time.Minute

// A WaitQuestion says what to wait for.
type WaitQuestion struct {
	Service string
	Version string        // a number, the beginning of a commit, or empty for the newest one there is now
	For     string        // built, release-candidate, certified, live:ENVIRONMENT, stopped or ended
	Timeout time.Duration // 0: as long as ctx
}

// Wait returns when what is waited for is reached, cannot be reached any more, or the time is
// over, which is no error. While the plant restarts it goes on asking, for at most the time that
// is left, or a minute without a timeout.
func (c *Client) Wait(ctx context.Context, q WaitQuestion) (Waited, error) {
	var deadline time.Time
	if q.Timeout > 0 {
		deadline = time.Now().Add(q.Timeout)
	}
	version, heard := q.Version, false
	var silentSince time.Time
	for {
		round := longestWait
		if !deadline.IsZero() {
			round = min(round, max(0, time.Until(deadline)))
		}
		w, err := c.wait(ctx, q.Service, version, q.For, round)
		switch {
		case err == nil:
			heard, silentSince = true, time.Time{}
			version = strconv.FormatInt(w.Version, 10)
			if w.State != WaitTimeout || (!deadline.IsZero() && !time.Now().Before(deadline)) {
				return w, nil
			}
			continue
		case ctx.Err() != nil || !heard || !passing(err):
			return Waited{}, err
		}
		if silentSince.IsZero() {
			silentSince = time.Now()
		}
		if deadline.IsZero() && time.Since(silentSince) > time.Minute || !deadline.IsZero() && !time.Now().Before(deadline) {
			return Waited{}, err
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return Waited{}, &Error{Kind: KindTimeout, Message: "waiting was given up"}
		}
	}
}

// wait asks once.
func (c *Client) wait(ctx context.Context, service, version, goal string, timeout time.Duration) (w Waited, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout+callTimeout)
	defer cancel()
	// An empty timeout would be the server's default.
	q := values{"timeout_ms": strconv.FormatInt(timeout.Milliseconds(), 10)}.text("version", version).text("for", goal)
	return w, c.call(ctx, http.MethodGet, path("services", service, "wait"), q.Values(), nil, &w)
}

// passing reports whether an error is one that a restart of the plant explains.
func passing(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Kind == KindUnreachable || e.Kind == KindUnavailable || e.Kind == KindTimeout)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
