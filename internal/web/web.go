// Package web serves the pages: drawn on the server, live by server-sent events, readable without
// JavaScript. It reads the line through the engine and the past through the history.
package web

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/logs"
	"github.com/andon-cd/andon/internal/metrics"
)

//go:embed static templates
var files embed.FS

// policy lets a page load nothing but what the plant itself serves, and be framed by nobody.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Config is what the pages read from.
type Config struct {
	Engine  *engine.Engine
	History *history.History
	Logs    *logs.Store
}

// pages serve everything that is not the API.
type pages struct {
	Config
	board, version, deployment, changePage, flow, measures, measure, maturity, audit, log, failure *template.Template

	sheet        *sheet // of the board of all services
	sheets       *sheets
	service      servicePages
	environments environmentPages
	forms        once
}

// New returns the handler of the pages. Whoever calls it has checked who asks.
func New(config Config) http.Handler {
	p := &pages{
		Config: config,
		board:  parse("board.html"), version: parse("live.html", "version.html", "lists.html"), failure: parse("failure.html"),
		deployment: parse("live.html", "deployment.html"), changePage: parse("change.html"),
		flow: parse("flow.html"), measures: parse("measures.html"), measure: parse("measure.html"), maturity: parse("maturity.html"), audit: parse("audit.html"), log: parse("log.html"),
	}
	p.sheets = newSheets(time.Now().UnixNano())
	p.sheet = p.newWall("")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.showBoard)
	mux.HandleFunc("GET /board", p.showBoard)
	mux.HandleFunc("GET /board/live", p.followBoard)
	mux.HandleFunc("GET /board/next", p.turnBoard)
	p.handleServices(mux)
	p.handleEnvironments(mux)
	p.handleLive(mux, "/services/{service}/versions/{number}", p.describeVersion)
	p.handleLive(mux, "/services/{service}/deployments/{deployment}", p.describeDeployment)
	p.handleVerbs(mux)
	p.handleQueue(mux)
	p.handleSearch(mux)
	p.handleLogs(mux)
	mux.HandleFunc("GET /flow", p.showFlow)
	mux.HandleFunc("GET /measures", p.showMeasures)
	mux.HandleFunc("GET /measures/{measure}", p.showMeasure)
	mux.HandleFunc("GET /maturity", p.showMaturity)
	mux.HandleFunc("GET /audit", p.showAudit)
	mux.HandleFunc("GET /static/{name...}", p.serveAsset)
	mux.HandleFunc("/", p.nothing)
	pages := compressed(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		pages.ServeHTTP(w, r)
	})
}

func parse(names ...string) *template.Template {
	functions := template.FuncMap{
		"ago": ago, "took": took, "age": age, "since": lasting, "past": past, "instant": instant, "span": metrics.Short, "percent": metrics.Percent, "stepname": stepName, "doing": stepWords, "clock": clock,
		"spent":        func(from, to time.Time) string { return metrics.Short(to.Sub(from)) },
		"milliseconds": func(n int64) string { return took(time.Duration(n) * time.Millisecond) },
		"passed":       passed,
		"static":       assetPath,
		"cordpath":     cordPath,
		"person":       person,
		"marked":       marked,
		"bytes":        bytesOf,
		"short":        func(c andon.CommitID) string { return c.Short() },
		"digest":       func(d andon.Digest) string { return d.Short() },
	}
	set := template.Must(template.New(names[0]).Funcs(functions).Funcs(logFunctions).ParseFS(files, "templates/frame.html", "templates/period.html", "templates/plan.html"))
	for _, name := range names {
		template.Must(set.ParseFS(files, "templates/"+name))
	}
	return set
}

// render draws a page completely before anything of it is sent.
func (p *pages) render(w http.ResponseWriter, r *http.Request, t *template.Template, name string, data any) {
	var page bytes.Buffer
	if err := t.ExecuteTemplate(&page, name, data); err != nil {
		panic("web: a template does not fit its data: " + err.Error())
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	// The browser may be gone; there is nobody else to tell.
	_, _ = w.Write(page.Bytes())
}

// fail shows what went wrong and what to do next.
func (p *pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := visible(err)
	var page bytes.Buffer
	if err := p.failure.ExecuteTemplate(&page, "frame", e); err != nil {
		panic("web: a template does not fit its data: " + err.Error())
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(statusOf(e))
	_, _ = w.Write(page.Bytes())
}

// visible returns the error that people may see.
func visible(err error) *andon.Error {
	e, ok := errors.AsType[*andon.Error](err)
	if !ok {
		panic(err) // the guard in front logs it and answers for us
	}
	return e
}

func statusOf(e *andon.Error) int {
	switch e.Kind {
	case andon.KindNotFound:
		return http.StatusNotFound
	case andon.KindInvalid:
		return http.StatusBadRequest
	case andon.KindRefused:
		return http.StatusForbidden
	case andon.KindConflict:
		return http.StatusConflict
	case andon.KindUnavailable, andon.KindTimeout:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

func (p *pages) nothing(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, andon.Errorf(andon.KindNotFound, "There is no page %.200s.", r.URL.Path))
}

// person returns the name of an author, without the address that follows it.
func person(author string) string {
	if name, _, ok := strings.Cut(author, " <"); ok && name != "" {
		return name
	}
	return author
}

// marked writes a sentence with its commands, which are in backticks, as code.
func marked(sentence string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(sentence, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String()) //nolint:gosec // each part is escaped
}

// age writes since when something lasts, and past when something was, as elements that the browser
// keeps up to date: "3 min" and "3 min ago". Without a script they stay times, of UTC.
func age(since time.Time) template.HTML { return element(since, "", "") }

func past(at time.Time) template.HTML { return element(at, "", " ago") }

// lasting writes "since 2 Jan 15:04", which the script turns into "for 3 min".
func lasting(at time.Time) template.HTML { return element(at, "for ", "") }

// element writes a time, which the script turns into an age between lead and suffix.
func element(t time.Time, lead, suffix string) template.HTML {
	if t.IsZero() {
		return ""
	}
	written := t.UTC().Format("2 Jan 15:04")
	if lead != "" {
		lead, written = ` data-lead="`+lead+`"`, "since "+written
	}
	return template.HTML(`<time data-age="` + suffix + `"` + lead + ` datetime="` + instant(t) + `">` + written + `</time>`) //nolint:gosec // numbers and names of months
}

// instant writes a time for programs.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// clock writes a time of day of UTC, with the whole time for programs.
func clock(t time.Time) template.HTML {
	return template.HTML(`<time datetime="` + instant(t) + `">` + t.UTC().Format("15:04:05") + `</time>`) //nolint:gosec // numbers
}

// ago writes how long something has lasted in the largest unit that says enough.
func ago(since, now time.Time) string { return took(now.Sub(since)) }

func took(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	default:
		return strconv.Itoa(int(d.Hours()/24)) + " d"
	}
}
