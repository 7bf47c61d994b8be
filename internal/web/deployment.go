package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

// A deploymentPage is one deployment: what was planned, what happened, what it did to requests.
type deploymentPage struct {
	Now time.Time
	history.Deployment
	planned
	Number   history.VersionSummary // of the version
	Went     []went
	Traffic  *chart // nil: it moved no requests yet
	Running  *andon.Ledger
	Waits    []andon.Wait
	Active   bool                // it goes on, or is queued
	IsLive   bool                // its group is what is live now
	Again    bool                // it did not succeed, and can be asked for again
	BackTo   andon.VersionNumber // where a rollback of the place would go; 0: nowhere
	WarmTill time.Time           // until when the copies that it replaced stay; zero: they do not
}

// A went is a step that a deployment came to.
type went struct {
	history.DeploymentStep
	Took time.Duration
	Now  bool // it is there
}

// describeDeployment says which deployment's page is asked for.
func (p *pages) describeDeployment(r *http.Request) (livePage, error) {
	service, id := andon.ServiceName(r.PathValue("service")), andon.DeploymentID(r.PathValue("deployment"))
	return livePage{
		path: deploymentPath(service, id), title: string(id), class: "deployment", template: p.deployment,
		parts: []string{"deployment"}, about: aboutService(service),
		read: func(ctx context.Context) (any, error) { return p.deploymentOf(ctx, service, id) },
	}, nil
}

func (p *pages) deploymentOf(ctx context.Context, service andon.ServiceName, id andon.DeploymentID) (page deploymentPage, err error) {
	page.Now = p.Engine.Now()
	if page.Deployment, err = p.History.Deployment(ctx, id); err != nil {
		return page, err
	}
	if page.Service != service {
		return page, andon.Errorf(andon.KindNotFound, "There is no such deployment of %.100s.", service)
	}
	version, err := p.History.Version(ctx, andon.VersionRef{Service: page.Service, Number: page.Version})
	if err != nil && andon.KindOf(err) != andon.KindNotFound {
		return page, err
	}
	page.Number = version.VersionSummary
	preview := line.Preview{Plan: page.Plan}
	if page.Started.IsZero() { // what it finds when it begins is not in its plan yet
		err = p.Engine.View(ctx, func(s *line.State) {
			if now, queued := s.PreviewQueued(id); queued {
				preview = now
			}
		})
		if before := preview.Plan.Previous; before != nil {
			page.Previous = before.Version
		}
	}
	if err == nil {
		page.planned, err = p.plannedAs(ctx, preview)
	}
	if err != nil {
		return page, err
	}
	page.Went = steps(page.Deployment, page.Now)
	page.Traffic = drawTraffic(page.Deployment, page.Now)
	page.Running = page.Ledger
	for _, l := range p.Engine.Ledgers(page.Place) {
		if l.Deployment == page.ID && (page.Ledger == nil || l.Requests() >= page.Ledger.Requests()) {
			page.Running = &l
		}
	}
	return page, p.Engine.View(ctx, page.present)
}

// present reads what is so now.
func (page *deploymentPage) present(s *line.State) {
	page.Active = s.FindDeployment(page.ID) != nil
	for _, w := range s.WaitingFor(page.Service, page.Now) {
		if w.Deployment == page.ID && w.Kind != andon.WaitDeployment && w.Kind != andon.WaitWarm {
			page.Waits = append(page.Waits, w)
		}
	}
	_, err := line.Rerun{Deployment: page.ID}.Means(s)
	page.Again = err == nil
	place := s.PlaceOf(page.Place)
	if place == nil {
		return
	}
	page.IsLive = place.Group == page.Plan.Group && place.Live != nil
	if w := place.Warm; w != nil && w.Deployment == page.ID {
		page.WarmTill = w.Until
	}
	if back, err := (line.Rollback{Place: page.Place}).Preview(s, andon.ActorLine); err == nil && (page.IsLive || page.Active) {
		page.BackTo = back.Plan.Release.Version
	}
}

// steps says how long a deployment stayed at each step.
func steps(d history.Deployment, now time.Time) []went {
	var all []went
	if !d.Started.IsZero() { // it starts by placing, which is no move
		all = append(all, went{DeploymentStep: history.DeploymentStep{Step: andon.StepPlacing, Time: d.Started}})
	}
	for _, s := range d.Steps {
		all = append(all, went{DeploymentStep: s})
	}
	end := d.Ended
	if end.IsZero() {
		end = now
	}
	for i := range all {
		until := end
		if i+1 < len(all) {
			until = all[i+1].Time
		}
		all[i].Took = until.Sub(all[i].Time)
		all[i].Now = i+1 == len(all) && d.Ended.IsZero()
	}
	return all
}

// NeverBegan reports whether it was taken back while it was queued.
func (page deploymentPage) NeverBegan() bool { return page.Started.IsZero() && !page.Ended.IsZero() }

// Failed says how many requests were lost, or may have been.
func (page deploymentPage) Failed() int64 {
	l := page.Running
	return l.Failed + l.Unknown
}

// A planned is a plan with what the history knows of it, as pages show it.
type planned struct {
	line.Preview
	Ahead     []deploy.StepAhead
	Pace      deploy.Pace
	Between   []history.VersionSummary
	Back      bool // the versions between go, rather than come
	Reuses    bool
	Platform  string
	Placement []placement
	Variables []deploy.KeyDifference
	Settings  []deploy.KeyDifference
}

type placement struct {
	Agent  andon.AgentName
	Copies int
}

func (p *pages) plannedAs(ctx context.Context, preview line.Preview) (out planned, err error) {
	plan := preview.Plan
	out = planned{Preview: preview, Ahead: preview.Steps(), Reuses: deploy.ReusesGroup(&plan), Platform: plan.Release.Spec.Platform}
	if out.Platform == "" {
		out.Platform = andon.PlatformProcess
	}
	if out.Between, err = p.History.Between(ctx, plan); err != nil {
		return out, err
	}
	if out.Pace, err = p.History.Pace(ctx, plan); err != nil {
		return out, err
	}
	for agent, copies := range deploy.Shares(plan) {
		out.Placement = append(out.Placement, placement{agent, copies})
	}
	slices.SortFunc(out.Placement, func(a, b placement) int { return cmp.Compare(a.Agent, b.Agent) })
	if before := plan.Previous; before != nil {
		out.Back = before.Version > plan.Release.Version
		out.Variables = deploy.Variables(before.Spec, plan.Release.Spec)
		out.Settings = deploy.Settings(before.Spec, plan.Release.Spec)
	}
	return out, nil
}
