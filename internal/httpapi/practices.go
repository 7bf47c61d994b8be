package httpapi

import (
	"context"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/metrics"
)

func (a *API) maturity(ctx context.Context, q *periodQuestion) (api.MaturityReport, error) {
	p, err := a.period(ctx, q)
	if err != nil {
		return api.MaturityReport{}, err
	}
	records, err := a.History.Records(ctx, p)
	if err != nil {
		return api.MaturityReport{}, err
	}
	err = a.Engine.View(ctx, func(s *line.State) { records.Declared, records.Environments = s.Declared() })
	out := api.MaturityReport{Service: q.Service, From: p.From.UTC(), To: p.To.UTC(), Deliveries: len(records.Deliveries)}
	for _, j := range metrics.Judge(records) {
		out.Practices = append(out.Practices, wirePractice(j))
		if j.Level != metrics.Unknown {
			out.Judged++
		}
		if j.Level == metrics.Followed {
			out.Followed++
		}
	}
	return out, err
}

func wirePractice(j metrics.Judgement) api.Practice {
	out := api.Practice{
		Name: string(j.Name), Title: j.Title, Level: string(j.Level), Kept: j.Kept, Of: j.Of, Least: j.Least, Goal: j.Goal, Evidence: j.Evidence,
		Exceptions: each(j.Exceptions, func(d andon.DeploymentID) string { return string(d) }), Rule: j.Rule, Source: j.Source,
	}
	if j.Level == metrics.Partly || j.Level == metrics.NotYet {
		out.Next = j.Next
	}
	return out
}
