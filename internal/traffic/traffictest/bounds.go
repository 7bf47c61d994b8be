package traffictest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

func boundsBodies(t *testing.T, b *bench) {
	c := b.copy(1, 0)
	bounded := route(1, []traffic.Target{c.Target})
	bounded.MaxBody = 100_000
	b.apply(bounded)
	upload := func(size int) (int, string) {
		t.Helper()
		status, body, err := b.fetch(request(t.Context(), http.MethodPost, "/upload", strings.NewReader(strings.Repeat("x", size))))
		if err != nil {
			t.Fatalf("a body of %d bytes: %v", size, err)
		}
		return status, body
	}
	if status, body := upload(100_000); status != http.StatusOK || body != "100000 <nil>" {
		t.Errorf("a body of just the size: %d %s", status, body)
	}
	if status, _ := upload(100_001); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of a byte more: %d", status)
	}
	if status, body := b.get("/"); status != http.StatusOK {
		t.Errorf("no body: %d %s", status, body)
	}
	open := route(2, []traffic.Target{c.Target})
	b.apply(open)
	if status, body := upload(1_000_000); status != http.StatusOK || body != "1000000 <nil>" {
		t.Errorf("once there is no limit: %d %s", status, body)
	}
	b.eventually("what the copies had is served", func() bool { l := b.total(); return l.Served == 3 && l.Failed == 0 })
}

func boundsRequestsInFlight(t *testing.T, b *bench) {
	one, two := b.copy(1, 0), b.copy(1, 1)
	bounded := route(1, []traffic.Target{one.Target, two.Target})
	bounded.MaxInFlight = 2
	b.apply(bounded)
	var held []chan struct{}
	ended := make(chan error, 2)
	for range 2 {
		go func() {
			_, _, err := b.fetch(request(t.Context(), http.MethodGet, "/hold", nil))
			ended <- err
		}()
		select {
		case <-one.held:
			held = append(held, one.release)
		case <-two.held:
			held = append(held, two.release)
		case <-t.Context().Done():
			t.Fatal("a request did not arrive")
		}
	}
	answer, err := b.Do(request(t.Context(), http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("a third request: %s, Retry-After %q", answer.Status, answer.Header.Get("Retry-After"))
	}
	held[0] <- struct{}{}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	b.eventually("there is room again", func() bool { status, _ := b.get("/"); return status == http.StatusOK })
	held[1] <- struct{}{}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	b.eventually("it counts as failed", func() bool { return b.total().Failed >= 1 })
}

// visit asks with the cookies that the client has, and returns the copy that answered and the
// cookie that it gave; nil: none.
func (b *bench) visit(had ...*http.Cookie) (andon.InstanceID, *http.Cookie) {
	b.Helper()
	r := request(b.Context(), http.MethodGet, "/", nil)
	for _, c := range had {
		r.AddCookie(c)
	}
	answer, err := b.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Fatalf("%s, %v", answer.Status, err)
	}
	for _, c := range answer.Cookies() {
		if c.Name == andon.StickyCookie {
			return andon.InstanceID(body), c
		}
	}
	return andon.InstanceID(body), nil
}

func keepsClientsAtTheirCopies(t *testing.T, b *bench) {
	one, two, three := b.copy(1, 0), b.copy(1, 1), b.copy(2, 0)
	sticky := func(n int64, targets []traffic.Target, draining ...traffic.Target) traffic.Route {
		r := route(n, targets, draining...)
		r.Sticky = andon.StickyCookie
		return r
	}
	b.apply(sticky(1, []traffic.Target{one.Target, two.Target}))
	first, cookie := b.visit()
	if cookie == nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || strings.Contains(cookie.Value, "127.0.0.1") {
		t.Fatalf("the cookie is %+v", cookie)
	}
	stays := func(what string) {
		t.Helper()
		for range 10 {
			if at, again := b.visit(&http.Cookie{Name: "other", Value: "1"}, cookie); at != first || again != nil {
				t.Fatalf("%s: the client of %s came to %s, and got the cookie %v", what, first, at, again)
			}
		}
	}
	stays("nothing has changed")
	seen := map[andon.InstanceID]bool{}
	for range 10 {
		at, _ := b.visit()
		seen[at] = true
	}
	if len(seen) != 2 {
		t.Errorf("clients without a cookie come to %v", seen)
	}
	b.apply(sticky(2, []traffic.Target{one.Target, two.Target, three.Target}))
	stays("there is one copy more")
	b.apply(sticky(3, []traffic.Target{three.Target}, one.Target, two.Target))
	at, fresh := b.visit(cookie)
	if at != three.Instance || fresh == nil || fresh.Value == cookie.Value {
		t.Errorf("when its copy drains, the client comes to %s and gets %+v", at, fresh)
	}
	if at, again := b.visit(fresh); at != three.Instance || again != nil {
		t.Errorf("with that, it comes to %s and gets %+v", at, again)
	}
	b.apply(route(4, []traffic.Target{three.Target}))
	if _, again := b.visit(); again != nil {
		t.Errorf("a route that is not sticky gives the cookie %+v", again)
	}
	if at, again := b.visit(&http.Cookie{Name: andon.StickyCookie, Value: fmt.Sprint(1)}); at != three.Instance || again != nil {
		t.Errorf("with a cookie of nobody, a client comes to %s and gets %+v", at, again)
	}
}
