package history

import (
	"context"
	"database/sql"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/metrics"
)

// MostDeliveries bounds the deployments to production that practices are judged from: the newest of
// the period.
const MostDeliveries = 500

// mostStale bounds the services that a judgement names.
const mostStale = 5

// Records returns what the practices of a period are judged from, but for what is declared: that
// the line knows.
func (h *History) Records(ctx context.Context, p Period) (r metrics.Records, err error) {
	if r.Facts, err = h.Facts(ctx, p); err != nil {
		return r, err
	}
	if r.Deliveries, err = h.deliveries(ctx, p); err != nil {
		return r, err
	}
	began := int64(0)
	err = h.store.rdb.QueryRowContext(ctx, `SELECT coalesce(min(added), 0) FROM service WHERE removed = 0 AND (?1 = '' OR name = ?1)`, p.Service).Scan(&began)
	if err != nil {
		return r, storageError(h.store.path, err)
	}
	if began > 0 {
		r.Began = time.Unix(0, began).UTC()
	}
	waits, err := h.waitingChanges(ctx, p.Service)
	if err != nil {
		return r, err
	}
	for _, w := range waits {
		r.Running++
		switch {
		case w.since.IsZero() || p.To.Sub(w.since) <= metrics.FreshGoal:
			r.Fresh++
		case len(r.Stale) < mostStale:
			r.Stale = append(r.Stale, w.service)
		}
	}
	return r, nil
}

// deliveries returns the newest deployments to production of a period, rollbacks too.
func (h *History) deliveries(ctx context.Context, p Period) (all []metrics.Delivery, err error) {
	if h.inMemory(p, func(n *numbers) { all = n.deliveries(p, MostDeliveries) }) {
		return all, nil
	}
	return query(ctx, h.store, func(s *sql.Rows) (metrics.Delivery, error) {
		r, err := scanRollout(s)
		return metrics.Delivery{Deployed: r.Deployed, Service: r.name, Grounds: r.grounds, Lost: r.lost}, err
	}, selectRollout+`WHERE r.ended >= ?1 AND r.ended < ?2 AND (?3 = '' OR r.service = ?3) ORDER BY r.ended DESC, r.seq DESC LIMIT ?4`,
		nanos(p.From), nanos(p.To), p.Service, MostDeliveries)
}

// A waitingChange is the first change of a service's trunk that production should have.
type waitingChange struct {
	service andon.ServiceName
	since   time.Time // zero: there is none
}

// waitingChanges returns the services that run somewhere, by name, each with the first change
// of its trunk that has not reached production.
func (h *History) waitingChanges(ctx context.Context, only andon.ServiceName) ([]waitingChange, error) {
	return query(ctx, h.store, func(r *sql.Rows) (w waitingChange, err error) {
		return w, r.Scan(&w.service, at{&w.since})
	}, `SELECT s.service, coalesce((SELECT v.created FROM version v
			WHERE v.service = s.service AND v.place_in_trunk > 0 AND v.delivered = 0 ORDER BY v.place_in_trunk LIMIT 1), 0)
		FROM (SELECT DISTINCT service FROM live WHERE ?1 = '' OR service = ?1) s ORDER BY s.service`, only)
}
