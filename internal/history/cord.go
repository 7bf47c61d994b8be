package history

import (
	"context"
	"database/sql"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Cord is one stop of the line.
type Cord struct {
	andon.Cord
	Seq           andon.Seq // of the pull: the key of pages
	Released      time.Time // zero: the line is stopped
	ReleasedBy    andon.Actor
	ReleaseReason string
	FixedBy       andon.VersionNumber // the version that released it; 0: a person did
}

// Stopped returns how long the line was, or is at a time, stopped by this cord.
func (c Cord) Stopped(now time.Time) time.Duration {
	if c.Released.IsZero() {
		return now.Sub(c.Pulled)
	}
	return c.Released.Sub(c.Pulled)
}

// A CordFilter selects cords.
type CordFilter struct {
	Open   bool      // only those that are not released
	Before andon.Seq // only older ones; the last Seq of a page leads to the next page
	Limit  int       // 0: DefaultPage; at most MaxPage
}

func (r recorder) cordPulled(b andon.CordPulled) error {
	d, err := document(b.Cord)
	if err != nil {
		return err
	}
	cord, s := b.Cord, b.Cord.Scope
	r.measure(func(n *numbers) { n.addStop(stopOf(&cord, time.Time{})) })
	return r.exec(`INSERT OR REPLACE INTO cord (id, seq, scope, environment, service, pulled, doc) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		b.Cord.ID, r.event.Seq, s.Kind, s.Environment, s.Service, nanos(b.Cord.Pulled), d)
}

func (r recorder) cordReleased(b andon.CordReleased) error {
	r.measure(func(n *numbers) { n.release(b.Cord, r.event.Time) })
	return r.exec(`UPDATE cord SET released = ?, released_by = ?, release_reason = ?, version = ? WHERE id = ?`,
		r.now(), r.event.By, b.Reason, b.Version, b.Cord)
}

// Cords returns a page of cords, those pulled last first.
func (h *History) Cords(ctx context.Context, f CordFilter) ([]Cord, error) {
	text, args := selectCord+`WHERE true`, []any{}
	if f.Open {
		text += ` AND released = 0`
	}
	if f.Before > 0 {
		text, args = text+` AND seq < ?`, append(args, f.Before)
	}
	return query(ctx, h.store, scanCord, text+` ORDER BY seq DESC LIMIT ?`, append(args, pageSize(f.Limit))...)
}

const selectCord = `SELECT seq, doc, released, released_by, release_reason, version FROM cord `

func scanCord(r *sql.Rows) (c Cord, err error) {
	return c, r.Scan(&c.Seq, doc{&c.Cord}, at{&c.Released}, &c.ReleasedBy, &c.ReleaseReason, &c.FixedBy)
}
