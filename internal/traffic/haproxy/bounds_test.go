package haproxy_test

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// HAProxy cannot end a body in the middle.
func TestHAProxy_RefusesABodyOfUnknownLengthWhereThereIsALimit(t *testing.T) {
	d := open(t, config(t, t.TempDir()))
	c := client(t, d.Addr())
	post := func() int {
		t.Helper()
		unknown := struct{ io.Reader }{strings.NewReader("a body of ten bytes and more")}
		answer, err := c.Post("http://shop.localhost/", "text/plain", unknown)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	r := shopRoute(1, []traffic.Target{newCopy(t, "one").Target})
	apply(t, d, r)
	if status := post(); status != http.StatusOK {
		t.Errorf("without a limit: %d", status)
	}
	r.Generation, r.MaxBody = 2, 1_000_000
	apply(t, d, r)
	if status := post(); status != http.StatusLengthRequired {
		t.Errorf("with a limit: %d", status)
	}
}

func TestHAProxy_KeepsItsBoundsWhenItIsKilled(t *testing.T) {
	d := open(t, config(t, t.TempDir()))
	c := client(t, d.Addr())
	r := shopRoute(1, []traffic.Target{newCopy(t, "one").Target, newCopy(t, "two").Target})
	r.Sticky, r.MaxBody = andon.StickyCookie, 1000
	apply(t, d, r)
	answer, err := c.Get("http://shop.localhost/")
	if err != nil {
		t.Fatal(err)
	}
	at, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || len(answer.Cookies()) != 1 {
		t.Fatalf("%s, cookies %v, %v", answer.Status, answer.Cookies(), err)
	}
	kill(t, d.PID(), syscall.SIGKILL)
	c.CloseIdleConnections()
	for range 10 {
		again, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://shop.localhost/", nil)
		if err != nil {
			t.Fatal(err)
		}
		again.AddCookie(answer.Cookies()[0])
		response, err := c.Do(again)
		if err != nil {
			t.Fatal(err)
		}
		now, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if string(now) != string(at) {
			t.Fatalf("the client of %s came to %s", at, now)
		}
	}
	large, err := c.Post("http://shop.localhost/", "text/plain", strings.NewReader(strings.Repeat("x", 1001)))
	if err != nil {
		t.Fatal(err)
	}
	large.Body.Close()
	if large.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is too large: %s", large.Status)
	}
}
