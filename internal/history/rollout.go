package history

import (
	"database/sql"
	"errors"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/metrics"
)

// lookBack is how many deployments to a place are read again when another one ends there, to see what
// became of them. What lies further back is not repaired by it any more.
const lookBack = 50

// measured notes what a deployment means for the figures, if it was one to production: to the
// environment of the last stage that deploys.
func (r recorder) measured(b andon.DeploymentEnded) error {
	production, err := r.production(andon.VersionRef{Service: b.Service, Number: b.Version})
	if err != nil || production != b.Environment {
		return err
	}
	if err := r.exec(insertRollout, r.event.Seq, b.Outcome, b.Deployment); err != nil {
		return err
	}
	if err := r.rolledOut(b.Deployment); err != nil {
		return err
	}
	if err := r.judgeRollouts(b.Place); err != nil {
		return err
	}
	if b.Outcome != andon.Succeeded {
		return nil
	}
	return r.delivered(b)
}

// insertRollout notes a deployment with what practices are judged from. The plus
// has its maturities found by the version: that many others earned one before is no way to them.
const insertRollout = `INSERT INTO rollout (seq, deployment, service, environment, version, kind, outcome, started, ended,
		by_stage, same_digest, rehearsed, accepted, smoked)
	SELECT ?, d.id, d.service, d.environment, d.version, d.kind, ?, d.started, d.ended,
		coalesce(json_extract(d.plan, '$.stage'), '') <> '',
		NOT EXISTS (SELECT 1 FROM deployment o WHERE o.service = d.service AND o.version = d.version AND o.artifact <> d.artifact),
		EXISTS (SELECT 1 FROM deployment o WHERE o.service = d.service AND o.version = d.version AND o.environment <> d.environment
			AND o.outcome = 'succeeded' AND o.ended <= d.started
			AND coalesce(json_extract(o.plan, '$.release.spec.platform'), '') = coalesce(json_extract(d.plan, '$.release.spec.platform'), '')),
		EXISTS (SELECT 1 FROM maturity m WHERE m.service = d.service AND m.number = d.version
			AND +m.to_maturity IN ('release-candidate', 'certified') AND m.at <= d.planned),
		EXISTS (SELECT 1 FROM task t WHERE t.deployment = d.id AND t.deployment <> '' AND t.kind = 'smoke' AND t.outcome = 'succeeded')
	FROM deployment d WHERE d.id = ? AND d.started > 0`

// production returns the environment of the last stage of a version that deploys; empty if none does.
func (r recorder) production(v andon.VersionRef) (andon.EnvironmentName, error) {
	var p andon.Pipeline
	err := r.store.row(r.ctx, `SELECT p.doc FROM version v JOIN pipeline p ON p.id = v.pipeline WHERE v.service = ? AND v.number = ?`,
		v.Service, v.Number).Scan(doc{&p})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	return p.Production(), nil
}

// judgeRollouts writes what became of the last deployments to a place. What was once said of one
// stays: it may have been said with more before it in view.
func (r recorder) judgeRollouts(p andon.Place) error {
	type row struct {
		seq andon.Seq
		metrics.Deployed
	}
	last, err := rows(r.ctx, r.store, func(s *sql.Rows) (d row, err error) {
		return d, s.Scan(&d.seq, &d.Deployment, &d.Version, &d.Kind, &d.Outcome, at{&d.Started}, at{&d.Ended})
	}, `SELECT seq, deployment, version, kind, outcome, started, ended FROM
		(SELECT * FROM rollout WHERE service = ? AND environment = ? ORDER BY seq DESC LIMIT ?) ORDER BY seq`, p.Service, p.Environment, lookBack)
	if err != nil {
		return err
	}
	all, seqs := make([]metrics.Deployed, 0, len(last)), make(map[andon.DeploymentID]andon.Seq, len(last))
	for _, d := range last {
		all, seqs[d.Deployment] = append(all, d.Deployed), d.seq
	}
	for _, o := range metrics.Rollouts(all) {
		if !o.Failed && !o.Rework {
			continue
		}
		err := r.exec(`UPDATE rollout SET failed = max(failed, ?1), rework = max(rework, ?2), recovered = iif(recovered = 0, ?3, recovered)
			WHERE seq = ?4 AND (failed < ?1 OR rework < ?2 OR (recovered = 0 AND ?3 > 0))`,
			o.Failed, o.Rework, nanos(o.Recovered), seqs[o.Deployment])
		if err != nil {
			return err
		}
		r.measure(func(n *numbers) { n.judge(o.Deployment, o.Failed, o.Rework, o.Recovered) })
	}
	return nil
}

// selectRollout reads rollouts with the requests that they lost.
const selectRollout = `SELECT r.service, r.deployment, r.version, r.kind, r.outcome, r.started, r.ended, r.failed, r.recovered, r.rework,
	r.by_stage, r.same_digest, r.rehearsed, r.accepted, r.smoked, r.changes, coalesce(json_extract(d.ledger, '$.failed'), 0) FROM rollout r JOIN deployment d ON d.id = r.deployment `

func scanRollout(s *sql.Rows) (r rollout, err error) {
	g := &r.grounds
	return r, s.Scan(&r.name, &r.Deployment, &r.Version, &r.Kind, &r.Outcome, at{&r.Started}, at{&r.Ended}, &r.Failed, at{&r.Recovered}, &r.Rework,
		&g.ByStage, &g.SameDigest, &g.Rehearsed, &g.Accepted, &g.Smoked, &g.Changes, &r.lost)
}

// into puts the rollout among the numbers.
func (r *rollout) into(n *numbers) {
	r.service = n.services.of(r.name)
	n.addRollout(r)
}

// rolledOut notes a deployment to production that has ended.
func (r recorder) rolledOut(id andon.DeploymentID) error {
	found, err := rows(r.ctx, r.store, scanRollout, selectRollout+`WHERE r.seq = ? AND r.deployment = ?`, r.event.Seq, id)
	for i := range found {
		r.measure(found[i].into)
	}
	return err
}
