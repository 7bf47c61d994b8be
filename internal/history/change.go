package history

import (
	"database/sql"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/metrics"
)

// mostChanges bounds how many changes are measured of those that one deployment brings to
// production: the newest. What is before them was delivered too, but has no value stream.
const mostChanges = 1000

// delivered divides the lead time of each change that production has from now on: those of the
// versions on the trunk up to the one that became live.
func (r recorder) delivered(b andon.DeploymentEnded) error {
	ways, committed, err := r.undelivered(b)
	if err != nil || len(ways) == 0 {
		return err
	}
	stops, err := r.stops(b.Place, ways[0].Created)
	if err != nil {
		return err
	}
	for i := range ways {
		c := metrics.Change{Legs: metrics.Trace(metrics.Course{Committed: committed[i], Delivered: r.event.Time, Ways: ways[i:], Stopped: stops})}
		legs, err := document(c.Legs)
		if err != nil {
			return err
		}
		portions := c.Portions()
		err = r.exec(`INSERT OR REPLACE INTO change (service, number, delivered, version, deployment, lead, portions, legs) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			b.Service, ways[i].Version, r.now(), b.Version, b.Deployment, int64(c.Lead()), writePortions(portions), legs)
		if err != nil {
			return err
		}
		v := andon.VersionRef{Service: b.Service, Number: ways[i].Version}
		r.measure(func(n *numbers) { n.addChange(v, r.event.Time, portions); n.totals.addLead(c.Lead()) })
	}
	if err := r.exec(`UPDATE rollout SET changes = ? WHERE seq = ?`, len(ways), r.event.Seq); err != nil {
		return err
	}
	r.measure(func(n *numbers) { n.bring(b.Deployment, len(ways)) })
	return r.exec(`UPDATE version SET delivered = 1 WHERE service = ?1 AND delivered = 0 AND place_in_trunk > 0
		AND place_in_trunk <= (SELECT place_in_trunk FROM version WHERE service = ?1 AND number = ?2)`, b.Service, b.Version)
}

// undelivered returns the ways of the versions whose changes a deployment brings, in the order of
// the trunk, and when each was committed.
func (r recorder) undelivered(b andon.DeploymentEnded) (ways []metrics.Way, committed []time.Time, err error) {
	type version struct {
		metrics.Way
		committed time.Time
	}
	all, err := rows(r.ctx, r.store, func(s *sql.Rows) (v version, err error) {
		return v, s.Scan(&v.Version, at{&v.committed}, at{&v.Created}, at{&v.Ended}, &v.By, doc{&v.Pipeline})
	}, `SELECT v.number, v.committed, v.created, v.ended, v.superseded_by, p.doc FROM version v LEFT JOIN pipeline p ON p.id = v.pipeline
		WHERE v.service = ?1 AND v.delivered = 0 AND v.place_in_trunk > 0
			AND v.place_in_trunk <= (SELECT place_in_trunk FROM version WHERE service = ?1 AND number = ?2)
		ORDER BY v.place_in_trunk DESC LIMIT ?3`, b.Service, b.Version, mostChanges)
	if err != nil {
		return nil, nil, err
	}
	slices.Reverse(all)
	for i := range all {
		v := &all[i]
		ref := andon.VersionRef{Service: b.Service, Number: v.Version}
		if v.Visits, err = r.visits(ref); err != nil {
			return nil, nil, err
		}
		v.Admissions, err = rows(r.ctx, r.store, func(s *sql.Rows) (a metrics.Admission, err error) {
			return a, s.Scan(&a.Stage, at{&a.At})
		}, `SELECT stage, at FROM admission WHERE service = ? AND number = ? ORDER BY seq`, ref.Service, ref.Number)
		if err != nil {
			return nil, nil, err
		}
		ways, committed = append(ways, v.Way), append(committed, v.committed)
	}
	return ways, committed, nil
}

// visits returns the runs of a version's stages, with when they were worked at.
func (r recorder) visits(v andon.VersionRef) ([]metrics.Visit, error) {
	work, err := rows(r.ctx, r.store, func(s *sql.Rows) (w metrics.Span, err error) {
		if err = s.Scan(at{&w.From}, at{&w.To}); err == nil && w.To.IsZero() {
			w.To = r.event.Time
		}
		return w, err
	}, `SELECT a.leased, a.ended FROM task t JOIN attempt a ON a.task = t.id WHERE t.service = ?1 AND t.number = ?2
		UNION ALL SELECT started, ended FROM deployment WHERE service = ?1 AND version = ?2 AND started > 0`, v.Service, v.Number)
	if err != nil {
		return nil, err
	}
	return rows(r.ctx, r.store, func(s *sql.Rows) (m metrics.Visit, err error) {
		m.Work = work
		return m, s.Scan(&m.Stage, at{&m.Started}, at{&m.Finished}, &m.Outcome)
	}, `SELECT stage, started, finished, outcome FROM stage WHERE service = ? AND number = ? ORDER BY seq`, v.Service, v.Number)
}

// stops returns when the line to a place stood since a time.
func (r recorder) stops(p andon.Place, since time.Time) ([]metrics.Span, error) {
	return rows(r.ctx, r.store, func(s *sql.Rows) (m metrics.Span, err error) {
		if err = s.Scan(at{&m.From}, at{&m.To}); err == nil && m.To.IsZero() {
			m.To = r.event.Time
		}
		return m, err
	}, `SELECT pulled, released FROM cord WHERE service IN (?1, '') AND (scope <> 'environment' OR environment = ?2)
		AND (released = 0 OR released > ?3)`, p.Service, p.Environment, nanos(since))
}
