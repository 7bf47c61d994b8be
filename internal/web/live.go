package web

import (
	"net/http"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// How readers of a live page are served.
const (
	heartbeat = 15 * time.Second       // how often a stream without changes shows that it lives
	pace      = 100 * time.Millisecond // from one event of a stream to the next at least: many changes, few events
)

// show answers with a page that looks the same to everybody.
func (p *pages) show(w http.ResponseWriter, r *http.Request, s *sheet) {
	compressed := takesGzip(r)
	body, err := s.whole(r.Context(), compressed)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Encoding")
	if compressed {
		h.Set("Content-Encoding", "gzip")
	}
	// The browser may be gone; there is nobody else to tell.
	_, _ = w.Write(body)
}

// follow sends the changes of a sheet as server-sent events from the edition on that the reader
// has. A connection that was lost goes on where it ended.
func (p *pages) follow(w http.ResponseWriter, r *http.Request, s *sheet) {
	edition := r.URL.Query().Get("after")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		edition = last
	}
	out, there := newOutlet(w, takesGzip(r))
	if !there {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	rest := time.NewTicker(pace)
	defer rest.Stop()
	for {
		told, now, news, err := s.since(r.Context(), edition)
		switch {
		case andon.KindOf(err) == andon.KindNotFound: // what the page is about is gone
			out.send(fetchAnew())
			return
		case err != nil:
			return // the reader comes again
		}
		edition = now
		if len(told.text) > 0 {
			if !out.send(told) {
				return
			}
			select {
			case <-rest.C:
			case <-r.Context().Done():
				return
			}
		}
		select {
		case <-news:
		case <-beat.C:
			if !out.send(stillHere()) {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}
