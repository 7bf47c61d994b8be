package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/logs"
)

// handleLogs adds the pages of logs. A stream is called task/… or instance/…, so that the words
// before some of them name no stream.
func (p *pages) handleLogs(mux *http.ServeMux) {
	mux.HandleFunc("GET /logs/{stream...}", p.showLog)
	mux.HandleFunc("GET /logs/rows/{stream...}", p.showRows)
	mux.HandleFunc("GET /logs/live/{stream...}", p.followLog)
	mux.HandleFunc("GET /logs/search/{stream...}", p.showSearch)
	mux.HandleFunc("GET /logs/raw/{stream...}", p.sendRaw)
}

// A logPage is a log, of which a window is drawn.
type logPage struct {
	logView
	Subject   logSubject
	Info      logs.Info
	AtEnd     bool // the reader begins at the end
	Window    window
	Found     *logSearch
	Previous  string // the link to the window before; empty: there is none
	Following string
	Links     struct{ First, End, NoTimes, UTC, Since string }
}

// A logSubject is what writes a log.
type logSubject struct {
	Title string
	Link  string // to the page of what it belongs to; empty: that is not known
	Of    string // what that is
	Note  string
	Ended bool // nothing will be written any more
	Good  bool // it ended well, so that a reader begins at the beginning
}

func (p *pages) showLog(w http.ResponseWriter, r *http.Request) {
	v, err := readLogView(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page := logPage{logView: v}
	if page.Subject, err = p.subjectOf(r.Context(), v.Stream); err != nil {
		p.fail(w, r, err)
		return
	}
	if v.Line == 0 && page.Subject.Good {
		v.Line, v.Last = 1, 0
	}
	page.AtEnd = v.Line == 0
	if page.Info, err = p.Logs.Info(v.Stream); err == nil {
		page.Window, err = p.around(v)
	}
	if andon.KindOf(err) == andon.KindNotFound {
		page.Window, err = window{Stream: v.Stream, First: 1, Next: 1, Shows: v.Times}, nil // nothing was written yet
	}
	if err == nil {
		page.Found, err = p.search(r, v)
	}
	if r.Context().Err() != nil {
		return
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page.link()
	p.render(w, r, p.log, "frame", page)
}

// link adds the links that a reader without a script needs.
func (l *logPage) link() {
	end := max(1, l.Window.Total)
	to := func(line int64) string { return l.query(line, l.turned) + "#L" + strconv.FormatInt(line, 10) }
	l.Links.First, l.Links.End = to(1), to(end)
	if l.Window.First > 1 && l.Window.Total > 0 {
		l.Previous = to(max(1, l.Window.First-1))
	}
	if l.Window.Next <= l.Window.Total {
		l.Following = to(min(end, l.Window.Next+aboveRows))
	}
	for times, link := range map[string]*string{timesNone: &l.Links.NoTimes, timesUTC: &l.Links.UTC, timesSince: &l.Links.Since} {
		v := l.logView
		v.Times = times
		*link = v.query(max(l.Line, l.Window.First), l.turned)
	}
}

// subjectOf finds out what writes a log; andon.KindNotFound when nothing does, and there is no log.
func (p *pages) subjectOf(ctx context.Context, stream string) (logSubject, error) {
	info, err := p.Logs.Info(stream)
	if err != nil && andon.KindOf(err) != andon.KindNotFound {
		return logSubject{}, err
	}
	s, known := p.taskOf(ctx, stream)
	if !known {
		s, known = p.copyOf(ctx, stream)
	}
	if err != nil && !known {
		return logSubject{}, err
	}
	if !known {
		s = logSubject{Title: stream}
	}
	s.Ended = s.Ended || info.Finished
	return s, nil
}

// taskOf tells of the attempt at a task that writes a log.
func (p *pages) taskOf(ctx context.Context, stream string) (s logSubject, known bool) {
	words := strings.Split(stream, "/")
	if len(words) != 3 || words[0] != "task" {
		return s, false
	}
	task, err := p.History.Task(ctx, andon.TaskID(words[1]))
	if err != nil {
		return s, false // a log outlives what the history knows of it, or comes before it
	}
	s.Title = fmt.Sprintf("%s %s", task.Version, task.Stage)
	if task.Job != "" {
		s.Title += " / " + string(task.Job)
	} else if task.Instance != "" {
		s.Title = fmt.Sprintf("%s of %s", task.Kind, task.Instance)
	}
	s.Of, s.Link = fmt.Sprintf("version %d of %s", task.Version.Number, task.Version.Service), versionPath(task.Version)
	for _, a := range task.Attempts {
		if strconv.Itoa(a.Number) != words[2] {
			continue
		}
		s.Note = "on " + string(a.Agent)
		if a.Number > 1 {
			s.Note = fmt.Sprintf("attempt %d %s", a.Number, s.Note)
		}
		s.Ended = !a.Ended.IsZero()
		if a.Result != nil {
			s.Note += ", " + string(a.Result.Outcome)
			s.Good = a.Result.Outcome == andon.Succeeded
		}
		return s, true
	}
	return s, false
}

// copyOf tells of the copy of a service that writes a log.
func (p *pages) copyOf(ctx context.Context, stream string) (s logSubject, known bool) {
	name, ok := strings.CutPrefix(stream, "instance/")
	if !ok {
		return s, false
	}
	id := andon.InstanceID(name)
	d, err := p.History.Deployment(ctx, andon.DeploymentID(id.Group()))
	if err != nil {
		return s, false
	}
	s = logSubject{Title: string(id), Of: "deployment " + string(d.ID), Link: deploymentPath(d.Service, d.ID)}
	s.Note = fmt.Sprintf("a copy of %s in %s, gone", andon.VersionRef{Service: d.Service, Number: d.Version}, d.Environment)
	s.Ended = !d.Ended.IsZero()
	// A state that cannot be viewed is that of a server which stops.
	_ = p.Engine.View(ctx, func(state *line.State) {
		if at := state.Places[d.Key()]; at != nil && at.Copies[id] != nil {
			s.Note, s.Ended = fmt.Sprintf("a copy of %s in %s", andon.VersionRef{Service: d.Service, Number: d.Version}, d.Environment), false
		}
	})
	return s, true
}
