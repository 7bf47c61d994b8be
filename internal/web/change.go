package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
	"github.com/andon-cd/andon/internal/line"
)

// maxForm bounds what a form of the pages sends, longestReason what it says.
const (
	maxForm       = 16 << 10
	longestReason = 1000
)

// A changePage asks whether something is to be done, and shows what it would do.
type changePage struct {
	planned
	Title  string
	Path   string // that the form is sent to
	Cancel string // the deployment that it ends; empty: it is a rollback
	To     string // the version that was asked for; empty: the previous good one
	Choice []andon.VersionNumber
}

// askRollback shows the plan of a rollback before it runs, and asks for the reason.
func (p *pages) askRollback(w http.ResponseWriter, r *http.Request) {
	verb, to, err := rollbackOf(r, r.URL.Query().Get("to"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.catchUp(r.Context(), p.Engine.Head())
	page := changePage{To: to, Path: r.URL.Path}
	var preview line.Preview
	var refused error
	err = p.Engine.View(r.Context(), func(s *line.State) {
		preview, refused = verb.Preview(s, whoAsks(r))
		if place := s.PlaceOf(verb.Place); place != nil {
			for _, g := range slices.Backward(place.Good) {
				n := g.Release.Version
				if !g.Quarantined && n != preview.Quarantines && n != preview.Plan.Release.Version && !slices.Contains(page.Choice, n) {
					page.Choice = append(page.Choice, n)
				}
			}
		}
	})
	if err == nil {
		err = refused
	}
	if err == nil {
		page.planned, err = p.plannedAs(r.Context(), preview)
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page.Title = "Roll " + string(verb.Place.Service) + " in " + string(verb.Place.Environment) + " back to version " + preview.Plan.Release.Version.String()
	p.render(w, r, p.change, "frame", page)
}

func rollbackOf(r *http.Request, to string) (line.Rollback, string, error) {
	verb := line.Rollback{Place: andon.Place{
		Service: andon.ServiceName(r.PathValue("service")), Environment: andon.EnvironmentName(r.PathValue("environment")),
	}}
	if to == "" {
		return verb, "", nil
	}
	n, err := strconv.ParseInt(to, 10, 64)
	if err != nil || n < 1 {
		return verb, "", andon.Errorf(andon.KindInvalid, "%.20q is not the number of a version.", to)
	}
	verb.To = andon.VersionNumber(n)
	return verb, to, nil
}

// rollBack does what askRollback showed.
func (p *pages) rollBack(w http.ResponseWriter, r *http.Request) {
	reason, err := readForm(w, r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	verb, _, err := rollbackOf(r, r.PostForm.Get("to"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	verb.Reason = reason
	aborted := andon.DeploymentID("")
	err = p.Engine.View(r.Context(), func(s *line.State) {
		if place := s.PlaceOf(verb.Place); place != nil && place.Active != nil {
			aborted = place.Active.Plan.ID
		}
	})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	result, err := p.Engine.Do(r.Context(), whoAsks(r), verb)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	id := aborted // whose way back may be all
	for _, e := range result.Events {
		if b, ok := e.Body.(andon.DeploymentPlanned); ok {
			id = b.Plan.ID
		}
	}
	http.Redirect(w, r, deploymentPath(verb.Place.Service, id), http.StatusSeeOther)
}

// askCancel asks for the reason to end a deployment.
func (p *pages) askCancel(w http.ResponseWriter, r *http.Request) {
	page, err := p.readDeployment(r)
	if err == nil && !page.Active {
		err = andon.Errorf(andon.KindConflict, "Deployment %s has ended.", page.ID)
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.render(w, r, p.change, "frame", changePage{
		planned: page.planned, Title: "Abort " + string(page.ID), Path: r.URL.Path, Cancel: string(page.ID),
	})
}

func (p *pages) cancel(w http.ResponseWriter, r *http.Request) {
	reason, err := readForm(w, r)
	if err == nil {
		_, err = p.Engine.Do(r.Context(), whoAsks(r), line.Cancel{Deployment: andon.DeploymentID(r.PathValue("deployment")), Reason: reason})
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, deploymentPath(andon.ServiceName(r.PathValue("service")), andon.DeploymentID(r.PathValue("deployment"))), http.StatusSeeOther)
}

// readForm returns the reason that a form of these pages carries. The guard in front of the pages
// keeps other sites out; here a browser must say besides that the form is one of ours, so that
// nothing without a page is taken for one.
func readForm(w http.ResponseWriter, r *http.Request) (reason string, err error) {
	if !ours(r) {
		return "", andon.Errorf(andon.KindRefused, "This takes the form of a page of this plant.").WithHint("use the API, or the command line")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return "", andon.Errorf(andon.KindInvalid, "The form cannot be read.").Because(err)
	}
	reason = strings.TrimSpace(r.PostForm.Get("reason"))
	switch {
	case reason == "":
		return "", andon.Errorf(andon.KindInvalid, "A reason is missing.").WithHint("go back and say why: it is kept in the audit")
	case len(reason) > longestReason:
		return "", andon.Errorf(andon.KindInvalid, "The reason is longer than %d bytes.", longestReason)
	}
	return reason, nil
}

// ours reports whether a browser says that a page of this plant sends the request.
func ours(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && origin.Host != "" && origin.Host == r.Host
}

func whoAsks(r *http.Request) andon.Actor {
	who, _ := auth.From(r.Context()) // the guard lets nobody through who is not signed in
	return who.Actor()
}

func deploymentPath(service andon.ServiceName, id andon.DeploymentID) string {
	return "/services/" + string(service) + "/deployments/" + string(id)
}
