package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/notify"
)

func TestWebhook_SignsAsTheSpecificationSays(t *testing.T) {
	// The secret, ID, timestamp, body and signature of the example in the specification's
	// reference libraries.
	w, err := New("http://127.0.0.1:1/", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	got := w.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature = %q, want %q", got, want)
	}
}

func TestWebhook_DeliversTheMessageWithItsHeaders(t *testing.T) {
	type call struct {
		header http.Header
		body   string
	}
	calls := make(chan call, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- call{r.Header, string(body)}
	}))
	defer server.Close()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w, err := New(server.URL, Secret(make([]byte, 32)), func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	event := andon.Event{Seq: 7, Time: at, By: andon.ActorLine, Body: andon.CordPulled{Cord: andon.Cord{
		ID: "cord-1", Scope: andon.Scope{Kind: andon.ScopeService, Service: "shop"}, Owner: andon.ActorLine,
		Reason: "shop 3 failed in stage test", Fix: &andon.Fix{Service: "shop", Broken: 3, Stage: "test"},
	}}}
	message, ok := notify.Of("plant", event)
	if !ok {
		t.Fatal("a pulled cord is no message")
	}
	if err := w.Deliver(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	got := <-calls
	want := `{"type":"line.stopped","timestamp":"2026-01-02T03:04:05Z","data":{"plant":"plant","cord":"cord-1","scope":"service shop","service":"shop","by":"andon","reason":"shop 3 failed in stage test","version":3,"stage":"test"}}`
	if got.body != want {
		t.Errorf("body = %s\nwant   %s", got.body, want)
	}
	if id := got.header.Get("webhook-id"); id != "msg_plant_7" {
		t.Errorf("webhook-id = %q", id)
	}
	if sign := got.header.Get("webhook-signature"); sign != w.sign("msg_plant_7", at.Unix(), []byte(want)) {
		t.Errorf("webhook-signature = %q", sign)
	}
}

func TestWebhook_SaysWhetherTryingAgainIsOfUse(t *testing.T) {
	for status, kind := range map[int]andon.Kind{
		http.StatusInternalServerError: andon.KindUnreachable,
		http.StatusFound:               andon.KindUnreachable,
		http.StatusGone:                andon.KindRefused,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status) }))
		w, err := New(server.URL, Secret(make([]byte, 32)), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Deliver(t.Context(), notify.Message{ID: "msg"}); andon.KindOf(err) != kind {
			t.Errorf("status %d: %v, want kind %s", status, err, kind)
		}
		server.Close()
	}
}

func TestNew_RefusesWhatCannotWork(t *testing.T) {
	for _, c := range [][2]string{
		{"ftp://example.com", Secret(make([]byte, 32))},
		{"example.com/hook", Secret(make([]byte, 32))},
		{"https://example.com", "whsec_short"},
	} {
		if _, err := New(c[0], c[1], time.Now); andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("New(%q, …) = %v, want an error of kind invalid", c[0], err)
		}
	}
}
