package web

import (
	"net/http"
	"sync"
	"time"
)

// sendLimit is for one event; a reader who is slower is cut off, and comes again.
const sendLimit = 10 * time.Second

// An outlet is an answer that consists of server-sent events.
type outlet struct {
	w          http.ResponseWriter
	control    *http.ResponseController
	compressed bool
}

// What all streams say in the same words.
var (
	comeBack  = saying("retry: 1000\n\n") // a second after the connection was lost
	stillHere = saying(":\n\n")           // said where nothing changes
	fetchAnew = saying("event: anew\ndata: {}\n\n")
	logEnded  = saying("event: end\ndata: {}\n\n")
)

// saying returns an event that is packed once, when a stream first says it.
func saying(text string) func() event {
	return sync.OnceValue(func() event { return newEvent([]byte(text)) })
}

// newOutlet begins a stream, for a browser that takes it, compressed. The first event tells the
// browser to come back soon when it loses the connection; false: it is gone already.
func newOutlet(w http.ResponseWriter, compressed bool) (*outlet, bool) {
	s := &outlet{w: w, control: http.NewResponseController(w), compressed: compressed}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	h.Add("Vary", "Accept-Encoding")
	if compressed {
		h.Set("Content-Encoding", "gzip")
		if !s.write(gzipHeader) {
			return nil, false
		}
	}
	return s, s.send(comeBack())
}

// send sends an event. It returns false when the reader is gone.
func (s *outlet) send(e event) bool {
	if s.compressed {
		return s.write(e.packed)
	}
	return s.write(e.text)
}

func (s *outlet) write(b []byte) bool {
	// Not every writer can be given a deadline; one that cannot is a test's.
	_ = s.control.SetWriteDeadline(time.Now().Add(sendLimit))
	if _, err := s.w.Write(b); err != nil {
		return false
	}
	return s.control.Flush() == nil
}
