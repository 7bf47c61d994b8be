package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// A lookup returns the route that a request follows now, nil if there is none.
type lookup func(*table) *route

// ServeHTTP carries a request that came in by a public listener: its host says where to.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.certs != nil && s.inTheClear(w, r) {
		return
	}
	s.carry(w, r, func(t *table) *route { return t.routeOf(r.Host) })
}

// inTheClear answers what a proxy that speaks TLS answers itself to those who do not: authorities
// that look who is here, and, if it is so set, clients that should have come by TLS.
func (s *server) inTheClear(w http.ResponseWriter, r *http.Request) bool {
	from := originOf(r)
	if from.secure {
		return false
	}
	if s.certs.challenge(w, r) {
		return true
	}
	if !s.config.Redirect || from.scheme(r) == "https" || s.table.Load().routeOf(r.Host) == nil || !strings.HasPrefix(r.RequestURI, "/") {
		return false
	}
	to := "https://" + canonicalHost(r.Host)
	if s.tlsPort != 443 {
		to += ":" + strconv.Itoa(s.tlsPort)
	}
	w.Header().Set("Location", to+r.RequestURI)
	say(w, http.StatusPermanentRedirect, "This host is reached by HTTPS.")
	return true
}

// carry takes one request to a copy and its answer back, and notes it in the access log.
func (s *server) carry(w http.ResponseWriter, r *http.Request, find lookup) {
	if s.access == nil {
		s.carryCounted(w, r, find)
		return
	}
	began, logged := clock(), &loggedWriter{ResponseWriter: w}
	s.access.open.Add(1)
	defer func() { s.access.note(logged, r, originOf(r).client(r, s.config.Trusted), clock()-began) }()
	s.carryCounted(logged, r, find)
}

// carryCounted counts the request: as started when it is known whose it is, and exactly once as
// ended.
func (s *server) carryCounted(w http.ResponseWriter, r *http.Request, find lookup) {
	if r.Method == http.MethodConnect {
		say(w, http.StatusMethodNotAllowed, "This is not a forward proxy: it does not take CONNECT.")
		return
	}
	if r.ProtoMajor == 2 && !sayable(r) {
		say(w, http.StatusBadRequest, "The request's method or host cannot be told to the service.")
		return
	}
	if rt := find(s.table.Load()); rt != nil && rt.spec.MaxBody > 0 && r.ContentLength > rt.spec.MaxBody {
		sayTooLarge(w, rt.spec.MaxBody)
		return
	}
	f := newFlight(w)
	rt, found := s.assign(f, r, find, nil)
	if rt == nil {
		f.free()
		if s.table.Load().untold {
			w.Header().Set("Retry-After", "1")
			say(w, http.StatusServiceUnavailable, "The services of this host are being started. Try again in a moment.")
			return
		}
		say(w, http.StatusNotFound, fmt.Sprintf("No service here has the host name %.100q.", canonicalHost(r.Host)))
		return
	}
	f.ledger = rt.ledger
	if logged, ok := w.(*loggedWriter); ok {
		f.entry = &logged.entry
		f.entry.place, f.entry.ledger = rt.spec.Place, rt.spec.Ledger
	}
	f.ledger.lane.started.Add(1)
	if !found {
		f.count(failed)
		f.free()
		w.Header().Set("Retry-After", "1")
		if len(rt.targets) > 0 {
			say(w, http.StatusServiceUnavailable, fmt.Sprintf("%s has as many requests at once as it may have. Try again in a moment.", rt.spec.Place))
			return
		}
		say(w, http.StatusServiceUnavailable, fmt.Sprintf("No healthy copy of %s can take the request now. Try again in a moment.", rt.spec.Place))
		return
	}
	f.maxBody = rt.spec.MaxBody
	stop := context.AfterFunc(r.Context(), func() { f.abort(clientGone) })
	returned := false
	defer func() {
		f.count(failed) // it is counted already, unless something panicked
		f.leave()
		if stop() && returned {
			f.free() // else the abort of a client that has just gone still uses the flight
		}
	}()
	broken := s.exchange(f, w, r, find)
	returned = true
	if broken {
		// The client must see that its answer is not complete: end the connection.
		if c := clientFrom(r); c != nil && r.ProtoMajor == 1 && r.ProtoMinor == 0 {
			c.reset.Store(true) // the end of the connection would be that of the answer
		}
		panic(http.ErrAbortHandler)
	}
}

// assign puts the flight on a target of the route that is in force. It returns no route if
// there is none, and false if the route has no target (but the one to avoid), or is full.
func (s *server) assign(f *flight, r *http.Request, find lookup, avoid *target) (*route, bool) {
	for {
		rt := find(s.table.Load())
		if rt == nil {
			return nil, false
		}
		if avoid == nil && rt.full() {
			return rt, false
		}
		var c *choice
		stuck := false
		if rt.sticky != nil && avoid == nil {
			c = rt.stuck(r)
			stuck = c != nil
		}
		if c == nil {
			c = rt.pick(avoid)
		}
		if c == nil {
			return rt, false
		}
		if c.begin(f) {
			f.attempt = attempt{bucket: -1}
			if f.ledger == nil || f.ledger == rt.ledger { // else a switch came between two attempts
				f.attempt.group = c.group
			}
			f.cookieName, f.cookie = rt.spec.Sticky, c.cookie
			if stuck {
				f.cookie = ""
			}
			return rt, true
		}
		// The route was switched between the two: the next table has another target. The loop
		// ends because a target that is closed is in no table that is loaded later.
	}
}

// exchange sends the request and delivers the answer. It reports true if the answer was begun
// and cannot be completed.
func (s *server) exchange(f *flight, w http.ResponseWriter, r *http.Request, find lookup) (broken bool) {
	out, err := s.outgoing(f, r)
	if err != nil {
		f.count(gone)
		say(w, http.StatusBadRequest, "The request's body could not be read.")
		return false
	}
	c, a, err := s.send(f, w, out, find)
	if err != nil {
		return f.answerFailure(w, err, r.ProtoMajor == 1 && out.upload != nil && !out.upload.whole.Load())
	}
	f.tell(w.Header(), out.from, r)
	if a.status == http.StatusSwitchingProtocols {
		return f.upgrade(w, c, a)
	}
	if s.leaving.Load() {
		// Another process has taken over: the client's next connection goes there.
		w.Header()["Connection"] = []string{"close"}
	}
	whole, broken := f.deliver(w, r, c, a, out.upload)
	uploaded := out.finish(f)
	why := f.detach()
	if whole && uploaded && a.reusable && why == notAborted && c.reader.Buffered() == 0 && f.target.keep(c) {
		return broken
	}
	c.Close()
	return broken
}

// answerFailure answers for a copy that did not. It reports true if the client cannot be answered.
// last says that the client's connection cannot carry another request: the rest of this one's
// body would be taken for it.
func (f *flight) answerFailure(w http.ResponseWriter, err error, last bool) (broken bool) {
	clear(w.Header())
	if last {
		w.Header()["Connection"] = []string{"close"}
	}
	switch why := f.detach(); {
	case why == tooLarge:
		f.count(gone)
		sayTooLarge(w, f.maxBody)
	case why == clientGone || errors.Is(err, errClientBody):
		f.count(gone)
		return true
	case why == cutOff:
		f.count(failed)
		return true
	case why == timedOut:
		f.count(failed)
		say(w, http.StatusGatewayTimeout, "The service did not answer in time.")
	case errors.Is(err, errMalformed):
		f.count(failed)
		say(w, http.StatusBadGateway, "The service gave an answer that is not valid HTTP.")
	default:
		f.count(failed)
		say(w, http.StatusBadGateway, "The service ended the connection before it answered, or could not be reached.")
	}
	return false
}

// say answers for the proxy itself, in one sentence.
func say(w http.ResponseWriter, status int, sentence string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, sentence+"\n") // the client may be gone
}

func sayTooLarge(w http.ResponseWriter, limit int64) {
	say(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("The request's body is larger than the %d bytes that this service takes.", limit))
}
