package httpapi

import (
	"context"
	"slices"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

// recently is how many versions and deployments a service is shown with.
const recently = 20

type servicesQuestion struct {
	Removed bool `query:"removed" doc:"also those that were removed"`
}

func (a *API) listServices(ctx context.Context, q *servicesQuestion) ([]api.Service, error) {
	if err := a.fresh(ctx); err != nil {
		return nil, err
	}
	services, err := a.History.Services(ctx, q.Removed)
	return each(services, a.wireService), err
}

func (a *API) wireService(s history.Service) api.Service {
	out := api.Service{
		Name: string(s.Name), Repository: s.Source.URL, Trunk: s.Source.Trunk, Added: s.Added.UTC(), By: string(s.AddedBy),
		Removed: moment(s.Removed), Newest: int64(s.Newest),
	}
	if s.Source.URL == "" {
		out.Git = a.Address() + "/git/" + string(s.Name) + ".git"
	}
	return out
}

type serviceQuestion struct {
	Service string `path:"service"`
}

func (a *API) getService(ctx context.Context, q *serviceQuestion) (api.ServiceDetail, error) {
	if err := a.fresh(ctx); err != nil {
		return api.ServiceDetail{}, err
	}
	name := andon.ServiceName(q.Service)
	service, err := a.History.Service(ctx, name)
	if err != nil {
		return api.ServiceDetail{}, err
	}
	out := api.ServiceDetail{
		Service: a.wireService(service), Line: api.Running, OnItsWay: []api.OnItsWay{}, Places: []api.PlaceDetail{}, Cords: []api.Cord{}, Waits: []api.Wait{},
	}
	versions, err := a.History.Versions(ctx, history.VersionFilter{Service: name, Limit: recently})
	if err != nil {
		return out, err
	}
	deployments, err := a.History.Deployments(ctx, history.DeploymentFilter{Service: name, Limit: recently})
	if err != nil {
		return out, err
	}
	out.Versions, out.Deployments = each(versions, wireVersion), each(deployments, a.wireRunning)
	err = a.Engine.View(ctx, func(s *line.State) {
		if svc := s.Services[name]; svc != nil {
			a.addPresent(&out, s, svc)
		}
	})
	return out, err
}

// addPresent adds what the line knows of a service.
func (a *API) addPresent(out *api.ServiceDetail, s *line.State, svc *line.Service) {
	now := a.Engine.Now()
	state, cords := lineOf(s, svc, now)
	waits := s.WaitingFor(svc.Name, now)
	out.Line = state
	out.OnItsWay = onItsWay(svc, waits)
	out.Waits = chains(waits, func(andon.Wait) bool { return true })
	for _, c := range cords {
		out.Cords = append(out.Cords, wirePulled(c, now))
	}
	for _, env := range s.EnvironmentsInOrder() {
		pl := andon.Place{Service: svc.Name, Environment: env}
		p := s.PlaceOf(pl)
		if p == nil {
			continue
		}
		out.Places = append(out.Places, api.PlaceDetail{
			PlaceStatus: a.placeStatus(s, pl, now), CopyList: wireCopies(s, p, "", nil),
			Ledger: wireLedger(a.newestLedger(pl)), Rollback: rollbackTo(p),
		})
	}
}

// newestLedger returns the ledger of the newest deployment of a place, as of now.
func (a *API) newestLedger(pl andon.Place) *andon.Ledger {
	ledgers := a.Engine.Ledgers(pl)
	if len(ledgers) == 0 {
		return nil
	}
	return &ledgers[len(ledgers)-1]
}

// rollbackTo returns the versions that a rollback can go back to, the default first.
func rollbackTo(p *line.Place) []int64 {
	to := []int64{}
	for _, g := range slices.Backward(p.Good) {
		n := int64(g.Release.Version)
		live := p.Live != nil && p.Live.Version == g.Release.Version
		if !g.Quarantined && !live && !slices.Contains(to, n) {
			to = append(to, n)
		}
	}
	return to
}

type versionsQuestion struct {
	Service  string         `path:"service"`
	Branch   string         `query:"branch"`
	Maturity andon.Maturity `query:"maturity" enum:"development,release-candidate,certified,rejected,quarantined"`
	Page
}

func (a *API) listVersions(ctx context.Context, q *versionsQuestion) ([]api.Version, error) {
	if err := a.fresh(ctx); err != nil {
		return nil, err
	}
	name := andon.ServiceName(q.Service)
	if _, err := a.History.Service(ctx, name); err != nil {
		return nil, err
	}
	versions, err := a.History.Versions(ctx, history.VersionFilter{
		Service: name, Branch: q.Branch, Maturity: q.Maturity, Before: andon.VersionNumber(q.Before), Limit: q.Limit,
	})
	return each(versions, wireVersion), err
}

// A VersionPath names a version in a path. It is exported so that the library fills it where it is embedded.
type VersionPath struct {
	Service string `path:"service"`
	Version string `path:"version" doc:"a number, the beginning of a commit, or newest"`
}

func (a *API) getVersion(ctx context.Context, q *VersionPath) (api.VersionDetail, error) {
	ref, err := a.version(ctx, q.Service, q.Version)
	if err != nil {
		return api.VersionDetail{}, err
	}
	if err := a.fresh(ctx); err != nil {
		return api.VersionDetail{}, err
	}
	v, err := a.History.Version(ctx, ref)
	if err != nil {
		return api.VersionDetail{}, err
	}
	out := api.VersionDetail{
		Version: wireVersion(v.VersionSummary), Pipeline: wirePipeline(v.Pipeline), Stages: each(v.Stages, wireStageRun),
		Maturities: each(v.Maturities, wireMaturity), Admissions: each(v.Admissions, wireAdmission),
		Deployments: each(v.Deployments, a.wireRunning), Waits: []api.Wait{}, LiveIn: []string{},
	}
	err = a.Engine.View(ctx, func(s *line.State) {
		if present := s.Version(ref); present != nil && present.Open() {
			out.Stage = string(present.Stage())
		}
		all := s.WaitingFor(ref.Service, a.Engine.Now())
		out.Waits = chains(all, func(w andon.Wait) bool { return w.Version == ref.Number })
		for _, env := range s.EnvironmentsInOrder() {
			if p := s.PlaceOf(andon.Place{Service: ref.Service, Environment: env}); p != nil && p.Live != nil && p.Live.Version == ref.Number {
				out.LiveIn = append(out.LiveIn, string(env))
			}
		}
	})
	return out, err
}
