package httpapi

import (
	"context"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
)

type cordsQuestion struct {
	Open bool `query:"open" doc:"only those that are pulled"`
	Page
}

func (a *API) listCords(ctx context.Context, q *cordsQuestion) ([]api.Cord, error) {
	if err := a.fresh(ctx); err != nil {
		return nil, err
	}
	cords, err := a.History.Cords(ctx, history.CordFilter{Open: q.Open, Before: andon.Seq(q.Before), Limit: q.Limit})
	now := a.Engine.Now()
	return each(cords, func(c history.Cord) api.Cord { return wireCord(c, now) }), err
}

type auditQuestion struct {
	Service     string `query:"service" doc:"only what happened to it, also when it was removed"`
	Environment string `query:"environment" doc:"only what is about it, or about no environment alone; also when it was removed"`
	Changes     bool   `query:"changes" doc:"only what changed what runs, or could: deployments, cords, environments, services, hosts"`
	Page
}

func (a *API) audit(ctx context.Context, q *auditQuestion) ([]api.Entry, error) {
	if err := a.fresh(ctx); err != nil {
		return nil, err
	}
	entries, err := a.History.Audit(ctx, history.AuditFilter{
		Service: andon.ServiceName(q.Service), Environment: andon.EnvironmentName(q.Environment), Changes: q.Changes,
		Before: andon.Seq(q.Before), Limit: q.Limit,
	})
	return each(entries, func(e history.AuditEntry) api.Entry {
		return api.Entry{
			Position: int64(e.Seq), Time: e.Time.UTC(), By: string(e.By), Name: e.Name,
			Service: string(e.Service), Version: int64(e.Version), Environment: string(e.Environment), Sentence: e.Sentence,
		}
	}), err
}
