package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

type accessLine struct {
	Time                                          time.Time
	Service, Environment, Deployment, Instance    string
	Client, Protocol, Method, Host, Path, Outcome string
	Status                                        int
	Bytes                                         int64
	MS                                            float64
}

func readAccess(t *testing.T, files ...string) (lines []accessLine, text string) {
	t.Helper()
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
		for line := range strings.Lines(string(b)) {
			var a accessLine
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			lines = append(lines, a)
		}
	}
	return lines, text
}

func TestAccessLog_HasALineForEachRequestAndNoSecret(t *testing.T) {
	st := newStage(t, Settings{AccessLog: true}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/teapot" {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, "hello")
	}))
	for _, path := range []string{"/a%20b?token=secret", "/teapot", `/"\` + "\xff"} {
		st.ask("GET " + path + " HTTP/1.1\r\nHost: shop.localhost\r\nAuthorization: Bearer secret\r\nCookie: a=secret\r\nReferer: http://x/?secret\r\n\r\n")
	}
	st.ask("GET / HTTP/1.1\r\nHost: nobody.localhost\r\n\r\n")
	st.route.Targets = nil
	st.route.Generation++
	st.apply()
	st.ask("GET /none HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
	st.server.leave(context.Background(), 0, time.Minute)

	lines, text := readAccess(t, st.server.access.path)
	var got []string
	for _, a := range lines {
		got = append(got, fmt.Sprint(a.Method, " ", a.Path, " ", a.Status, " ", a.Bytes, " ", a.Outcome, " ", a.Instance))
		if a.Client != "127.0.0.1" || a.Service != "shop" || a.Environment != "production" || a.Deployment != "shop.production.1" ||
			a.Host != "shop.localhost" || a.Protocol != "HTTP/1.1" || a.MS <= 0 || time.Since(a.Time) > time.Minute {
			t.Errorf("line %+v", a)
		}
	}
	want := []string{"GET /a%20b 200 5 served shop.production.1.0", "GET /teapot 418 5 served shop.production.1.0",
		"GET /\"\\\ufffd 200 5 served shop.production.1.0"}
	if len(got) != 4 || !strings.HasPrefix(got[3], "GET /none 503 ") || !strings.HasSuffix(got[3], " failed ") || strings.Join(got[:3], "|") != strings.Join(want, "|") {
		t.Errorf("lines\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if strings.Contains(text, "secret") {
		t.Errorf("a secret is in the log: %s", text)
	}
}

func TestAccessLog_LosesNothingWhenTheProxyDrains(t *testing.T) {
	st := newStage(t, Settings{AccessLog: true}, dump)
	const clients, each = 4, 300
	var load sync.WaitGroup
	for range clients {
		load.Go(func() {
			conn := st.dial()
			defer conn.Close()
			r := bufio.NewReader(conn)
			for range each {
				_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
				answer, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		})
	}
	load.Wait()
	st.server.leave(context.Background(), 0, time.Minute)
	if lines, _ := readAccess(t, st.server.access.path); len(lines) != clients*each {
		t.Errorf("%d lines of %d requests", len(lines), clients*each)
	}
}

func TestAccessLog_IsBounded(t *testing.T) {
	a, err := openAccessLog(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.limit = 10 << 10
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.RequestURI = "/" + strings.Repeat("a", 1<<20) // a line has no more of it than accessPathMost
	place := andon.Place{Service: "shop", Environment: "production"}
	for range 200 {
		a.open.Add(1)
		a.note(&loggedWriter{entry: accessEntry{place: place}}, r, "127.0.0.1", time.Millisecond)
		a.mu.Lock()
		a.flush()
		a.mu.Unlock()
	}
	files := []string{a.path}
	for n := 1; n < accessFiles; n++ {
		files = append(files, fmt.Sprintf("%s.%d", a.path, n))
	}
	lines, text := readAccess(t, files...)
	if len(text) > accessFiles*(10<<10+3<<10) || len(lines) < 10 {
		t.Errorf("%d bytes in %d lines", len(text), len(lines))
	}
	if _, err := os.Stat(fmt.Sprintf("%s.%d", a.path, accessFiles)); err == nil {
		t.Error("there are more files than wanted")
	}
}

func BenchmarkAccessLog(b *testing.B) {
	a, err := openAccessLog(b.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://shop.localhost/", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.RequestURI = "/some/path?query"
	w := &loggedWriter{entry: accessEntry{place: testPlace, ledger: "shop.production.1", instance: "shop.production.1.0", outcome: "served"}}
	b.ReportAllocs()
	for b.Loop() {
		a.open.Add(1)
		a.note(w, r, "127.0.0.1", time.Millisecond)
	}
}
