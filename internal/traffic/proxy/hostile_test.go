package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// A stage is a proxy in this process with one route, whose copy is the given handler.
type stage struct {
	*testing.T
	server  *server
	route   traffic.Route
	address string
}

func newStage(t *testing.T, config Settings, copyOf http.Handler, change ...func(*traffic.Route)) *stage {
	t.Helper()
	lane, err := lockLane(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	led, err := openLedgers(dir, lane, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	backend := httptest.NewServer(copyOf)
	st := &stage{T: t, server: newServer(dir, config, led, slog.New(slog.DiscardHandler), func() {})}
	st.route = traffic.Route{Place: testPlace, Generation: 1, Hosts: []string{"shop.localhost"}, Ledger: andon.NewDeploymentID(testPlace, 1),
		Targets: []traffic.Target{{Instance: "shop.production.1.0", Address: strings.TrimPrefix(backend.URL, "http://"), Weight: 1}}}
	for _, c := range change {
		c(&st.route)
	}
	st.apply()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	st.server.public = append(st.server.public, l)
	st.server.serve(l, nil)
	st.address = l.Addr().String()
	t.Cleanup(func() {
		st.server.leave(context.Background(), 0, 100*time.Millisecond)
		backend.CloseClientConnections()
		backend.Close()
		led.close()
	})
	return st
}

func (st *stage) apply() {
	st.Helper()
	if _, err := st.server.apply(applyCall{Full: true, Set: []traffic.Route{st.route}}); err != nil {
		st.Fatal(err)
	}
}

// dial connects; every read and write has a minute in all.
func (st *stage) dial() *net.TCPConn {
	st.Helper()
	conn, err := net.Dial("tcp", st.address)
	if err != nil {
		st.Fatal(err)
	}
	st.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn.(*net.TCPConn)
}

// ask writes the pieces one after the other and reads one answer.
func (st *stage) ask(pieces ...string) (*http.Response, string) {
	st.Helper()
	conn := st.dial()
	defer conn.Close()
	for _, piece := range pieces {
		if _, err := io.WriteString(conn, piece); err != nil {
			st.Fatalf("write %.40q: %v", piece, err)
		}
	}
	return st.read(bufio.NewReader(conn))
}

func (st *stage) read(r *bufio.Reader) (*http.Response, string) {
	st.Helper()
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		st.Fatalf("no answer: %v", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		st.Fatalf("body %.40q: %v", body, err)
	}
	return answer, string(body)
}

func (st *stage) ledger() andon.Ledger { return st.server.ledgers.of(testPlace)[0] }

func (st *stage) eventually(what string, condition func() bool) {
	st.Helper()
	ctx, cancel := context.WithTimeout(st.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			st.Fatalf("%s: not within a minute; ledger %+v", what, st.ledger())
		case <-ticker.C:
		}
	}
}

// dump answers with the request as the copy saw it.
var dump = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var fields []string
	for name, values := range r.Header {
		fields = append(fields, fmt.Sprintf("%s=%s", name, strings.Join(values, "|")))
	}
	for name, values := range r.Trailer {
		fields = append(fields, fmt.Sprintf("trailer %s=%s", name, strings.Join(values, "|")))
	}
	slices.Sort(fields)
	fmt.Fprintf(w, "%s %s %q %s", r.Method, r.RequestURI, body, strings.Join(fields, "; "))
})

func TestProxy_RefusesWhatCouldBeReadInTwoWays(t *testing.T) {
	st := newStage(t, Settings{}, dump)
	const post, get = "POST / HTTP/1.1\r\nHost: shop.localhost\r\n", "GET / HTTP/1.1\r\nHost: shop.localhost\r\n"
	for name, text := range map[string]string{
		"both length and chunks":     post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"both chunks and length":     post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"both in other case":         post + "cOnTeNt-LeNgTh: 5\r\ntRANSFER-eNCODING: chunked\r\n\r\n0\r\n\r\n",
		"the same length twice":      post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"two lengths":                post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"a list of lengths":          post + "Content-Length: 1, 1\r\n\r\na",
		"a signed length":            post + "Content-Length: +1\r\n\r\na",
		"an empty length":            post + "Content-Length:\r\n\r\n",
		"a length with a space":      post + "Content-Length: 1 1\r\n\r\na",
		"a hexadecimal length":       post + "Content-Length: 0x1\r\n\r\na",
		"chunks twice":               post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunks twice in one":        post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"chunks and identity":        post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"another coding":             post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"xchunked":                   post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"a vertical tab":             post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
		"a space before the colon":   post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"a tab before the colon":     post + "Content-Length\t: 1\r\n\r\na",
		"chunks in HTTP/1.0":         "POST / HTTP/1.0\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a folded field":             get + "X-A: b\r\n c\r\n\r\n",
		"a field folded with a tab":  get + "X-A: b\r\n\tc\r\n\r\n",
		"a folded coding":            post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
		"a first field with a space": "GET / HTTP/1.1\r\n Host: shop.localhost\r\n\r\n",
		"lines without CR":           "GET / HTTP/1.1\nHost: shop.localhost\n\n",
		"one line without CR":        get + "X-A: b\nX-B: c\r\n\r\n",
		"a CR in a value":            get + "X-A: b\rX-B: c\r\n\r\n",
		"a NUL in a value":           get + "X-A: b\x00c\r\n\r\n",
		"an escape in a value":       get + "X-A: b\x1bc\r\n\r\n",
		"a DEL in a value":           get + "X-A: b\x7fc\r\n\r\n",
		"a space in a name":          get + "X A: b\r\n\r\n",
		"no colon":                   get + "X-A\r\n\r\n",
		"no name":                    get + ": b\r\n\r\n",
		"two hosts":                  get + "Host: other.localhost\r\n\r\n",
		"no host":                    "GET / HTTP/1.1\r\n\r\n",
		"a space in the target":      "GET /a b HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
		"a tab in the target":        "GET /a\tb HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
		"a NUL in the target":        "GET /a\x00b HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
		"HTTP/1.2":                   "GET / HTTP/1.2x\r\nHost: shop.localhost\r\n\r\n",
		"HTTP/0.9":                   "GET /longer-than-the-preface-of-HTTP/2\r\n\r\n",
		"a method that is no token":  "GE(T / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			whole := &stage{t, st.server, st.route, st.address}
			if answer, body := whole.ask(text); answer.StatusCode != http.StatusBadRequest && answer.StatusCode != http.StatusNotImplemented && answer.StatusCode != http.StatusHTTPVersionNotSupported {
				t.Errorf("answered with %d %q", answer.StatusCode, body)
			}
		})
	}
	if got := st.ledger(); got.Requests() != 0 {
		t.Errorf("a copy had some of them: %+v", got)
	}
}

func TestProxy_RefusesBadChunks(t *testing.T) {
	st := newStage(t, Settings{}, dump)
	for _, body := range []string{
		"g\r\n", "-1\r\n\r\n", "0x1\r\na\r\n0\r\n\r\n", "1 \x00\r\na\r\n0\r\n\r\n", "\r\n0\r\n\r\n", "ffffffffffffffffff\r\n",
		"1\r\nab\r\n0\r\n\r\n", "1\r\na0\r\n\r\n", "1\na\r\n0\r\n\r\n", "1;a=\nb\r\na\r\n0\r\n\r\n",
		"0\r\nX-A: b\r\n c\r\n\r\n", "0\r\nX-A: \x00\r\n\r\n",
	} {
		conn := st.dial()
		_, _ = io.WriteString(conn, "POST /"+" HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n"+body)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil && answer.StatusCode < 400 {
			text, _ := io.ReadAll(answer.Body)
			t.Errorf("%q: %d %s", body, answer.StatusCode, text)
		}
		conn.Close()
	}
	st.eventually("all have ended", func() bool { return st.server.ledgers.places[testPlace.Key()][0].slot.inFlight() == 0 })
	if got := st.ledger(); got.Served != 0 {
		t.Errorf("ledger %+v: some were served", got)
	}
}

func TestProxy_TakesWhatIsUnusualButClear(t *testing.T) {
	st := newStage(t, Settings{}, dump)
	for want, pieces := range map[string][]string{
		`POST /split "abc"`:   {"POST /split HTTP/1.1\r\nHo", "st: shop.localhost\r", "\nContent-Len", "gth: 3\r\n", "\r", "\na", "bc"},
		`POST /chunks "abcd"`: {"POST /chunks HTTP/1.1\r\nHost: shop.localhost\r\ntransfer-encoding: Chunked\r\n\r\n", "3;x=\"y\"\r\nab", "c\r\n1", "\r\nd\r", "\n00\r\n\r\n"},
		`POST /bytes "a"`:     {strings.Join(strings.Split("POST /bytes HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 1\r\n\r\na", ""), "\x01")},
		`GET /long ""`:        {"GET /long HTTP/1.1\r\nHost: shop.localhost\r\nCookie: " + strings.Repeat("c", 5000) + "\r\nTricky: Content-Length: 5\r\n\r\n"},
		`GET /old ""`:         {"GET /old HTTP/1.0\r\nHost: shop.localhost\r\n\r\n"},
		`GET /space ""`:       {"GET /space HTTP/1.1\r\nHost:   shop.localhost \t\r\nContent-Length:  0 \r\n\r\n"},
	} {
		if strings.Contains(want, "bytes") {
			pieces = strings.Split(pieces[0], "\x01")
		}
		if answer, body := st.ask(pieces...); answer.StatusCode != http.StatusOK || !strings.HasPrefix(body, want) {
			t.Errorf("%q: %d %q", want, answer.StatusCode, body)
		}
	}
}

func TestProxy_AnswersPipelinedRequestsAndRefusesTheOneAmongThem(t *testing.T) {
	st := newStage(t, Settings{}, dump)
	conn := st.dial()
	const body = "GET /no HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\n\r\n 123"
	text := fmt.Sprintf("POST /1 HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	text += "POST /2 HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\n x\r\n0\r\nX-T: 1\r\n\r\n"
	text += "GET /3 HTTP/1.1\r\nHost: shop.localhost\r\nX-A: b\r\n c\r\n\r\n"
	text += "GET /4 HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	for _, want := range []string{"POST /1", "POST /2"} {
		if answer, body := st.read(r); answer.StatusCode != http.StatusOK || !strings.HasPrefix(body, want) {
			t.Errorf("%s: %d %q", want, answer.StatusCode, body)
		}
	}
	if answer, body := st.read(r); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("the folded one: %d %q", answer.StatusCode, body)
	}
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("after it %q %v, want the end", rest, err)
	}
}

func TestProxy_ReplacesWhatOnlyTheEdgeKnows(t *testing.T) {
	const lies = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n" +
		"Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nContent_Length: 7\r\nTransfer_Encoding: chunked\r\n" +
		"Connection: X-Private, close\r\nX-Private: 1\r\nKeep-Alive: 1\r\nTE: gzip, trailers\r\nProxy-Authorization: x\r\nHTTP2-Settings: x\r\nUpgrade: h2c\r\n"
	for name, test := range map[string]struct {
		trusted string
		want    string
	}{
		"a stranger": {"10.0.0.0/8", `GET / "" Forwarded=for=127.0.0.1;host="shop.localhost:80";proto=http; Te=trailers; ` +
			`X-Forwarded-For=127.0.0.1; X-Forwarded-Host=shop.localhost:80; X-Forwarded-Proto=http`},
		"a trusted proxy": {"127.0.0.0/8", `GET / "" Forwarded=for=6.6.6.6, for=127.0.0.1;host="shop.localhost:80";proto=http; Te=trailers; ` +
			`X-Forwarded-For=6.6.6.6, 127.0.0.1; X-Forwarded-Host=evil; X-Forwarded-Port=1; X-Forwarded-Proto=https; X-Real-Ip=6.6.6.6`},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, Settings{Trusted: []netip.Prefix{netip.MustParsePrefix(test.trusted)}}, dump)
			if _, body := st.ask("GET / HTTP/1.1\r\nHost: shop.localhost:80\r\n" + lies + "\r\n"); body != test.want {
				t.Errorf("the copy saw\n%s, want\n%s", body, test.want)
			}
		})
	}
}

func TestProxy_LetsNoTrailerPassForAFieldOfTheHead(t *testing.T) {
	st := newStage(t, Settings{}, dump)
	_, body := st.ask("POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Forwarded-For, Authorization\r\n\r\n" +
		"1\r\na\r\n0\r\nX-Sum: 1\r\nX-Forwarded-For: 6.6.6.6\r\nAuthorization: x\r\nX-Forwarded_Proto: https\r\n\r\n")
	if !strings.Contains(body, "trailer X-Sum=1") || strings.Contains(body, "6.6.6.6") || strings.Contains(body, "Authorization") || strings.Contains(body, "https") {
		t.Errorf("the copy saw %s", body)
	}
}

func TestProxy_DropsFieldsOfOneHopFromAnswers(t *testing.T) {
	st := newStage(t, Settings{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: X-Mine, close\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok")
	}))
	answer, body := st.ask("GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
	for _, name := range []string{"X-Mine", "Keep-Alive", "Proxy-Connection", "Upgrade", "Connection"} {
		if answer.Header.Get(name) != "" {
			t.Errorf("%s: %s reached the client", name, answer.Header.Get(name))
		}
	}
	if body != "ok" || answer.Header.Get("X-Kept") != "1" || answer.Close {
		t.Errorf("%q %v", body, answer.Header)
	}
}

// TestProxy_LetsTheClientReadAnEarlyAnswer is about a client that goes on sending: if the proxy
// closed its connection at once, the kernel would throw the answer away.
func TestProxy_LetsTheClientReadAnEarlyAnswer(t *testing.T) {
	for name, head := range map[string]string{
		"in chunks":          "Transfer-Encoding: chunked\r\n\r\n30000\r\n",
		"of a small length":  "Content-Length: 200000\r\n\r\n",
		"of a great length":  "Content-Length: 20000000\r\n\r\n",
		"that asks before":   "Expect: 100-continue\r\nContent-Length: 200000\r\n\r\n",
		"to no service":      "Host: nobody.localhost\r\nContent-Length: 20000000\r\n\r\n",
		"that could be both": "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, Settings{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				client := http.NewResponseController(w)
				_ = client.EnableFullDuplex()
				w.Header().Set("Content-Length", "0")
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				_ = client.Flush()
				_, _ = io.Copy(io.Discard, r.Body) // until the proxy ends it
			}))
			if !strings.HasPrefix(head, "Host") {
				head = "Host: shop.localhost\r\n" + head
			}
			conn := st.dial()
			if _, err := io.WriteString(conn, "POST /refuse HTTP/1.1\r\n"+head); err != nil {
				t.Fatal(err)
			}
			// What is sent after the proxy is done with the request, and before the answer is read.
			for range 4 {
				if _, err := conn.Write(make([]byte, 20_000)); err != nil {
					t.Fatalf("the proxy has closed: %v", err)
				}
				st.eventually("the proxy is done", func() bool {
					return st.server.ledgers.places[testPlace.Key()][0].slot.inFlight() == 0
				})
			}
			if answer, _ := st.read(bufio.NewReader(conn)); answer.StatusCode < 400 {
				t.Errorf("status %d", answer.StatusCode)
			}
		})
	}
}

func TestProxy_BoundsTheConnectionsOfOneClient(t *testing.T) {
	st := newStage(t, Settings{ClientConnections: 3}, dump)
	const get = "GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"
	var held []*net.TCPConn
	for range 3 {
		conn := st.dial()
		held = append(held, conn)
		if _, err := io.WriteString(conn, get); err != nil {
			t.Fatal(err)
		}
		st.read(bufio.NewReader(conn))
	}
	answered := func() bool {
		conn, err := net.Dial("tcp", st.address)
		if err != nil {
			return false // the proxy may reset a connection before it is seen to be there
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, _ = io.WriteString(conn, get)
		_, err = http.ReadResponse(bufio.NewReader(conn), nil)
		return err == nil
	}
	if answered() {
		t.Error("a fourth connection was answered")
	}
	held[0].Close()
	st.eventually("another takes its place", answered)
}
