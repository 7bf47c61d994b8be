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
func (h *History) deliveries(ctx context.Context, p Period) ([]metrics.Delivery, error) {
	return query(ctx, h.store, func(r *sql.Rows) (d metrics.Delivery, err error) {
		return d, r.Scan(&d.Deployment, &d.Service, &d.Version, &d.Kind, &d.Outcome, at{&d.Started}, at{&d.Ended},
			&d.ByStage, &d.SameDigest, &d.Rehearsed, &d.Accepted, &d.Smoked, &d.Lost, &d.Changes)
	}, `SELECT r.deployment, r.service, r.version, r.kind, r.outcome, r.started, r.ended,
			coalesce(json_extract(d.plan, '$.stage'), '') <> '',
			NOT EXISTS (SELECT 1 FROM deployment o WHERE o.service = d.service AND o.version = d.version AND o.artifact <> d.artifact),
			EXISTS (SELECT 1 FROM deployment o WHERE o.service = d.service AND o.version = d.version AND o.environment <> d.environment
				AND o.outcome = 'succeeded' AND o.ended <= d.started
				AND coalesce(json_extract(o.plan, '$.release.spec.platform'), '') = coalesce(json_extract(d.plan, '$.release.spec.platform'), '')),
			EXISTS (SELECT 1 FROM maturity m WHERE m.service = d.service AND m.number = d.version
				AND m.to_maturity IN ('release-candidate', 'certified') AND m.at <= d.planned),
			EXISTS (SELECT 1 FROM task t WHERE t.deployment = d.id AND t.deployment <> '' AND t.kind = 'smoke' AND t.outcome = 'succeeded'),
			coalesce(json_extract(d.ledger, '$.failed'), 0),
			(SELECT count(*) FROM change c WHERE c.delivered = r.ended AND c.service = r.service AND c.deployment = r.deployment)
		FROM (SELECT * FROM rollout WHERE ended >= ?1 AND ended < ?2 AND (?3 = '' OR service = ?3) ORDER BY ended DESC, seq DESC LIMIT ?4) r
		JOIN deployment d ON d.id = r.deployment ORDER BY r.ended DESC, r.seq DESC`,
		nanos(p.From), nanos(p.To), p.Service, MostDeliveries)
}

// A waitingChange is the oldest change of a service's trunk that production should have.
type waitingChange struct {
	service andon.ServiceName
	since   time.Time // zero: there is none
}

// waitingChanges returns the services that run somewhere, by name, each with its oldest change that
// has not reached production.
func (h *History) waitingChanges(ctx context.Context, only andon.ServiceName) ([]waitingChange, error) {
	return query(ctx, h.store, func(r *sql.Rows) (w waitingChange, err error) {
		return w, r.Scan(&w.service, at{&w.since})
	}, `SELECT s.service, coalesce((SELECT min(v.created) FROM version v
			WHERE v.service = s.service AND v.place_in_trunk > 0 AND v.delivered = 0), 0)
		FROM (SELECT DISTINCT service FROM live WHERE ?1 = '' OR service = ?1) s ORDER BY s.service`, only)
}
