package web

import (
	"bytes"
	"context"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
)

// mostSheets bounds the pages that are kept drawn besides those that somebody follows now. One is
// some tens of kilobytes.
const mostSheets = 64

// Sheets keeps the live pages drawn that were asked for last. A page that is followed longer goes
// on living with its readers.
type sheets struct {
	epoch int64 // of all of them

	mu     sync.Mutex
	byPath map[string]*sheet
	recent []string // the paths, those asked for last at the end
}

func newSheets(epoch int64) *sheets { return &sheets{epoch: epoch, byPath: map[string]*sheet{}} }

// of returns the sheet of a path; when it is not kept, it is made.
func (s *sheets) of(path string, make func() *sheet) *sheet {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := slices.Index(s.recent, path); at >= 0 {
		s.recent = append(slices.Delete(s.recent, at, at+1), path)
		return s.byPath[path]
	}
	if len(s.recent) >= mostSheets {
		delete(s.byPath, s.recent[0])
		s.recent = slices.Delete(s.recent, 0, 1)
	}
	made := make()
	s.byPath[path], s.recent = made, append(s.recent, path)
	return made
}

// A livePage is a page whose parts are always the same ones, each drawn by a template that is
// called like the part.
type livePage struct {
	path     string // with the query that matters
	title    string
	class    string // of the style sheet
	template *template.Template
	parts    []string
	about    func(services map[andon.ServiceName]bool) bool // as of a sheet
	// read reads what all parts show. The history has caught up when it is called.
	read func(ctx context.Context) (any, error)
}

// liveFrame is what the frame of a live page is drawn from.
type liveFrame struct {
	Title, Class, Live, Edition string
	Parts                       []template.HTML
}

// liveSuffix is what the path of a page's stream has more than the page's.
const liveSuffix = "/live"

// handleLive serves pages at a path of the mux, and their changes below it. describe says which page
// is asked for.
func (p *pages) handleLive(mux *http.ServeMux, path string, describe func(r *http.Request) (livePage, error)) {
	serve := func(answer func(http.ResponseWriter, *http.Request, *sheet)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			page, err := describe(r)
			if err != nil {
				p.fail(w, r, err)
				return
			}
			answer(w, r, p.sheets.of(page.path, func() *sheet { return p.liveSheet(page) }))
		}
	}
	mux.HandleFunc("GET "+path, serve(p.show))
	mux.HandleFunc("GET "+path+liveSuffix, serve(p.follow))
}

func (p *pages) liveSheet(page livePage) *sheet {
	draw := func(ctx context.Context, _ map[andon.ServiceName]bool, _ bool) ([]drawn, error) {
		late := p.caughtUp(ctx, p.Engine.Head())
		data, err := page.read(ctx)
		if err != nil {
			return nil, err
		}
		parts := make([]drawn, len(page.parts))
		for i, name := range page.parts {
			parts[i] = part(page.template, name, name, data)
		}
		return parts, late
	}
	path, query, _ := strings.Cut(page.path, "?")
	if query != "" {
		query = "?" + query
	}
	frame := func(parts []drawn, edition string) ([]byte, error) {
		f := liveFrame{Title: page.title, Class: page.class, Live: path + liveSuffix + query, Edition: edition}
		for _, part := range parts {
			f.Parts = append(f.Parts, part.html)
		}
		var body bytes.Buffer
		err := page.template.ExecuteTemplate(&body, "frame", f)
		return body.Bytes(), err
	}
	return &sheet{engine: p.Engine, epoch: p.sheets.epoch, about: page.about, draw: draw, frame: frame, fixed: true}
}

// aboutService is what the page of one service is about.
func aboutService(name andon.ServiceName) func(map[andon.ServiceName]bool) bool {
	return func(services map[andon.ServiceName]bool) bool { return services[name] }
}
