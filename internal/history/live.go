package history

import (
	"context"
	"database/sql"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Live is what is live in one place.
type Live struct {
	andon.Place
	Release    andon.Release
	Group      andon.GroupID
	Deployment andon.DeploymentID // that made it live
	Since      time.Time          // when that deployment ended
}

// A Copy is one copy that a deployment placed.
type Copy struct {
	ID     andon.InstanceID
	Agent  andon.AgentName
	Placed time.Time
	Log    string // name of its log stream
}

// liveAfter records what is live after a deployment. One that failed changes nothing about what
// was live before, nor since when.
func (r recorder) liveAfter(b andon.DeploymentEnded) error {
	if b.Live == nil {
		return r.exec(`DELETE FROM live WHERE service = ? AND environment = ?`, b.Service, b.Environment)
	}
	release, err := document(b.Live)
	if err != nil {
		return err
	}
	return r.exec(`INSERT INTO live (service, environment, version, artifact, grp, deployment, since, release)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
		ON CONFLICT (service, environment) DO UPDATE SET version = excluded.version, artifact = excluded.artifact,
			grp = excluded.grp, release = excluded.release,
			deployment = iif(?9, excluded.deployment, deployment), since = iif(?9, excluded.since, since)`,
		b.Service, b.Environment, b.Live.Version, b.Live.Artifact, b.Group, b.Deployment, r.now(), release, b.Outcome == andon.Succeeded)
}

// desiredChanged notes the copies, and that nothing is live where a removed service was.
func (r recorder) desiredChanged(b andon.DesiredChanged) error {
	d := b.Desired
	for _, c := range d.Copies {
		err := r.exec(`INSERT OR IGNORE INTO copy (id, grp, agent, service, environment, version, placed) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			c.ID, c.Group, c.Agent, d.Service, d.Environment, c.Version, r.now())
		if err != nil {
			return err
		}
	}
	if err := r.shared(b); err != nil {
		return err
	}
	if b.Deployment == "" && len(d.Copies) == 0 {
		return r.exec(`DELETE FROM live WHERE service = ? AND environment = ?`, d.Service, d.Environment)
	}
	return nil
}

// LiveReleases returns what is live in every place, by service and environment; with a service,
// only its places.
func (h *History) LiveReleases(ctx context.Context, service andon.ServiceName) ([]Live, error) {
	return query(ctx, h.store, func(r *sql.Rows) (l Live, err error) {
		return l, r.Scan(&l.Service, &l.Environment, doc{&l.Release}, &l.Group, &l.Deployment, at{&l.Since})
	}, `SELECT service, environment, release, grp, deployment, since FROM live
		WHERE ?1 = '' OR service = ?1 ORDER BY service, environment`, service)
}

func (h *History) copies(ctx context.Context, g andon.GroupID) ([]Copy, error) {
	return query(ctx, h.store, func(r *sql.Rows) (c Copy, err error) {
		err = r.Scan(&c.ID, &c.Agent, at{&c.Placed})
		c.Log = andon.InstanceLogStream(c.ID)
		return c, err
	}, `SELECT id, agent, placed FROM copy WHERE grp = ? ORDER BY placed, id`, g)
}
