package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

// historyTimeout bounds how long a page waits for the read models to reach what it shows.
const historyTimeout = 2 * time.Second

// A versionPage is everything about one commit.
type versionPage struct {
	history.Version
	At         string // where it is on its way, in words
	Look       string
	Since      time.Time // since when it is there; zero: it is nowhere any more
	Waits      []reason
	Ways       []wayOn
	Places     []whereabout
	Production andon.EnvironmentName
	Before     andon.VersionNumber // what production had, or has, when this version comes; 0: nothing
	Later      bool                // production has this version, or a later one, already
	Brings     []history.VersionSummary
	Tickets    []string
	Runs       []stageReport
	Tests      testReport
}

// A wayOn leads to something that can be done with a version.
type wayOn struct{ Words, Path string }

// A whereabout says what became of a version in one environment.
type whereabout struct {
	Environment andon.EnvironmentName
	Look        string
	Words       string
	Since       time.Time // zero: it says nothing
	Path        string    // of the deployment; empty: there was none
	URL         string    // where it answers
}

// describeVersion says which version's page is asked for.
func (p *pages) describeVersion(r *http.Request) (livePage, error) {
	number, err := versionNumber(r.PathValue("number"))
	if err != nil {
		return livePage{}, err
	}
	ref := andon.VersionRef{Service: andon.ServiceName(r.PathValue("service")), Number: number}
	return livePage{
		path: versionPath(ref), title: ref.String(), class: "version", template: p.version,
		parts: []string{"version-head", "version-waits", "whereabouts", "changes", "stages", "tests", "version-deployments"}, about: aboutService(ref.Service),
		read: func(ctx context.Context) (any, error) { return p.readVersion(ctx, ref) },
	}, nil
}

func versionPath(v andon.VersionRef) string {
	return "/services/" + string(v.Service) + "/versions/" + v.Number.String()
}

func (p *pages) readVersion(ctx context.Context, ref andon.VersionRef) (page versionPage, err error) {
	if page.Version, err = p.History.Version(ctx, ref); err != nil {
		return page, err
	}
	if page.Pipeline != nil {
		page.Production = page.Pipeline.Production()
	}
	err = p.Engine.View(ctx, func(s *line.State) { page.present(s, p.Engine.Now()) })
	if err != nil {
		return page, err
	}
	if err := p.readChanges(ctx, &page); err != nil {
		return page, err
	}
	page.Runs = reportStages(page.Version)
	page.Tests = reportTests(page.Runs)
	return page, nil
}

// present reads what is so now.
func (page *versionPage) present(s *line.State, now time.Time) {
	page.At, page.Look = ended(page.VersionSummary)
	if v := s.Version(page.VersionRef); v != nil {
		w := way(v)
		page.At, page.Look, page.Since = w.At, w.Look, w.Since
		page.Ways = waysOn(v)
	}
	all := s.WaitingFor(page.Service, now)
	mine := func(w andon.Wait) bool { return w.Version == page.Number }
	begin := begins(all)
	page.Waits = reasons(s, all, func(w andon.Wait) bool { return mine(w) && begin(w) })
	for _, env := range s.EnvironmentsInOrder() {
		at := andon.Place{Service: page.Service, Environment: env}
		known := s.PlaceOf(at)
		if known != nil || page.goesTo(env) {
			page.Places = append(page.Places, page.whereabout(known, readPlace(s, at)))
		}
	}
	if known := s.PlaceOf(andon.Place{Service: page.Service, Environment: page.Production}); known != nil && known.Live != nil {
		page.Before = known.Live.Version
	}
}

// goesTo reports whether a stage of the version deploys to an environment.
func (page *versionPage) goesTo(env andon.EnvironmentName) bool {
	if page.Pipeline == nil {
		return false
	}
	_, _, ok := page.Pipeline.StageFor(env)
	return ok
}

// ended says how the way of a version ended that the line does not keep any more.
func ended(v history.VersionSummary) (words, look string) {
	if v.Outcome == andon.Succeeded {
		return string(v.Maturity), maturityLook(v.Maturity)
	}
	return string(v.Outcome), "failed"
}

// waysOn returns what can be done with a version. What exactly it would do, and whether it may be
// done, their pages say.
func waysOn(v *line.Version) []wayOn {
	var ways []wayOn
	path := versionPath(v.Ref)
	stage := v.Stage()
	switch {
	case v.Open() && v.Pipeline != nil:
		if st, _, ok := v.Pipeline.Stage(stage); ok && v.Run == nil && st.Approval != nil && v.Admitted != stage {
			ways = append(ways, wayOn{"Promote into " + string(stage) + " …", path + "/promote"})
		}
		ways = append(ways, wayOn{"Cancel …", path + "/cancel"})
	case !v.Open() && v.Ended.Outcome == andon.Superseded:
		ways = append(ways, wayOn{"Take up again …", path + "/promote"})
	case !v.Open() && v.Ended.Outcome != andon.Succeeded && v.Pipeline != nil:
		ways = append(ways, wayOn{"Run again …", path + "/rerun"})
	}
	if v.Artifact != nil && v.Trunk && v.Pipeline != nil && v.Pipeline.Run != nil && v.Maturity != andon.Quarantined {
		ways = append(ways, wayOn{"Deploy …", path + "/deploy"})
	}
	return ways
}

// whereabout says what became of the version in a place.
func (page *versionPage) whereabout(known *line.Place, at place) whereabout {
	w := whereabout{Environment: at.Environment, Look: "ahead", Words: "never there"}
	last := slices.IndexFunc(page.Deployments, func(d history.DeploymentSummary) bool { return d.Environment == at.Environment })
	if last >= 0 {
		d := page.Deployments[last]
		w.Path, w.Since = deploymentPath(page.Service, d.ID), d.Ended
		w.Look, w.Words = outcomeLook(d.Outcome), "was live there"
		if d.Outcome != andon.Succeeded {
			w.Words = cmp.Or(string(d.Outcome), "queued")
		} else if at.Live > 0 {
			w.Words = "was live there; now version " + at.Live.String() + " is"
		}
	}
	switch {
	case at.Moving != nil && at.Moving.Version == page.Number:
		w.Look, w.Words, w.Since, w.Path = "moving", "comes: "+at.Moving.Step, time.Time{}, deploymentPath(page.Service, at.Moving.ID)
	case at.Live == page.Number:
		w.Look, w.Words, w.Since, w.URL = "done", "live", at.Since, at.URL
		if at.Healthy < at.Wanted {
			w.Words = "live, with " + strconv.Itoa(at.Healthy) + " of " + strconv.Itoa(at.Wanted) + " copies healthy"
		}
	case known != nil && known.Warm != nil && known.Warm.Release.Version == page.Number:
		w.Words = "stays warm, without requests"
	}
	return w
}

// readChanges reads what the version brings to production, or brought, and the tickets of that.
func (p *pages) readChanges(ctx context.Context, page *versionPage) (err error) {
	if page.Brings, err = p.brought(ctx, page); err != nil {
		return err
	}
	named := []andon.VersionNumber{page.Number}
	for _, v := range page.Brings {
		named = append(named, v.Number)
	}
	page.Tickets, err = p.History.Tickets(ctx, page.Service, named)
	return err
}

// brought returns the versions whose changes come to production with this one, or came.
func (p *pages) brought(ctx context.Context, page *versionPage) ([]history.VersionSummary, error) {
	for _, d := range slices.Backward(page.Deployments) { // the first one that made it live
		if d.Environment == page.Production && d.Kind == andon.DeployForward && d.Outcome == andon.Succeeded {
			page.Before, page.Later = d.Previous, true
			break
		}
	}
	if page.Before >= page.Number && !page.Later {
		page.Later = true // a later one went there
		return nil, nil
	}
	plan := andon.Plan{Place: andon.Place{Service: page.Service}, Release: andon.Release{Version: page.Number}}
	if page.Before > 0 {
		plan.Previous = &andon.Release{Version: page.Before}
	}
	return p.History.Between(ctx, plan)
}

// catchUp waits for the read models to reach a position. A history that is late is shown as it is.
func (p *pages) catchUp(ctx context.Context, position andon.Seq) { _ = p.caughtUp(ctx, position) }

// caughtUp is catchUp for what draws itself again: it returns errLate when the history is late.
func (p *pages) caughtUp(ctx context.Context, position andon.Seq) error {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	if p.History.WaitFor(ctx, position) != nil {
		return errLate
	}
	return nil
}
