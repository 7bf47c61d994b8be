package history

import (
	"context"
	"database/sql"
	"errors"

	"github.com/andon-cd/andon/internal/andon"
)

// A Version is one version in full.
type Version struct {
	VersionSummary
	Pipeline    *andon.Pipeline // nil: Problem says why
	Maturities  []MaturityChange
	Admissions  []Admission
	Stages      []StageRun          // in the order in which they started
	Deployments []DeploymentSummary // of this version, newest first; at most MaxPage
}

// Version returns a version in full; andon.KindNotFound when there is none.
func (h *History) Version(ctx context.Context, ref andon.VersionRef) (Version, error) {
	summary, err := h.versionSummary(ctx, ref)
	if err != nil {
		return Version{}, err
	}
	v := Version{VersionSummary: summary}
	if v.Pipeline, err = h.pipeline(ctx, ref); err != nil {
		return Version{}, err
	}
	if v.Maturities, err = h.maturities(ctx, ref); err != nil {
		return Version{}, err
	}
	if v.Admissions, err = h.admissions(ctx, ref); err != nil {
		return Version{}, err
	}
	if v.Stages, err = h.Stages(ctx, ref); err != nil {
		return Version{}, err
	}
	v.Deployments, err = h.Deployments(ctx, DeploymentFilter{Service: ref.Service, Version: ref.Number, Limit: MaxPage})
	return v, err
}

func (h *History) pipeline(ctx context.Context, v andon.VersionRef) (*andon.Pipeline, error) {
	p, err := queryOne(ctx, h.store, func(r *sql.Rows) (p *andon.Pipeline, err error) { return p, r.Scan(doc{&p}) },
		`SELECT p.doc FROM version v JOIN pipeline p ON p.id = v.pipeline WHERE v.service = ? AND v.number = ?`, v.Service, v.Number)
	if errors.Is(err, errNone) {
		return nil, nil
	}
	return p, err
}
