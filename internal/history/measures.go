package history

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/metrics"
)

// mostStreams bounds how many changes a value stream adds up: the newest of its period.
const mostStreams = 50_000

// A Period selects what is measured: a time, and a service; empty: all of them.
type Period struct {
	metrics.Span
	Service andon.ServiceName
}

// during completes a query by the period that one of its columns must lie in. A service column
// goes by the name of service.
func (p Period) during(text, column string, args ...any) (string, []any) {
	text += ` AND ` + column + ` >= ? AND ` + column + ` < ?`
	args = append(args, nanos(p.From), nanos(p.To))
	if p.Service != "" {
		text, args = text+` AND service = ?`, append(args, p.Service)
	}
	return text, args
}

// inMemory calls read with the numbers, and returns true, if they say everything of a period.
func (h *History) inMemory(p Period, read func(*numbers)) bool {
	h.reading.RLock()
	defer h.reading.RUnlock()
	if !h.numbers.covers(p) {
		return false
	}
	read(h.numbers)
	return true
}

// Facts returns what the figures of a period are computed from.
func (h *History) Facts(ctx context.Context, p Period) (f metrics.Facts, err error) {
	if h.inMemory(p, func(n *numbers) { f = n.facts(p) }) {
		return f, nil
	}
	return h.storedFacts(ctx, p)
}

// storedFacts reads the facts from the tables.
func (h *History) storedFacts(ctx context.Context, p Period) (f metrics.Facts, err error) {
	f.Period = p.Span
	if f.Rollouts, err = h.Rollouts(ctx, p); err != nil {
		return f, err
	}
	text, args := p.during(`SELECT lead FROM change WHERE true`, `delivered`)
	if f.Leads, err = query(ctx, h.store, took, text, args...); err != nil {
		return f, err
	}
	text, args = p.during(`SELECT at - first FROM (SELECT m.at, min(v.committed, v.created) AS first, m.service
		FROM maturity m JOIN version v ON v.service = m.service AND v.number = m.number WHERE m.to_maturity = 'release-candidate' AND m.from_maturity = 'development') WHERE true`, `at`)
	if f.Candidates, err = query(ctx, h.store, took, text, args...); err != nil {
		return f, err
	}
	text, args = p.during(`SELECT took, slow FROM stage WHERE stage = ? AND finished > 0 AND outcome NOT IN ('cancelled', 'superseded')`,
		`finished`, andon.CommitStageName)
	f.Commits, err = query(ctx, h.store, func(r *sql.Rows) (c metrics.CommitRun, err error) {
		return c, r.Scan((*int64)(&c.Took), &c.Slow)
	}, text, args...)
	if err != nil {
		return f, err
	}
	f.Stops, err = h.stops(ctx, p)
	return f, err
}

func took(r *sql.Rows) (t time.Duration, err error) { return t, r.Scan((*int64)(&t)) }

// Rollouts returns the deployments to production that ended in a period and were no rollbacks.
func (h *History) Rollouts(ctx context.Context, p Period) ([]metrics.Rollout, error) {
	text, args := p.during(`SELECT deployment, version, kind, outcome, started, ended, failed, recovered, rework
		FROM rollout WHERE kind = ?`, `ended`, andon.DeployForward)
	return query(ctx, h.store, func(r *sql.Rows) (o metrics.Rollout, err error) {
		return o, r.Scan(&o.Deployment, &o.Version, &o.Kind, &o.Outcome, at{&o.Started}, at{&o.Ended}, &o.Failed, at{&o.Recovered}, &o.Rework)
	}, text+` ORDER BY ended`, args...)
}

// stops returns when lines stood in a period, and because of what.
func (h *History) stops(ctx context.Context, p Period) ([]metrics.Stop, error) {
	return query(ctx, h.store, func(r *sql.Rows) (s metrics.Stop, err error) {
		var cord andon.Cord
		if err := r.Scan(doc{&cord}, at{&s.From}, at{&s.To}); err != nil {
			return s, err
		}
		if s.To.IsZero() {
			s.To = p.To
		}
		s.Cause = stopOf(&cord, s.To).Cause
		return s, nil
	}, `SELECT doc, pulled, released FROM cord WHERE pulled < ?1 AND (released = 0 OR released > ?2) AND (?3 = '' OR service IN (?3, ''))`,
		nanos(p.To), nanos(p.From), p.Service)
}

// Flow returns the value stream of the changes that were delivered in a period, the newest of them,
// and how many there are in all: there may be more than it adds up.
func (h *History) Flow(ctx context.Context, p Period) (f metrics.Flow, all int, err error) {
	if h.inMemory(p, func(n *numbers) { f, all = n.changes.Flow(p.Span, p.Service, mostStreams, n.passes(p)) }) {
		return f, all, nil
	}
	return h.storedFlow(ctx, p)
}

// storedFlow reads the value stream from the tables.
func (h *History) storedFlow(ctx context.Context, p Period) (f metrics.Flow, all int, err error) {
	passes, err := h.Passes(ctx, p)
	if err != nil {
		return f, 0, err
	}
	var streams metrics.Streams
	text, args := p.during(`SELECT service, number, delivered, portions FROM change WHERE true`, `delivered`)
	err = each(ctx, h.store, scanStream, func(s stream) { streams.Add(s.VersionRef, s.delivered, s.portions) },
		text+` ORDER BY delivered, number`, args...)
	f, all = streams.Flow(p.Span, p.Service, mostStreams, passes)
	return f, all, err
}

// Changes returns the changes that were delivered last in a period, the newest first, at most as
// many as the limit says: 0 is DefaultPage, MaxPage the most.
func (h *History) Changes(ctx context.Context, p Period, limit int) (changes []metrics.Change, err error) {
	var refs []andon.VersionRef
	if !h.inMemory(p, func(n *numbers) { refs = n.changes.Newest(p.Span, p.Service, pageSize(limit)) }) {
		text, args := p.during(`SELECT service, number, delivered, legs FROM change WHERE true`, `delivered`)
		return query(ctx, h.store, scanChange, text+` ORDER BY delivered DESC, number DESC LIMIT ?`, append(args, pageSize(limit))...)
	}
	one, err := h.store.rdb.PrepareContext(ctx, `SELECT service, number, delivered, legs FROM change WHERE service = ? AND number = ?`)
	if err != nil {
		return nil, storageError(h.store.path, err)
	}
	defer func() { _ = one.Close() }() // every row is read
	for _, ref := range refs {
		var c metrics.Change
		err := one.QueryRowContext(ctx, ref.Service, ref.Number).Scan(&c.Service, &c.Number, at{&c.Delivered}, doc{&c.Legs})
		switch {
		case err == nil:
			changes = append(changes, c)
		case !errors.Is(err, sql.ErrNoRows): // a history that is made anew has none for a while
			return nil, storageError(h.store.path, err)
		}
	}
	return changes, nil
}

// Change returns the value stream of one change; nil when production does not have it.
func (h *History) Change(ctx context.Context, v andon.VersionRef) (*metrics.Change, error) {
	found, err := query(ctx, h.store, scanChange, `SELECT service, number, delivered, legs FROM change WHERE service = ? AND number = ?`, v.Service, v.Number)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func scanChange(r *sql.Rows) (c metrics.Change, err error) {
	return c, r.Scan(&c.Service, &c.Number, at{&c.Delivered}, doc{&c.Legs})
}

// Passes counts, by stage, how versions left the stages in a period by their first runs of them.
func (h *History) Passes(ctx context.Context, p Period) (passes map[andon.StageName]metrics.Pass, err error) {
	if h.inMemory(p, func(n *numbers) { passes = n.passes(p) }) {
		return passes, nil
	}
	return h.storedPasses(ctx, p)
}

// storedPasses reads the passes from the tables.
func (h *History) storedPasses(ctx context.Context, p Period) (map[andon.StageName]metrics.Pass, error) {
	text, args := p.during(`SELECT stage, count(*), sum(outcome = 'succeeded') FROM stage
		WHERE run = 1 AND finished > 0 AND outcome NOT IN ('cancelled', 'superseded')`, `finished`)
	type row struct {
		stage andon.StageName
		metrics.Pass
	}
	found, err := query(ctx, h.store, func(r *sql.Rows) (o row, err error) {
		return o, r.Scan(&o.stage, &o.First, &o.Passed)
	}, text+` GROUP BY stage`, args...)
	passes := make(map[andon.StageName]metrics.Pass, len(found))
	for _, o := range found {
		passes[o.stage] = o.Pass
	}
	return passes, err
}

// A Today is what happened in production since a time.
type Today struct {
	Deployments int   // that became live and were no rollbacks
	Lost        int64 // requests that failed in all that ended, up to the next one
}

// Today counts the deployments to production that ended since a time.
func (h *History) Today(ctx context.Context, since time.Time) (t Today, err error) {
	if h.inMemory(Period{Span: metrics.Span{From: since}}, func(n *numbers) { t = n.today(since) }) {
		return t, nil
	}
	err = h.store.rdb.QueryRowContext(ctx, `SELECT coalesce(sum(r.kind = 'deploy' AND r.outcome = 'succeeded'), 0),
			coalesce(sum(json_extract(d.ledger, '$.failed')), 0)
		FROM rollout r JOIN deployment d ON d.id = r.deployment WHERE r.ended >= ?`, nanos(since)).Scan(&t.Deployments, &t.Lost)
	return t, storageError(h.store.path, err)
}

// Lead returns the change lead time of a period, the median, and of how many changes.
func (h *History) Lead(ctx context.Context, p Period) (_ time.Duration, changes int, err error) {
	var leads []time.Duration
	if !h.inMemory(p, func(n *numbers) { leads = n.changes.Leads(p.Span, p.Service) }) {
		text, args := p.during(`SELECT lead FROM change WHERE true`, `delivered`)
		leads, err = query(ctx, h.store, took, text, args...)
	}
	return metrics.Median(leads), len(leads), err
}
