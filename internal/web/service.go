package web

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/vcs"
)

// How much of its past the page of a service shows, and a page of the whole past.
const (
	recentVersions    = 12
	recentDeployments = 12
	listPage          = 100
	mostWaits         = 20
)

// A servicePage is one service: its line as it is now, and what happened lately.
type servicePage struct {
	Now         time.Time
	Name        andon.ServiceName
	Trunk       string
	Repository  string // empty: the built-in one
	State       string // running, slow or stopped
	Places      []place
	Stops       []stop
	Waits       []reason
	MoreWaits   int
	Pictures    []picture // the same for wide and for narrow screens; none: there is no pipeline yet
	Versions    []versionRow
	OlderThan   andon.VersionNumber // 0: all are shown
	Deployments []history.DeploymentSummary
	Earlier     bool // there are more deployments
}

// A versionRow is a version in a list.
type versionRow struct {
	history.VersionSummary
	Stages []stageMark
	LiveIn []andon.EnvironmentName
}

// A stageMark is how a version did in a stage.
type stageMark struct {
	Stage andon.StageName
	Look  string
	Words string
}

// Mark is the sign of the look.
func (m stageMark) Mark() string { return mark(m.Look) }

// servicePages are the templates of the pages about services.
type servicePages struct{ now, past *template.Template }

// handleServices serves what services are and were.
func (p *pages) handleServices(mux *http.ServeMux) {
	p.service = servicePages{
		now:  parse("live.html", "service.html", "lists.html", "picture.html"),
		past: parse("past.html", "lists.html"),
	}
	p.handleLive(mux, "/services/{service}", p.describeService)
	mux.HandleFunc("GET /services/{service}/versions", p.showVersions)
	mux.HandleFunc("GET /services/{service}/deployments", p.showDeployments)
}

// describeService says which service's page is asked for.
func (p *pages) describeService(r *http.Request) (livePage, error) {
	name := andon.ServiceName(r.PathValue("service"))
	return livePage{
		path: servicePath(name), title: string(name), class: "service", template: p.service.now,
		parts: []string{"service-head", "stops", "pipeline", "waits", "versions", "deployments"}, about: aboutService(name),
		read: func(ctx context.Context) (any, error) { return p.readService(ctx, name) },
	}, nil
}

func servicePath(name andon.ServiceName) string { return "/services/" + string(name) }

func (p *pages) readService(ctx context.Context, name andon.ServiceName) (page servicePage, err error) {
	page.Now, page.Name = p.Engine.Now(), name
	var stations []station
	marks := map[andon.VersionNumber][]stageMark{}
	known := false
	err = p.Engine.View(ctx, func(s *line.State) {
		service := s.Services[name]
		if known = service != nil; !known {
			return
		}
		waits := s.WaitingFor(name, page.Now)
		page.present(s, service, waits)
		stations = readStations(s, service, waits)
		for n, v := range service.Versions {
			marks[n] = marksOf(v)
		}
	})
	if err != nil {
		return page, err
	}
	if !known {
		return page, andon.Errorf(andon.KindNotFound, "There is no service %.100s.", name)
	}
	if err := p.recall(ctx, stations); err != nil {
		return page, err
	}
	if len(stations) > 0 {
		page.Pictures = []picture{drawAcross(name, stations, page.Stops), drawDown(name, stations, page.Stops)}
	}
	return page, p.readPast(ctx, &page, marks)
}

// present reads what is so now.
func (page *servicePage) present(s *line.State, service *line.Service, waits []andon.Wait) {
	page.Trunk, page.Repository = service.Source.Trunk, vcs.Redacted(service.Source.URL)
	page.State, _ = lineStateOf(s, service, page.Now)
	page.Places = readPlaces(s, service.Name, s.EnvironmentsInOrder())
	for _, c := range s.Cords {
		if s.Concerns(c.Scope, service) {
			page.Stops, page.State = append(page.Stops, readStop(c)), "stopped"
		}
	}
	page.Waits = reasons(s, waits, begins(waits))
	if n := len(page.Waits); n > mostWaits {
		page.Waits, page.MoreWaits = page.Waits[:mostWaits], n-mostWaits
	}
}

// marksOf says how a version did in each stage of its own pipeline.
func marksOf(v *line.Version) []stageMark {
	if v.Pipeline == nil {
		return nil
	}
	marks := []stageMark{{Stage: andon.CommitStageName}}
	if v.Trunk {
		for _, st := range v.Pipeline.Stages {
			marks = append(marks, stageMark{Stage: st.Name})
		}
	}
	for i := range marks {
		m := &marks[i]
		m.Look, m.Words = "ahead", "not entered"
		at := slices.IndexFunc(v.Stages, func(e line.StageEnd) bool { return e.Stage == m.Stage })
		switch {
		case v.Run != nil && v.Run.Stage == m.Stage:
			m.Look, m.Words = "moving", "running"
		case at >= 0:
			m.Look, m.Words = outcomeLook(v.Stages[at].Outcome), string(v.Stages[at].Outcome)
		case v.Ended == nil && v.Stage() == m.Stage:
			m.Look, m.Words = "waiting", "waiting for it"
		}
	}
	return marks
}

// readPast reads what happened lately.
func (p *pages) readPast(ctx context.Context, page *servicePage, marks map[andon.VersionNumber][]stageMark) error {
	versions, err := p.History.Versions(ctx, history.VersionFilter{Service: page.Name, Limit: recentVersions + 1})
	if err != nil {
		return err
	}
	if len(versions) > recentVersions {
		versions = versions[:recentVersions]
		page.OlderThan = versions[recentVersions-1].Number
	}
	page.Versions = rowsOf(versions, page.Places, marks)
	page.Deployments, err = p.History.Deployments(ctx, history.DeploymentFilter{Service: page.Name, Limit: recentDeployments + 1})
	if len(page.Deployments) > recentDeployments {
		page.Deployments, page.Earlier = page.Deployments[:recentDeployments], true
	}
	return err
}

func rowsOf(versions []history.VersionSummary, places []place, marks map[andon.VersionNumber][]stageMark) []versionRow {
	rows := make([]versionRow, len(versions))
	for i, v := range versions {
		rows[i] = versionRow{VersionSummary: v, Stages: marks[v.Number]}
		for _, at := range places {
			if at.Live == v.Number {
				rows[i].LiveIn = append(rows[i].LiveIn, at.Environment)
			}
		}
	}
	return rows
}

// A pastPage is a page of a service's past.
type pastPage struct {
	Now         time.Time
	Name        andon.ServiceName
	Title       string
	Versions    []versionRow
	Deployments []history.DeploymentSummary
	Newer       string // address of the first page; empty: this is it
	Older       string // address of the next page; empty: this is the last
}

// showVersions lists the versions of a service, a page at a time.
func (p *pages) showVersions(w http.ResponseWriter, r *http.Request) {
	page, before, err := p.readList(r, "Versions")
	if err == nil {
		var versions []history.VersionSummary
		versions, err = p.History.Versions(r.Context(), history.VersionFilter{Service: page.Name, Before: andon.VersionNumber(before), Limit: listPage})
		if len(versions) == listPage {
			page.Older = "?before=" + versions[listPage-1].Number.String()
		}
		page.Versions = rowsOf(versions, nil, nil)
	}
	p.renderOr(w, r, p.service.past, page, err)
}

// showDeployments lists the deployments of a service, a page at a time.
func (p *pages) showDeployments(w http.ResponseWriter, r *http.Request) {
	page, before, err := p.readList(r, "Deployments")
	if err == nil {
		page.Deployments, err = p.History.Deployments(r.Context(), history.DeploymentFilter{Service: page.Name, Before: andon.Seq(before), Limit: listPage})
		if n := len(page.Deployments); n == listPage {
			page.Older = "?before=" + strconv.FormatInt(int64(page.Deployments[n-1].Seq), 10)
		}
	}
	p.renderOr(w, r, p.service.past, page, err)
}

// readList reads which page of a service's past is asked for: what was before a number; 0: all.
func (p *pages) readList(r *http.Request, what string) (page pastPage, before int64, err error) {
	page.Now, page.Name = p.Engine.Now(), andon.ServiceName(r.PathValue("service"))
	page.Title = what + " of " + string(page.Name)
	if text := r.URL.Query().Get("before"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return page, 0, andon.Errorf(andon.KindInvalid, "%.20q is no number.", text)
		}
		page.Newer = (&url.URL{Path: r.URL.Path}).EscapedPath()
	}
	p.catchUp(r.Context(), p.Engine.Head())
	_, err = p.History.Service(r.Context(), page.Name)
	return page, before, err
}

// renderOr draws a page, or says why there is none.
func (p *pages) renderOr(w http.ResponseWriter, r *http.Request, t *template.Template, data any, err error) {
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.render(w, r, t, "frame", data)
}
