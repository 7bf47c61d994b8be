package httpapi

import (
	"context"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

// mostCommits bounds the versions that a plan lists.
const mostCommits = 100

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
	commits, err := a.commits(ctx, d.Plan)
	if err != nil {
		return api.DeploymentDetail{}, err
	}
	out := api.DeploymentDetail{
		Deployment: a.wireRunning(d.DeploymentSummary), Plan: wirePlan(d.Plan, commits),
		Steps: each(d.Steps, wireMove), Tasks: each(d.Tasks, wireTask), Waits: []api.Wait{},
	}
	err = a.Engine.View(ctx, func(s *line.State) {
		out.Copies = wireCopies(s, s.PlaceOf(d.Place), andon.GroupID(id), d.Copies)
		for i := range out.Copies {
			if out.Copies[i].Version == 0 {
				out.Copies[i].Version = int64(d.Version)
			}
		}
		all := s.WaitingFor(d.Service, a.Engine.Now())
		out.Waits = chains(all, waitsOf(all, func(w andon.Wait) bool { return w.Deployment == id && w.Kind != andon.WaitDeployment }))
	})
	return out, err
}

// commits returns the versions that a deployment brings, or takes away, newest first.
func (a *API) commits(ctx context.Context, p andon.Plan) ([]api.Change, error) {
	high, low := p.Release.Version, andon.VersionNumber(0)
	if p.Previous != nil {
		low = p.Previous.Version
	}
	if low > high {
		high, low = low, high
	}
	changes := []api.Change{}
	if high == low {
		return changes, nil
	}
	if p.Previous == nil {
		low = high - 1 // a first deployment brings everything: its own commit stands for it
	}
	versions, err := a.History.Versions(ctx, history.VersionFilter{Service: p.Service, Before: high + 1, Limit: mostCommits})
	for _, v := range versions {
		if v.Number > low && (v.Trunk || v.Number == high) {
			changes = append(changes, api.Change{Version: int64(v.Number), Commit: string(v.Commit), Author: v.Author, Subject: v.Subject})
		}
	}
	return changes, err
}
