package httpapi

import (
	"context"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/history"
)

type searchQuestion struct {
	Text string `query:"q" required:"true" doc:"what to find: shop 12, a commit, a ticket, a digest, a person, words of a message"`
}

func (a *API) search(ctx context.Context, q *searchQuestion) (api.Search, error) {
	out := api.Search{Query: q.Text, Found: []api.Found{}, More: []api.FoundKind{}}
	if err := a.fresh(ctx); err != nil {
		return out, err
	}
	found, more, err := a.History.Search(ctx, q.Text)
	for _, f := range found {
		out.Found = append(out.Found, wireFound(f))
	}
	for _, kind := range more {
		out.More = append(out.More, api.FoundKind(kind))
	}
	return out, err
}

func wireFound(f history.Found) api.Found {
	out := api.Found{Kind: api.FoundKind(f.Kind), Exact: f.Exact, Service: string(f.Service)}
	if f.Version != nil {
		v := wireVersion(*f.Version)
		out.Service, out.Version = v.Service, &v
	}
	if f.Deployment != nil {
		d := wireDeployment(*f.Deployment)
		out.Service, out.Deployment = d.Service, &d
	}
	return out
}
