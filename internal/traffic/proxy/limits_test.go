package proxy

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

var (
	// hasty are limits that a test can wait for, for clients that are to miss them. They have time for
	// their heads: a client that is only late with its own belongs to no place.
	hasty = limits{header: time.Minute, stall: 150 * time.Millisecond, grace: 300 * time.Millisecond, rate: 1 << 20}
	// steady are limits that a test can outlast, for clients that are to keep them: also when the
	// machine lets them wait for seconds.
	steady = limits{header: time.Minute, stall: 4 * time.Second, grace: time.Minute, rate: 1 << 20}
)

// untilClosed reads until the proxy ends the connection, and returns what came.
func untilClosed(st *stage, conn io.Reader) string {
	st.Helper()
	text, err := io.ReadAll(conn)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		st.Fatalf("the proxy did not close: %v", err)
	}
	return string(text)
}

func TestProxy_EndsClientsThatAreSlowOnPurpose(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: shop.localhost\r\n"
	for name, test := range map[string]struct {
		text    string // what is sent at once
		drip    string // what follows, byte by byte
		counted bool
	}{
		"nothing":               {"", "", false},
		"half a head":           {"GET / HTTP/1.1\r\nHost: shop.localhost\r\n", "", false},
		"a head byte by byte":   {"GET / HTTP/1.1\r\nHost: shop.localhost\r\n", "X-A: " + strings.Repeat("b", 5000), false},
		"half a small body":     {post + "Content-Length: 10\r\n\r\nabc", "", true},
		"half a large body":     {post + "Content-Length: 1000000\r\n\r\nabc", "", true},
		"a body byte by byte":   {post + "Content-Length: 1000000\r\n\r\n", strings.Repeat("b", 100_000), true},
		"half a chunk":          {post + "Transfer-Encoding: chunked\r\n\r\n10\r\nabc", "", true},
		"no end of chunks":      {post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "", true},
		"no connection preface": {"PRI * HTTP/2.0\r\n\r\n", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bounds := hasty
			if !test.counted {
				bounds.header = 150 * time.Millisecond
			}
			st := newStage(t, Settings{limits: &bounds}, dump)
			conn := st.dial()
			if _, err := io.WriteString(conn, test.text); err != nil {
				t.Fatal(err)
			}
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				ticker := time.NewTicker(10 * time.Millisecond)
				defer ticker.Stop()
				for _, b := range []byte(test.drip) {
					select {
					case <-stop:
						return
					case <-ticker.C:
					}
					if _, err := conn.Write([]byte{b}); err != nil {
						return
					}
				}
			}()
			began := time.Now()
			if text := untilClosed(st, conn); strings.HasPrefix(text, "HTTP/1.1 2") {
				t.Errorf("answered %q", text)
			}
			conn.Close()
			if took := time.Since(began); took > 30*time.Second { // far less than all that would drip in
				t.Errorf("it held its connection for %v", took)
			}
			if test.counted {
				st.eventually("it is counted", func() bool { return st.ledger().ClientGone == 1 })
			}
			st.eventually("its place is free", func() bool {
				st.server.admit.mu.Lock()
				defer st.server.admit.mu.Unlock()
				return len(st.server.admit.clients) == 0
			})
		})
	}
}

func TestNewServer_TakesThePauseOfItsSettings(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{0: usual.stall, 7 * time.Second: 7 * time.Second} {
		s := newServer(t.TempDir(), Settings{ClientPause: given}, nil, slog.New(slog.DiscardHandler), func() {})
		if s.limits.stall != want {
			t.Errorf("with a pause of %s, clients may take %s", given, s.limits.stall)
		}
	}
}

func TestProxy_TakesASlowBodyThatKeepsUp(t *testing.T) {
	t.Parallel() // it waits most of the time
	st := newStage(t, Settings{limits: &steady}, dump)
	conn := st.dial()
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
	ticker := time.NewTicker(steady.stall / 8)
	defer ticker.Stop()
	for range 10 { // for longer than each piece may take
		<-ticker.C
		if _, err := io.WriteString(conn, "1\r\na\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = io.WriteString(conn, "0\r\n\r\n")
	if answer, body := st.read(bufio.NewReader(conn)); answer.StatusCode != http.StatusOK || !strings.Contains(body, "aaaaaaaaaa") {
		t.Errorf("%d %q", answer.StatusCode, body)
	}
}

// longAnswer is more bytes than connections hold on the way.
const longAnswer = 32 << 20

// longAnswers is a copy that answers so much, and at /events events whose pauses together are longer
// than a client may stall.
var longAnswers = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/events" {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 6 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
			timer := time.NewTimer(steady.stall / 2)
			select {
			case <-timer.C:
			case <-r.Context().Done():
			}
		}
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(longAnswer))
	_, _ = io.Copy(w, io.LimitReader(endless{}, longAnswer))
})

const getAndClose = "GET /%s HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n"

func TestProxy_EndsReadersThatStall(t *testing.T) {
	st := newStage(t, Settings{limits: &hasty}, longAnswers)
	conn := st.dial()
	_ = conn.SetReadBuffer(4 << 10)
	fmt.Fprintf(conn, getAndClose, "")
	st.eventually("it is ended", func() bool { return st.ledger().ClientGone == 1 })
}

func TestProxy_LeavesReadersAloneThatProgress(t *testing.T) {
	t.Parallel() // it waits most of the time
	st := newStage(t, Settings{limits: &steady}, longAnswers)
	conn := st.dial()
	fmt.Fprintf(conn, getAndClose, "")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	buf, got := make([]byte, 1<<20), 0
	ticker := time.NewTicker(steady.stall / 10)
	defer ticker.Stop()
	for err == nil { // as long as the whole takes, several times the limit
		<-ticker.C
		var n int
		n, err = io.ReadFull(answer.Body, buf)
		got += n
	}
	if got != longAnswer {
		t.Errorf("the slow reader got %d of %d: %v", got, longAnswer, err)
	}
}

func TestProxy_LeavesReadersOfEventsAlone(t *testing.T) {
	t.Parallel() // it waits most of the time
	st := newStage(t, Settings{limits: &steady}, longAnswers)
	conn := st.dial()
	fmt.Fprintf(conn, getAndClose, "events")
	if text := untilClosed(st, conn); !strings.Contains(text, "data: 5") {
		t.Errorf("events %q", text)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestProxy_BoundsHeads(t *testing.T) {
	st := newStage(t, Settings{}, dump)
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: shop.localhost\r\nX-A: " + strings.Repeat("a", 80<<10) + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: shop.localhost\r\n" + strings.Repeat("X-A: b\r\n", 10<<10) + "\r\n",
		"GET /" + strings.Repeat("a", 80<<10) + " HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
	} {
		if answer, _ := st.ask(text); answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%.60q: status %d", text, answer.StatusCode)
		}
	}
}

func TestProxy_BoundsBodies(t *testing.T) {
	st := newStage(t, Settings{}, dump, func(r *traffic.Route) { r.MaxBody = 40_000 })
	const post = "POST / HTTP/1.1\r\nHost: shop.localhost\r\n"
	chunk := "2710\r\n" + strings.Repeat("a", 10_000) + "\r\n"
	for name, test := range map[string]struct {
		text   string
		status int
	}{
		"of length":       {post + "Content-Length: 40000\r\n\r\n" + strings.Repeat("a", 40_000), 200},
		"longer":          {post + "Content-Length: 40001\r\n\r\n" + strings.Repeat("a", 40_001), 413},
		"much longer":     {post + "Content-Length: 400000000\r\n\r\n", 413},
		"in chunks":       {post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 4) + "0\r\n\r\n", 200},
		"in many chunks":  {post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 5) + "0\r\n\r\n", 413},
		"in endless ones": {post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 5), 413},
	} {
		t.Run(name, func(t *testing.T) {
			here := &stage{t, st.server, st.route, st.address}
			if answer, _ := here.ask(test.text); answer.StatusCode != test.status {
				t.Errorf("status %d", answer.StatusCode)
			}
		})
	}
	st.eventually("all are counted", func() bool { return st.ledger().Requests() == 4 })
	if got := st.ledger(); got.Served != 2 || got.ClientGone != 2 {
		t.Errorf("ledger %+v: a body that is announced too large is nobody's request, one that becomes so its client's", got)
	}
}

func TestProxy_BoundsTheRequestsOfARoute(t *testing.T) {
	held, release := make(chan struct{}), make(chan struct{})
	st := newStage(t, Settings{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held <- struct{}{}
		<-release
	}), func(r *traffic.Route) { r.MaxInFlight = 2 })
	const get = "GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"
	readers := []*bufio.Reader{}
	for range 2 {
		conn := st.dial()
		_, _ = io.WriteString(conn, get)
		readers = append(readers, bufio.NewReader(conn))
		<-held
	}
	answer, body := st.ask(get)
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" || !strings.Contains(body, "as many requests") {
		t.Errorf("%d %v %q", answer.StatusCode, answer.Header, body)
	}
	close(release)
	for _, r := range readers {
		st.read(r)
	}
	st.eventually("two are served", func() bool { return st.ledger().Served == 2 })
	if got := st.ledger(); got.Failed != 1 {
		t.Errorf("ledger %+v, want one failed", got)
	}
}

// TestProxy_EndsAConnectionInTheMiddleOfABody is about an upload whose copy breaks: what the
// client still sends of it must not be read as its next request.
func TestProxy_EndsAConnectionInTheMiddleOfABody(t *testing.T) {
	reached := make(chan string, 10)
	st := newStage(t, Settings{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached <- r.URL.Path
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
	}))
	conn := st.dial()
	_, _ = io.WriteString(conn, "POST /first HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 100000\r\n\r\nabc")
	r := bufio.NewReader(conn)
	answer, _ := st.read(r)
	if answer.StatusCode != http.StatusBadGateway || !answer.Close {
		t.Errorf("%d, close %v", answer.StatusCode, answer.Close)
	}
	_, _ = io.WriteString(conn, "GET /smuggled HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("the rest of the body was answered: %q", rest)
	}
	if len(reached) != 1 {
		t.Errorf("%d requests reached the copy", len(reached))
	}
}

func TestProxy_KeepsAClientAtItsCopyThroughADeployment(t *testing.T) {
	st := newStage(t, Settings{}, dump)
	name := func(id andon.InstanceID) traffic.Target {
		other := newStage(t, Settings{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, id) }))
		return traffic.Target{Instance: id, Address: other.route.Targets[0].Address, Weight: 1}
	}
	old := []traffic.Target{name("shop.production.1.0"), name("shop.production.1.1")}
	fresh := []traffic.Target{name("shop.production.2.0"), name("shop.production.2.1")}
	st.route.Sticky, st.route.Targets = "andon", old
	st.apply()
	const get = "GET / HTTP/1.1\r\nHost: shop.localhost\r\n"
	cookie := ""
	ask := func() string {
		t.Helper()
		head := get
		if cookie != "" {
			head += "Cookie: a=b; andon=" + cookie + "; c=d\r\n"
		}
		answer, body := st.ask(head + "\r\n")
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%d %q", answer.StatusCode, body)
		}
		for _, c := range answer.Cookies() {
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure || strings.Contains(c.Value, "shop") || c.Name != "andon" {
				t.Errorf("cookie %v", c)
			}
			cookie = c.Value
		}
		return body
	}
	first := ask()
	for range 5 {
		if got := ask(); got != first {
			t.Fatalf("%s after %s", got, first)
		}
	}
	before := cookie

	// The canary gets new clients, and none that are at a copy.
	st.route.Targets = append(append([]traffic.Target{}, old...), fresh...)
	st.apply()
	for range 5 {
		if got := ask(); got != first || cookie != before {
			t.Fatalf("%s after %s", got, first)
		}
	}
	cookie = strings.Repeat("x", len(before)) // nobody can make one
	if got := ask(); cookie == strings.Repeat("x", len(before)) {
		t.Errorf("%s with a cookie that nobody gave", got)
	}

	// A copy that drains has no requests of its clients any more: a rolling deployment ends.
	cookie = before
	st.route.Targets, st.route.Draining = fresh, old
	st.apply()
	moved := ask()
	if cookie == before || !strings.HasPrefix(moved, "shop.production.2") {
		t.Errorf("%s with the cookie of a copy that drains; the new one is %q", moved, cookie)
	}
	for range 5 {
		if got := ask(); got != moved {
			t.Errorf("%s after %s", got, moved)
		}
	}

	// The cookie outlives the proxy: its successor in the directory has the same key.
	key, err := loadStickyKey(st.server.dir)
	if err != nil || string(key) != string(st.server.stickyKey) {
		t.Errorf("another key: %v", err)
	}
}
