package httpapi

import (
	"context"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

type deploymentsQuestion struct {
	Service     string        `query:"service"`
	Environment string        `query:"environment"`
	Outcome     andon.Outcome `query:"outcome"`
	Page
}

func (a *API) listDeployments(ctx context.Context, q *deploymentsQuestion) ([]api.Deployment, error) {
	if err := a.fresh(ctx); err != nil {
		return nil, err
	}
	deployments, err := a.History.Deployments(ctx, history.DeploymentFilter{
		Service: andon.ServiceName(q.Service), Environment: andon.EnvironmentName(q.Environment), Outcome: q.Outcome,
		Before: andon.Seq(q.Before), Limit: q.Limit,
	})
	return each(deployments, a.wireRunning), err
}

// wireRunning returns a deployment with its ledger as of now, where its proxies still count.
func (a *API) wireRunning(d history.DeploymentSummary) api.Deployment {
	for _, l := range a.Engine.Ledgers(d.Place) {
		if l.Deployment == d.ID && (d.Ledger == nil || l.Requests() >= d.Ledger.Requests()) {
			d.Ledger = &l
		}
	}
	return wireDeployment(d)
}

// A DeploymentPath names a deployment in a path; exported for the same reason as VersionPath.
type DeploymentPath struct {
	Deployment string `path:"deployment"`
}

func (a *API) getDeployment(ctx context.Context, q *DeploymentPath) (api.DeploymentDetail, error) {
	if err := a.fresh(ctx); err != nil {
		return api.DeploymentDetail{}, err
	}
	id := andon.DeploymentID(q.Deployment)
	d, err := a.History.Deployment(ctx, id)
	if err != nil {
		return api.DeploymentDetail{}, err
	}
	out := api.DeploymentDetail{
		Deployment: a.wireRunning(d.DeploymentSummary),
		Steps:      each(d.Steps, wireMove), Shares: each(d.Shares, wireShare), Verdicts: each(d.Verdicts, wireVerdict),
		Tasks: each(d.Tasks, wireTask), Waits: []api.Wait{},
	}
	if out.Plan, err = a.planFor(ctx, line.Preview{Plan: d.Plan}); err != nil {
		return api.DeploymentDetail{}, err
	}
	if v, err := a.History.Version(ctx, andon.VersionRef{Service: d.Service, Number: d.Version}); err == nil {
		out.Maturity = api.Maturity(v.Maturity)
	}
	err = a.Engine.View(ctx, func(s *line.State) {
		out.Copies = wireCopies(s, s.PlaceOf(d.Place), andon.GroupID(id), d.Copies)
		for i := range out.Copies {
			if out.Copies[i].Version == 0 {
				out.Copies[i].Version = int64(d.Version)
			}
		}
		all := s.WaitingFor(d.Service, a.Engine.Now())
		out.Waits = chains(all, func(w andon.Wait) bool { return w.Deployment == id && w.Kind != andon.WaitDeployment })
	})
	return out, err
}

// planFor returns a plan for people, with what the history knows: what lies between, and how long
// the like of it took.
func (a *API) planFor(ctx context.Context, p line.Preview) (api.Plan, error) {
	commits, err := a.History.Between(ctx, p.Plan)
	if err != nil {
		return api.Plan{}, err
	}
	pace, err := a.History.Pace(ctx, p.Plan)
	if err != nil {
		return api.Plan{}, err
	}
	return wirePlan(p, commits, pace), nil
}
