package proxy

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

func benchServer(b *testing.B, address string, places int) (*server, []traffic.Route) {
	dir := b.TempDir()
	lane, err := lockLane(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	led, err := openLedgers(dir, lane, log)
	if err != nil {
		b.Fatal(err)
	}
	s := newServer(dir, Settings{}, led, log, func() {})
	var routes []traffic.Route
	for i := range places {
		p := andon.Place{Service: andon.ServiceName(fmt.Sprintf("s%d", i)), Environment: "production"}
		routes = append(routes, traffic.Route{Place: p, Generation: 1, Hosts: []string{string(p.Service) + ".localhost"}, Ledger: andon.NewDeploymentID(p, 1),
			Targets: []traffic.Target{{Instance: "a", Address: address, Weight: 1}}})
	}
	if _, err := s.apply(applyCall{Full: true, Set: routes}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.leave(b.Context(), 0, 0); led.close() })
	return s, routes
}

// BenchmarkSwitch is one changed route of 1,000, without the control call.
func BenchmarkSwitch(b *testing.B) {
	s, routes := benchServer(b, "127.0.0.1:1", 1000)
	for b.Loop() {
		routes[0].Generation++
		if _, err := s.apply(applyCall{Base: s.revisionNow(), Set: routes[:1]}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCarry is one request to a real copy, without the client's connection.
func BenchmarkCarry(b *testing.B) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer backend.Close()
	s, _ := benchServer(b, strings.TrimPrefix(backend.URL, "http://"), 1)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host, r.Body = "s0.localhost", http.NoBody
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != http.StatusOK {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}

// BenchmarkAttempt is what counting by group adds to a request.
func BenchmarkAttempt(b *testing.B) {
	s, routes := benchServer(b, "127.0.0.1:1", 1)
	group := s.table.Load().route(routes[0].Place).targets[0].group
	b.ReportAllocs()
	for b.Loop() {
		began := clock()
		a := attempt{group: group, bucket: -1}
		a.answered(http.StatusOK, clock()-began)
		a.end(false)
	}
}
