package traffictest

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/andon-cd/andon/internal/traffic"
)

func servesAPlacesOwnListener(t *testing.T, b *bench) {
	one, two := b.copy(1, 0), b.copy(2, 0)
	b.apply(route(1, []traffic.Target{one.Target}))
	address := b.state().Address
	get := func() string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if got := get(); got != string(one.Instance) {
		t.Errorf("%s answers at %s", got, address)
	}
	b.apply(route(2, []traffic.Target{two.Target}))
	if got := get(); got != string(two.Instance) || b.state().Address != address {
		t.Errorf("after the switch %s answers at %s, which was %s", got, b.state().Address, address)
	}
}

func carriesWebsocketsOverASwitch(t *testing.T, b *bench) {
	old, fresh := b.copy(1, 0), b.copy(2, 0)
	b.apply(route(1, []traffic.Target{old.Target}))
	dialer := websocket.Dialer{NetDialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, b.Addr)
	}}
	conn, answer, err := dialer.DialContext(t.Context(), "ws://"+host+"/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	defer conn.Close()
	echo := func(text string) {
		t.Helper()
		if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.ReadMessage(); err != nil || string(got) != text {
			t.Fatalf("echo of %.20q: %.20q %v", text, got, err)
		}
	}
	echo("before")
	b.apply(route(2, []traffic.Target{fresh.Target}, old.Target))
	echo("after")
	echo(strings.Repeat("long", 100_000))
	if s := b.state(); s.InFlight[old.Instance] != 1 {
		t.Errorf("in flight %v", s.InFlight)
	}
	if got := b.total(); got.Served != 1 || got.Upgraded != 1 || got.AtSwitch != 1 {
		t.Errorf("ledgers %+v", got)
	}
	conn.Close()
	b.eventually("the connection is drained", func() bool { got := b.total(); return got.Drained == 1 && got.Moved == 1 })
	if got := b.total(); got.Requests() != 1 {
		t.Errorf("ledgers %+v, want one request", got)
	}
}

func streamsEvents(t *testing.T, b *bench) {
	c := b.copy(1, 0)
	b.apply(route(1, []traffic.Target{c.Target}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answer, err := b.Do(request(ctx, http.MethodGet, "/events", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewReader(answer.Body)
	for _, want := range []string{"data: 1\n", "data: 2\n", "data: 3\n"} {
		c.release <- struct{}{}
		got, err := lines.ReadString('\n')
		if err != nil || got != want {
			t.Fatalf("event %q %v, want %q", got, err, want)
		}
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	b.eventually("the copy sees the client go", func() bool { return b.state().InFlight[c.Instance] == 0 })
	if got := b.total(); got.Served != 1 || got.Requests() != 1 {
		t.Errorf("ledger %+v: a stream of events counts as served when it is answered", got)
	}
}

func streamsLargeUploads(t *testing.T, b *bench) {
	b.apply(route(1, []traffic.Target{b.copy(1, 0).Target}))
	const size = 50 << 20
	for _, known := range []bool{true, false} {
		r := request(t.Context(), http.MethodPost, "/upload", io.LimitReader(zeros{}, size))
		if known {
			r.ContentLength = size
		}
		if status, body, err := b.fetch(r); err != nil || status != 200 || body != "52428800 <nil>" {
			t.Errorf("length known %v: %d %q %v", known, status, body, err)
		}
	}
	if status, body, err := b.fetch(request(t.Context(), http.MethodPost, "/upload", strings.NewReader("small"))); err != nil || body != "5 <nil>" {
		t.Errorf("small: %d %q %v", status, body, err)
	}
	r := request(t.Context(), http.MethodPost, "/upload", strings.NewReader("asked before"))
	r.Header.Set("Expect", "100-continue")
	if status, body, err := b.fetch(r); err != nil || body != "12 <nil>" {
		t.Errorf("with 100-continue: %d %q %v", status, body, err)
	}
	b.eventually("four are counted", func() bool { return b.total().Served == 4 })
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func deliversEarlyAnswers(t *testing.T, b *bench) {
	b.apply(route(1, []traffic.Target{b.copy(1, 0).Target}))
	endless, stop := io.Pipe()
	defer stop.Close()
	go func() { _, _ = io.Copy(stop, io.LimitReader(zeros{}, 100<<10)) }() // it is never read to its end
	status, body, err := b.fetch(request(t.Context(), http.MethodPost, "/refuse", endless))
	if err != nil || status != http.StatusRequestEntityTooLarge || body != "too large" {
		t.Errorf("%d %q %v, want the answer before the body's end", status, body, err)
	}
	b.eventually("it is counted", func() bool {
		got := b.total()
		return got.Served == 1 || b.GoneOrServed && got.ClientGone == 1
	})
}

func passesTrailersAndHeads(t *testing.T, b *bench) {
	b.apply(route(1, []traffic.Target{b.copy(1, 0).Target}))
	r := request(t.Context(), http.MethodPost, "/trailers", io.LimitReader(strings.NewReader("body"), 4))
	r.Trailer = http.Header{"X-Asked": {"yes"}}
	answer, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || string(body) != "body" || answer.Trailer.Get("X-Sum") != "42 yes" {
		t.Errorf("body %q, trailers %v, %v", body, answer.Trailer, err)
	}
	r = request(t.Context(), http.MethodHead, "/headers", nil)
	r.Header.Set("X-Forwarded-For", "6.6.6.6")
	r.Header.Set("X_Forwarded_For", "6.6.6.6")
	answer, err = b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	proto := "http"
	if b.Secure {
		proto = "https"
	}
	if answer.ContentLength != 1234567 || answer.Header.Get("X-Seen") != host+" 127.0.0.1 "+host+" "+proto {
		t.Errorf("length %d, the copy saw %q", answer.ContentLength, answer.Header.Get("X-Seen"))
	}
}

func countsClientsThatGo(t *testing.T, b *bench) {
	c := b.copy(1, 0)
	b.apply(route(1, []traffic.Target{c.Target}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _, _, _ = b.fetch(request(ctx, http.MethodGet, "/hold", nil)) }() // cancel breaks it off
	<-c.held
	cancel()
	b.eventually("it is counted", func() bool {
		got := b.total()
		return got.ClientGone == 1 || b.GoneOrServed && got.Served == 1
	})
	if got := b.total(); got.Requests() != 1 {
		t.Errorf("ledger %+v", got)
	}
}

func countsCopiesThatBreak(t *testing.T, b *bench) {
	c := b.copy(1, 0)
	dead := traffic.Target{Instance: "shop.production.9.0", Address: "127.0.0.1:1", Weight: 1}
	b.apply(route(1, []traffic.Target{c.Target}))
	if status, body, err := b.fetch(request(t.Context(), http.MethodGet, "/break", nil)); err == nil {
		t.Errorf("half an answer came as a whole one: %d %q", status, body)
	}
	b.eventually("it is counted", func() bool { return b.total().Failed == 1 })
	b.apply(route(2, []traffic.Target{dead}))
	if status, body := b.get("/"); status != http.StatusBadGateway || body == "" {
		t.Errorf("%d %q of a copy that is not there", status, body)
	}
	b.apply(route(3, []traffic.Target{dead, c.Target}))
	for range 4 {
		if status, body := b.get("/"); status != 200 {
			t.Errorf("%d %q although one of two copies is there", status, body)
		}
	}
	b.eventually("all are counted", func() bool { return b.total().Requests() == 6 })
	if got := b.total(); got.Served != 4 || got.Failed != 2 || got.Retried < 1 {
		t.Errorf("ledgers %+v", got)
	}
}
