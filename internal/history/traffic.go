package history

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Share is how much of the requests the group of a deployment was to get from some time on, as it
// was decided: Ours of Whole, by the weights of the route.
type Share struct {
	Time        time.Time
	Ours, Whole int
}

// A Verdict is what the comparison of a deployment's new copies with the old ones found.
type Verdict struct {
	andon.Judgement
	Time time.Time
}

// shared notes a change of the share that the deployment's group is to get.
func (r recorder) shared(b andon.DesiredChanged) error {
	if b.Deployment == "" || b.Desired.Route == nil {
		return nil
	}
	var group andon.GroupID
	err := r.store.row(r.ctx, `SELECT plan ->> '$.group' FROM deployment WHERE id = ?`, b.Deployment).Scan(&group)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	ours, whole := 0, 0
	for _, t := range b.Desired.Route.Targets {
		whole += t.Weight
		if t.Instance.Group() == group {
			ours += t.Weight
		}
	}
	var last Share
	err = r.store.row(r.ctx, `SELECT ours, whole FROM share WHERE deployment = ? ORDER BY seq DESC LIMIT 1`, b.Deployment).Scan(&last.Ours, &last.Whole)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if ours*last.Whole == last.Ours*whole && (ours > 0) == (last.Ours > 0) { // also as nothing has gone there yet
		return nil
	}
	return r.exec(`INSERT INTO share (seq, deployment, at, ours, whole) VALUES (?, ?, ?, ?, ?)`, r.event.Seq, b.Deployment, r.now(), ours, whole)
}

func (r recorder) deploymentJudged(b andon.DeploymentJudged) error {
	text, err := document(b.Judgement)
	if err != nil {
		return err
	}
	return r.exec(`INSERT INTO verdict (seq, deployment, at, doc) VALUES (?, ?, ?, ?)`, r.event.Seq, b.Deployment, r.now(), text)
}

func (h *History) shares(ctx context.Context, id andon.DeploymentID) ([]Share, error) {
	return query(ctx, h.store, func(r *sql.Rows) (s Share, err error) {
		return s, r.Scan(at{&s.Time}, &s.Ours, &s.Whole)
	}, `SELECT at, ours, whole FROM share WHERE deployment = ? ORDER BY seq`, id)
}

func (h *History) verdicts(ctx context.Context, id andon.DeploymentID) ([]Verdict, error) {
	return query(ctx, h.store, func(r *sql.Rows) (v Verdict, err error) {
		return v, r.Scan(at{&v.Time}, doc{&v.Judgement})
	}, `SELECT at, doc FROM verdict WHERE deployment = ? ORDER BY seq`, id)
}
