package history

import (
	"context"
	"database/sql"
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
	return r.exec(`INSERT INTO maturity (seq, service, number, at, by, from_maturity, to_maturity, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		r.event.Seq, b.Version.Service, b.Version.Number, r.now(), r.event.By, b.From, b.To, b.Reason)
}

func (h *History) maturities(ctx context.Context, v andon.VersionRef) ([]MaturityChange, error) {
	return query(ctx, h.store, func(r *sql.Rows) (m MaturityChange, err error) {
		return m, r.Scan(at{&m.Time}, &m.By, &m.From, &m.To, &m.Reason)
	}, `SELECT at, by, from_maturity, to_maturity, reason FROM maturity WHERE service = ? AND number = ? ORDER BY seq`, v.Service, v.Number)
}
