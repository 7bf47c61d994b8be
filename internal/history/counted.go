package history

import (
	"context"
	"database/sql"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/metrics"
)

// A Candidature is a version that became release candidate.
type Candidature struct {
	andon.VersionRef
	At   time.Time
	Took time.Duration // from its commit, as metrics.Facts.Candidates has it
}

// Candidatures returns the versions that became release candidates last in a period, the newest
// first, at most as many as the limit says.
func (h *History) Candidatures(ctx context.Context, p Period, limit int) ([]Candidature, error) {
	return query(ctx, h.store, func(r *sql.Rows) (c Candidature, err error) {
		return c, r.Scan(&c.Service, &c.Number, at{&c.At}, (*int64)(&c.Took))
	}, `SELECT m.service, m.number, m.at, m.at - min(v.committed, v.created)
		FROM maturity m INDEXED BY maturity_by_time JOIN version v ON v.service = m.service AND v.number = m.number
		WHERE m.to_maturity = 'release-candidate' AND m.from_maturity = 'development' AND m.at >= ?1 AND m.at < ?2 AND (?3 = '' OR m.service = ?3)
		ORDER BY m.at DESC LIMIT ?4`, nanos(p.From), nanos(p.To), p.Service, pageSize(limit))
}

// A CommitEnd is a commit stage that ended.
type CommitEnd struct {
	andon.VersionRef
	At      time.Time
	Outcome andon.Outcome
	metrics.CommitRun
}

// CommitEnds returns the commit stages that ended last in a period, the newest first, at most as many
// as the limit says; none that was cancelled or superseded.
func (h *History) CommitEnds(ctx context.Context, p Period, limit int) ([]CommitEnd, error) {
	return query(ctx, h.store, func(r *sql.Rows) (c CommitEnd, err error) {
		return c, r.Scan(&c.Service, &c.Number, at{&c.At}, &c.Outcome, (*int64)(&c.Took), &c.Slow)
	}, `SELECT service, number, finished, outcome, took, slow FROM stage INDEXED BY stage_by_end
		WHERE finished > 0 AND finished >= ?1 AND finished < ?2 AND (?3 = '' OR service = ?3)
			AND stage = ?4 AND outcome NOT IN ('cancelled', 'superseded')
		ORDER BY finished DESC LIMIT ?5`, nanos(p.From), nanos(p.To), p.Service, andon.CommitStageName, pageSize(limit))
}

// CordsIn returns the cords because of which lines stood in a period, those pulled last first, at
// most as many as the limit says. Those of a service are its own, and all that hold every service of
// the plant or of an environment.
func (h *History) CordsIn(ctx context.Context, p Period, limit int) ([]Cord, error) {
	return query(ctx, h.store, scanCord, selectCord+`WHERE pulled < ?1 AND (released = 0 OR released > ?2)
		AND (?3 = '' OR service = '' OR service = ?3) ORDER BY seq DESC LIMIT ?4`,
		nanos(p.To), nanos(p.From), p.Service, pageSize(limit))
}
