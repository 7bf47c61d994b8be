package history

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A DeploymentSummary is one deployment as lists show it.
type DeploymentSummary struct {
	andon.Place
	ID       andon.DeploymentID
	Seq      andon.Seq // of the event that planned it: the key of pages
	Version  andon.VersionNumber
	Previous andon.VersionNumber // what was live before; 0: nothing
	Kind     andon.DeploymentKind
	Strategy andon.Strategy
	Stage    andon.StageName // that asked for it; empty: a person did
	By       andon.Actor
	Why      string // in a person's words
	Artifact andon.Digest
	Planned  time.Time
	Started  time.Time // zero: it is queued
	Ended    time.Time // zero: it goes on
	Step     andon.DeploymentStep
	Outcome  andon.Outcome
	Reason   string // why it reverts, or ended as it did
	Ledger   *andon.Ledger
}

// A Deployment is one deployment in full.
type Deployment struct {
	DeploymentSummary
	Plan     andon.Plan
	Steps    []DeploymentStep
	Shares   []Share   // of the requests that its group was to get, as they changed; none without a route
	Verdicts []Verdict // of its comparison with the old copies, as they changed
	Copies   []Copy    // that it brought up
	Tasks    []Task    // its smoke tests
}

// A DeploymentStep says when a deployment came to a step.
type DeploymentStep struct {
	Step   andon.DeploymentStep
	Time   time.Time
	Reason string
}

// A DeploymentFilter selects deployments. Empty fields select all.
type DeploymentFilter struct {
	Service     andon.ServiceName
	Environment andon.EnvironmentName
	Version     andon.VersionNumber // needs Service
	Outcome     andon.Outcome
	Before      andon.Seq // only older ones; the last Seq of a page leads to the next page
	Limit       int       // 0: DefaultPage; at most MaxPage
}

func (r recorder) deploymentPlanned(p andon.Plan) error {
	plan, err := document(p)
	if err != nil {
		return err
	}
	return r.exec(`INSERT OR REPLACE INTO deployment (id, seq, service, environment, version, kind, artifact, plan, planned)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.ID, r.event.Seq, p.Service, p.Environment, p.Release.Version, p.Kind, p.Release.Artifact, plan, r.now())
}

func (r recorder) deploymentStarted(p andon.Plan) error {
	plan, err := document(p)
	if err != nil {
		return err
	}
	// It may start without having been queued.
	return r.exec(`INSERT INTO deployment (id, seq, service, environment, version, kind, artifact, plan, planned, started)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, artifact = excluded.artifact,
			plan = excluded.plan, started = excluded.started`,
		p.ID, r.event.Seq, p.Service, p.Environment, p.Release.Version, p.Kind, p.Release.Artifact, plan, r.now())
}

func (r recorder) deploymentMoved(b andon.DeploymentMoved) error {
	err := r.exec(`UPDATE deployment SET step = ?1, reason = iif(?2 = '', reason, ?2) WHERE id = ?3`, b.Step, b.Reason, b.Deployment)
	if err != nil {
		return err
	}
	return r.exec(`INSERT INTO deployment_step (seq, deployment, step, at, reason) VALUES (?, ?, ?, ?, ?)`,
		r.event.Seq, b.Deployment, b.Step, r.now(), b.Reason)
}

func (r recorder) deploymentEnded(b andon.DeploymentEnded) error {
	var ledger any
	if b.Ledger != nil {
		d, err := document(b.Ledger)
		if err != nil {
			return err
		}
		ledger = d
	}
	err := r.exec(`UPDATE deployment SET step = ?1, ended = ?2, outcome = ?3, reason = iif(?4 = '', reason, ?4), ledger = coalesce(?5, ledger) WHERE id = ?6`,
		andon.StepEnded, r.now(), b.Outcome, b.Reason, ledger, b.Deployment)
	if err != nil {
		return err
	}
	if err := r.ended(b.Deployment); err != nil {
		return err
	}
	if b.Outcome == andon.Succeeded {
		err := r.exec(`INSERT OR REPLACE INTO good (service, environment, version, seq, deployment) VALUES (?, ?, ?, ?, ?)`,
			b.Service, b.Environment, b.Version, r.event.Seq, b.Deployment)
		if err != nil {
			return err
		}
	}
	if err := r.measured(b); err != nil {
		return err
	}
	return r.liveAfter(b)
}

// placeOf returns what a deployment is about, as far as the events before this one told.
func (r recorder) placeOf(id andon.DeploymentID) (p andon.Place, v andon.VersionNumber, err error) {
	err = r.store.row(r.ctx, `SELECT service, environment, version FROM deployment WHERE id = ?`, id).
		Scan(&p.Service, &p.Environment, &v)
	if errors.Is(err, sql.ErrNoRows) {
		return p, 0, nil
	}
	return p, v, err
}

const selectDeployment = `SELECT id, seq, plan, planned, started, ended, step, outcome, reason, ledger FROM deployment `

func scanDeployment(r *sql.Rows) (d Deployment, err error) {
	err = r.Scan(&d.ID, &d.Seq, doc{&d.Plan}, at{&d.Planned}, at{&d.Started}, at{&d.Ended}, &d.Step, &d.Outcome, &d.Reason, doc{&d.Ledger})
	p := d.Plan
	d.Place, d.Version, d.Artifact = p.Place, p.Release.Version, p.Release.Artifact
	d.Kind, d.Strategy, d.Stage, d.By, d.Why = p.Kind, p.Strategy, p.Stage, p.By, p.Reason
	if p.Previous != nil {
		d.Previous = p.Previous.Version
	}
	return d, err
}

// Deployments returns a page of deployments, those planned last first.
func (h *History) Deployments(ctx context.Context, f DeploymentFilter) ([]DeploymentSummary, error) {
	text, args := selectDeployment+`WHERE true`, []any{}
	and := func(condition string, arg any) { text, args = text+` AND `+condition, append(args, arg) }
	if f.Service != "" {
		and(`service = ?`, f.Service)
	}
	if f.Environment != "" {
		and(`environment = ?`, f.Environment)
	}
	if f.Version > 0 {
		and(`version = ?`, f.Version)
	}
	if f.Outcome != "" {
		and(`outcome = ?`, f.Outcome)
	}
	if f.Before > 0 {
		and(`seq < ?`, f.Before)
	}
	summary := func(r *sql.Rows) (DeploymentSummary, error) {
		d, err := scanDeployment(r)
		return d.DeploymentSummary, err
	}
	return query(ctx, h.store, summary, text+` ORDER BY seq DESC LIMIT ?`, append(args, pageSize(f.Limit))...)
}

// Deployment returns one deployment in full; andon.KindNotFound when there is none.
func (h *History) Deployment(ctx context.Context, id andon.DeploymentID) (Deployment, error) {
	d, err := queryOne(ctx, h.store, scanDeployment, selectDeployment+`WHERE id = ?`, id)
	if errors.Is(err, errNone) {
		return Deployment{}, andon.Errorf(andon.KindNotFound, "there is no deployment %.200s", id).
			WithHint("`andon audit --changes` lists those that there were")
	}
	if err != nil {
		return Deployment{}, err
	}
	d.Steps, err = query(ctx, h.store, func(r *sql.Rows) (s DeploymentStep, err error) {
		return s, r.Scan(&s.Step, at{&s.Time}, &s.Reason)
	}, `SELECT step, at, reason FROM deployment_step WHERE deployment = ? ORDER BY seq`, id)
	if err != nil {
		return Deployment{}, err
	}
	if d.Shares, err = h.shares(ctx, id); err != nil {
		return Deployment{}, err
	}
	if d.Verdicts, err = h.verdicts(ctx, id); err != nil {
		return Deployment{}, err
	}
	if d.Copies, err = h.copies(ctx, andon.GroupID(id)); err != nil {
		return Deployment{}, err
	}
	d.Tasks, err = h.tasks(ctx, `deployment = ? AND kind = 'smoke' AND deployment <> ''`, id)
	return d, err
}

// GoodReleases returns up to n releases that became live in a place, newest first, each version
// once: what a rollback can go back to. What is live now is among them.
func (h *History) GoodReleases(ctx context.Context, p andon.Place, n int) ([]andon.Release, error) {
	return query(ctx, h.store, func(r *sql.Rows) (andon.Release, error) {
		var plan andon.Plan
		err := r.Scan(doc{&plan})
		return plan.Release, err
	}, `SELECT d.plan FROM good g INDEXED BY good_by_seq JOIN deployment d ON d.id = g.deployment
		WHERE g.service = ? AND g.environment = ? ORDER BY g.seq DESC LIMIT ?`, p.Service, p.Environment, pageSize(n))
}
