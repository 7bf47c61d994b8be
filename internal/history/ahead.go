package history

import (
	"context"
	"database/sql"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

const (
	// mostBetween bounds the versions between two that are told.
	mostBetween = 100
	// paceOf is from how many deployments it is told how long another one should take.
	paceOf = 10
)

// Between returns the versions that a deployment brings or takes away, newest first, at most 100:
// those of the trunk between what is live before it and what will be.
func (h *History) Between(ctx context.Context, p andon.Plan) ([]VersionSummary, error) {
	high, low := p.Release.Version, andon.VersionNumber(0)
	if p.Previous != nil {
		low = p.Previous.Version
	}
	if low > high {
		high, low = low, high
	}
	if high == low {
		return nil, nil
	}
	if p.Previous == nil {
		low = high - 1 // a first deployment brings everything: its own commit stands for it
	}
	return query(ctx, h.store, scanVersion, selectVersion+`WHERE service = ?1 AND number > ?2 AND number <= ?3 AND (trunk = 1 OR number = ?3)
		ORDER BY number DESC LIMIT ?4`, p.Service, low, high, mostBetween)
}

// Tickets returns the tickets that the messages of versions of a service name, those of the latest
// version first.
func (h *History) Tickets(ctx context.Context, service andon.ServiceName, versions []andon.VersionNumber) ([]string, error) {
	numbers, err := document(versions)
	if err != nil {
		return nil, err
	}
	return query(ctx, h.store, func(r *sql.Rows) (ticket string, err error) { return ticket, r.Scan(&ticket) },
		`SELECT ticket FROM ticket WHERE service = ? AND number IN (SELECT value FROM json_each(?)) GROUP BY ticket ORDER BY max(number) DESC, ticket`,
		service, numbers)
}

// Pace says how long a deployment should take, from the last ones to the same place that were like
// it: of the same kind and strategy, and with as much to start.
func (h *History) Pace(ctx context.Context, p andon.Plan) (deploy.Pace, error) {
	type row struct {
		deploy.Took
		kind andon.DeploymentKind
	}
	done, err := query(ctx, h.store, func(r *sql.Rows) (t row, err error) {
		var began, ended time.Time
		err = r.Scan(doc{&t.Plan}, at{&began}, at{&ended}, &t.kind)
		t.Took.Took = ended.Sub(began)
		return t, err
	}, `SELECT plan, started, ended, kind FROM deployment
		WHERE service = ? AND environment = ? AND outcome = ? AND started > 0 AND id <> ? ORDER BY seq DESC LIMIT ?`,
		p.Service, p.Environment, andon.Succeeded, p.ID, 4*paceOf)
	if err != nil {
		return deploy.Pace{}, err
	}
	var like []deploy.Took
	for _, d := range done {
		same := d.kind == p.Kind && d.Plan.Strategy == p.Strategy && deploy.ReusesGroup(&d.Plan) == deploy.ReusesGroup(&p) &&
			(d.Plan.Previous == nil) == (p.Previous == nil)
		if same && len(like) < paceOf {
			like = append(like, d.Took)
		}
	}
	return deploy.PaceOf(p, like), nil
}

// Hosts returns the agents that copies of a group were placed on, each once.
func (h *History) Hosts(ctx context.Context, g andon.GroupID) ([]andon.AgentName, error) {
	return query(ctx, h.store, func(r *sql.Rows) (name andon.AgentName, err error) {
		return name, r.Scan(&name)
	}, `SELECT DISTINCT agent FROM copy WHERE grp = ? ORDER BY agent`, g)
}
