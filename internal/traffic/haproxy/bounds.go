package haproxy

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// A bounds is what a route says of its requests, beside where they go. A map of HAProxy's has them
// for each backend that has some, so that they are set up in the dark as its slots are.
type bounds struct {
	MaxBody     int64 `json:",omitempty"`
	MaxInFlight int64 `json:",omitempty"`
	Sticky      bool  `json:",omitempty"`
}

const boundsName = "bounds.map"

// The keys of a backend in the map are its name with one of these behind it.
const (
	bodyKey     = ":body"
	inFlightKey = ":flight"
	stickyKey   = ":sticky"
)

var boundKeys = [...]string{bodyKey, inFlightKey, stickyKey} // never changes

func boundsOf(r traffic.Route) bounds {
	return bounds{MaxBody: r.MaxBody, MaxInFlight: r.MaxInFlight, Sticky: r.Sticky != ""}
}

// validateBounds says what is wrong with what a route says of its requests.
func validateBounds(r traffic.Route) string {
	switch {
	case r.Sticky != "" && r.Sticky != andon.StickyCookie:
		return fmt.Sprintf("has the cookie %q, and HAProxy's is always %s", r.Sticky, andon.StickyCookie)
	case r.MaxInFlight < 0 || r.MaxBody < 0:
		return "has a negative limit"
	}
	return ""
}

// bounding are the entries of the map for the backend.
func (b *backend) bounding() (all []entry) {
	if b.Bounds.MaxBody > 0 {
		all = append(all, entry{b.name() + bodyKey, strconv.FormatInt(b.Bounds.MaxBody, 10)})
	}
	if b.Bounds.MaxInFlight > 0 {
		all = append(all, entry{b.name() + inFlightKey, strconv.FormatInt(b.Bounds.MaxInFlight, 10)})
	}
	if b.Bounds.Sticky {
		all = append(all, entry{b.name() + stickyKey, "1"})
	}
	return all
}

// bind returns the commands after which the bounds hold, whatever the backend had before.
func (b *backend) bind() []string {
	commands := b.unbind()
	for _, e := range b.bounding() {
		commands = append(commands, "add map "+boundsName+" "+e.key+" "+e.value)
	}
	return commands
}

// unbind returns the commands after which the backend has no bounds. They answer with a complaint
// for each that it did not have.
func (b *backend) unbind() (commands []string) {
	for _, key := range boundKeys {
		commands = append(commands, "del map "+boundsName+" "+b.name()+key)
	}
	return commands
}

// bounded adds what "show map" of the bounds has of the backends to what is known of them.
func bounded(text string, fresh []*backend, has map[string]string) {
	shown := map[string]string{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 3 {
			shown[f[1]] = f[2]
		}
	}
	for _, b := range fresh {
		for _, key := range boundKeys {
			if value, ok := shown[b.name()+key]; ok {
				has[b.name()+key] = value
			}
		}
	}
}

// bounding are the entries of the map for the backends that requests come to.
func (t *table) bounding() (all []entry) {
	for _, b := range t.Backends {
		if t.current(b) {
			all = append(all, b.bounding()...)
		}
	}
	return all
}

// newKey returns what the cookies of sticky routes are made with: nobody can make one without it.
func newKey() string { return rand.Text() }

// boundBodies are the rules of a frontend, once it is known which backend a request is for. A
// request whose length nobody knows in advance is refused where there is a limit: HAProxy cannot
// end it in the middle. Who sends a body without asking first is listened to for a moment
// (timeout tarpit): HAProxy would close the connection, and with it the answer would be lost.
func boundBodies(b *strings.Builder) {
	const tooLarge = `content-type "text/plain; charset=utf-8" string "The request's body is larger than what this service takes."`
	fmt.Fprintf(b, `	http-request set-var(txn.body) var(txn.be),concat(%[1]s),map_str_int(%[2]s)
	http-request tarpit status 411 content-type "text/plain; charset=utf-8" string "This service takes bodies of a limited size: say in the request's head how long it is." if { var(txn.body) -m found } { req.hdr(transfer-encoding) -m found }
	http-request return status 413 %[3]s if { var(txn.body) -m found } { req.body_size,sub(txn.body) gt 0 } { req.hdr(expect) -m found }
	http-request tarpit status 413 %[3]s if { var(txn.body) -m found } { req.body_size,sub(txn.body) gt 0 }
`, bodyKey, boundsName, tooLarge)
}

// boundBackend are the rules of a backend. Its cookies count for nothing, and are not given, unless
// its route is sticky.
func boundBackend(b *strings.Builder, name string) {
	fmt.Fprintf(b, `	ignore-persist if !{ str(%[1]s%[2]s),map_str(%[4]s) -m found }
	http-request set-var(txn.flight) str(%[1]s%[3]s),map_str_int(%[4]s)
	http-request return status 503 content-type "text/plain; charset=utf-8" hdr Retry-After 1 string "The service has as many requests at once as it may have. Try again in a moment." if { var(txn.flight) -m found } { be_conn,sub(txn.flight) gt 0 }
`, name, stickyKey, inFlightKey, boundsName)
}
