package history

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A MaturityChange is one change of what a version has earned.
type MaturityChange struct {
	Time     time.Time
	By       andon.Actor
	From, To andon.Maturity
	Reason   string
}

func (r recorder) maturityChanged(b andon.MaturityChanged) error {
	err := r.exec(`UPDATE version SET maturity = ? WHERE service = ? AND number = ?`, b.To, b.Version.Service, b.Version.Number)
	if err != nil {
		return err
	}
	if b.To == andon.ReleaseCandidate && b.From == andon.Development { // not what a rerun gives back
		if err := r.earned(b.Version); err != nil {
			return err
		}
	}
	return r.exec(`INSERT INTO maturity (seq, service, number, at, by, from_maturity, to_maturity, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		r.event.Seq, b.Version.Service, b.Version.Number, r.now(), r.event.By, b.From, b.To, b.Reason)
}

// earned notes how long a version took from its commit to release candidate.
func (r recorder) earned(v andon.VersionRef) error {
	var first int64
	err := r.store.row(r.ctx, `SELECT min(committed, created) FROM version WHERE service = ? AND number = ?`, v.Service, v.Number).Scan(&first)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // the version is not in this journal
	}
	if err == nil {
		r.measure(func(n *numbers) {
			n.addCandidature(candidature{at: r.now(), took: r.now() - first, service: n.services.of(v.Service)})
		})
	}
	return err
}

func (h *History) maturities(ctx context.Context, v andon.VersionRef) ([]MaturityChange, error) {
	return query(ctx, h.store, func(r *sql.Rows) (m MaturityChange, err error) {
		return m, r.Scan(at{&m.Time}, &m.By, &m.From, &m.To, &m.Reason)
	}, `SELECT at, by, from_maturity, to_maturity, reason FROM maturity WHERE service = ? AND number = ? ORDER BY seq`, v.Service, v.Number)
}
