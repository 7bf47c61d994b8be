package demo

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestLoad_CountsEveryRequestAndEveryFailure(t *testing.T) {
	var served, refused atomic.Int64
	enough := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != shopHost {
			t.Errorf("a request for %q", r.Host)
		}
		n := served.Add(1)
		if n == 60 {
			close(enough)
		}
		if n%7 == 0 {
			refused.Add(1)
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Header().Set("Shop-Version", "2")
	}))
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	l := newLoad(strings.TrimPrefix(server.URL, "http://"), shopHost)
	l.start(ctx)
	<-enough
	end := l.silence()
	sent, failed := l.sent.Load(), l.failed.Load()
	if sent != served.Load() || failed != refused.Load() || l.by(2) != sent-failed {
		t.Errorf("counted %d sent, %d failed, %d by version 2; the server had %d, %d refused", sent, failed, l.by(2), served.Load(), refused.Load())
	}
	if l.failure() == nil {
		t.Error("the first failure is not known")
	}
	end()
	stop()
	l.wait()
}

func TestJourney_TellsTheTimeOfEachLeg(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1000, 0).Add(time.Duration(s) * time.Second) }
	whole := &journey{pushed: at(0), built: at(10), test: at(12), candidate: at(15), certified: at(15), production: at(17)}
	if got, want := strings.Fields(whole.legs()), "10.0s 2.0s 3.0s 0ms 2.0s 17.0s"; strings.Join(got, " ") != want {
		t.Errorf("legs = %q, want %q", got, want)
	}
	stopped := &journey{pushed: at(0), built: at(10)}
	if got, want := strings.Fields(stopped.legs()), "10.0s – – – – 10.0s"; strings.Join(got, " ") != want {
		t.Errorf("legs = %q, want %q", got, want)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1204331: "1,204,331"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
}
