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
	sendLimit = 10 * time.Second       // for one event; a reader who is slower is cut off, and comes again
)

// show answers with a page that looks the same to everybody.
func (p *pages) show(w http.ResponseWriter, r *http.Request, s *sheet) {
	compressed := takesGzip(r)
	body, err := s.whole(r.Context(), compressed)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.writeSheet(w, body, compressed)
}

// writeSheet answers with a whole sheet, compressed if the browser takes that.
func (p *pages) writeSheet(w http.ResponseWriter, body []byte, compressed bool) {
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

// stillHere is what a stream without changes says. It never changes.
var stillHere = newEvent([]byte(":\n\n"))

// follow sends the changes of a sheet as server-sent events from the edition on that the reader
// has. A connection that was lost goes on where it ended.
func (p *pages) follow(w http.ResponseWriter, r *http.Request, s *sheet) {
	edition := r.URL.Query().Get("after")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		edition = last
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	h.Add("Vary", "Accept-Encoding")
	compressed := takesGzip(r)
	control := http.NewResponseController(w)
	write := func(b []byte) bool {
		// Not every writer can be given a deadline; one that cannot is a test's.
		_ = control.SetWriteDeadline(time.Now().Add(sendLimit))
		if _, err := w.Write(b); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	send := func(e event) bool {
		if compressed {
			return write(e.packed)
		}
		return write(e.text)
	}
	if compressed {
		h.Set("Content-Encoding", "gzip")
		if !write(gzipHeader) {
			return
		}
	}
	if !send(newEvent([]byte("retry: 1000\n\n"))) {
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
			send(newEvent([]byte("event: anew\ndata: {}\n\n")))
			return
		case err != nil:
			return // the reader comes again
		}
		edition = now
		if len(told.text) > 0 {
			if !send(told) {
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
			if !send(stillHere) {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}
