package history

import (
	"context"
	"database/sql"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// An AuditEntry is one event in a sentence.
type AuditEntry struct {
	Seq         andon.Seq
	Time        time.Time
	By          andon.Actor
	Name        string // of the event
	Service     andon.ServiceName
	Version     andon.VersionNumber
	Environment andon.EnvironmentName
	Sentence    string
}

// An AuditFilter selects entries.
type AuditFilter struct {
	Service andon.ServiceName
	// Environment selects what is about it, and what is about no environment alone.
	Environment andon.EnvironmentName
	Changes     bool      // only what changed what runs, or could
	After       andon.Seq // only newer ones
	Before      andon.Seq // only older ones; the last Seq of a page leads to the next page
	Limit       int       // 0: DefaultPage; at most MaxPage
}

// A subject is what an event is about.
type subject struct {
	andon.Place
	version andon.VersionNumber
}

func (s subject) ref() andon.VersionRef {
	return andon.VersionRef{Service: s.Service, Number: s.version}
}

func (r recorder) audit() error {
	s, err := r.subject()
	if err != nil {
		return err
	}
	return r.exec(`INSERT INTO audit (seq, time, by, name, service, version, environment, sentence, change) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.event.Seq, r.now(), r.event.By, r.event.Body.EventName(), s.Service, s.version, s.Environment, sentence(r.event.Body, s), isChange(r.event.Body))
}

// isChange reports whether an event changed what runs, or could: what people look for first when
// something is not well any more.
func isChange(body andon.Body) bool {
	switch body.(type) {
	case andon.DeploymentStarted, andon.DeploymentEnded, andon.CordPulled, andon.CordReleased,
		andon.EnvironmentDeclared, andon.EnvironmentRemoved, andon.EstateApplied, andon.ServiceAdded, andon.ServiceRemoved,
		andon.HostJoined, andon.HostRemoved, andon.AgentConnected, andon.AgentLost:
		return true
	default:
		return false
	}
}

func (r recorder) subject() (subject, error) {
	ofVersion := func(v andon.VersionRef) (subject, error) {
		return subject{andon.Place{Service: v.Service}, v.Number}, nil
	}
	ofPlan := func(p andon.Plan) (subject, error) { return subject{p.Place, p.Release.Version}, nil }
	ofTask := func(id andon.TaskID) (subject, error) {
		v, err := r.versionOf(id)
		return subject{andon.Place{Service: v.Service}, v.Number}, err
	}
	switch b := r.event.Body.(type) {
	case andon.EnvironmentDeclared:
		return subject{Place: andon.Place{Environment: b.Environment.Name}}, nil
	case andon.EnvironmentRemoved:
		return subject{Place: andon.Place{Environment: b.Environment}}, nil
	case andon.ServiceAdded:
		return subject{Place: andon.Place{Service: b.Service}}, nil
	case andon.ServiceRemoved:
		return subject{Place: andon.Place{Service: b.Service}}, nil
	case andon.VersionCreated:
		return ofVersion(b.Version)
	case andon.VersionReachedTrunk:
		return ofVersion(b.Version)
	case andon.MaturityChanged:
		return ofVersion(b.Version)
	case andon.VersionEnded:
		return ofVersion(b.Version)
	case andon.StageAdmitted:
		return ofVersion(b.Version)
	case andon.StageStarted:
		return ofVersion(b.Version)
	case andon.StageFinished:
		return ofVersion(b.Version)
	case andon.TaskQueued:
		return ofVersion(b.Task.Version)
	case andon.TaskLeased:
		return ofTask(b.Task)
	case andon.TaskCancelled:
		return ofTask(b.Task)
	case andon.TaskEnded:
		return ofVersion(b.Version)
	case andon.DeploymentPlanned:
		return ofPlan(b.Plan)
	case andon.DeploymentStarted:
		return ofPlan(b.Plan)
	case andon.DesiredChanged:
		return subject{Place: b.Desired.Place}, nil
	case andon.DeploymentMoved:
		p, v, err := r.placeOf(b.Deployment)
		return subject{p, v}, err
	case andon.DeploymentJudged:
		p, v, err := r.placeOf(b.Deployment)
		return subject{p, v}, err
	case andon.DeploymentEnded:
		return subject{b.Place, b.Version}, nil
	case andon.CordPulled:
		return subject{Place: andon.Place{Service: b.Cord.Scope.Service, Environment: b.Cord.Scope.Environment}}, nil
	case andon.CordReleased:
		return subject{andon.Place{Service: b.Scope.Service, Environment: b.Scope.Environment}, b.Version}, nil
	default:
		return subject{}, nil
	}
}

// Audit returns a page of everything that happened, newest first; andon.KindNotFound when there never
// was a service or an environment that the filter names.
func (h *History) Audit(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	if err := h.were(ctx, andon.Place{Service: f.Service, Environment: f.Environment}); err != nil {
		return nil, err
	}
	text, args := `SELECT seq, time, by, name, service, version, environment, sentence FROM audit WHERE seq > ?`, []any{f.After}
	if f.Service != "" {
		text, args = text+` AND service = ? AND service <> ''`, append(args, f.Service)
	}
	if f.Environment != "" {
		text, args = text+` AND environment IN (?, '')`, append(args, f.Environment)
	}
	if f.Changes {
		text += ` AND change = 1`
	}
	if f.Before > 0 {
		text, args = text+` AND seq < ?`, append(args, f.Before)
	}
	return query(ctx, h.store, func(r *sql.Rows) (e AuditEntry, err error) {
		return e, r.Scan(&e.Seq, at{&e.Time}, &e.By, &e.Name, &e.Service, &e.Version, &e.Environment, &e.Sentence)
	}, text+` ORDER BY seq DESC LIMIT ?`, append(args, pageSize(f.Limit))...)
}
