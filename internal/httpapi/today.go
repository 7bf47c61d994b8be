package httpapi

import (
	"context"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/metrics"
)

func (a *API) today(ctx context.Context, _ *none) (api.Today, error) {
	if err := a.fresh(ctx); err != nil {
		return api.Today{}, err
	}
	now := a.Engine.Now()
	y, m, d := now.Local().Date()
	t, err := a.History.Today(ctx, time.Date(y, m, d, 0, 0, 0, 0, time.Local))
	if err != nil {
		return api.Today{}, err
	}
	month := history.Period{Span: metrics.Span{From: now.Add(-defaultDays * 24 * time.Hour), To: now}}
	lead, changes, err := a.History.Lead(ctx, month)
	return api.Today{Deployments: t.Deployments, Lost: t.Lost, LeadMS: lead.Milliseconds(), Changes: changes}, err
}
