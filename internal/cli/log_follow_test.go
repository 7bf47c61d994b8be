package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/andon-cd/andon/api"
)

// A flakyPlant has one finished log, and ends each answer with it after a few bytes: in an orderly
// way, as a server that stops, or torn, as a connection that breaks.
type flakyPlant struct {
	log     string
	step    int
	answers atomic.Int64
}

func (p *flakyPlant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/api/v1/logs/lines":
		_ = json.NewEncoder(w).Encode(api.Lines{Log: "task/x/1", Size: int64(len(p.log)), Finished: true, Total: 9, Lines: []api.LogLine{{Number: 1}}})
	case "/api/v1/logs/bytes":
		offset, err := strconv.Atoi("0" + r.URL.Query().Get("offset"))
		if err != nil || offset > len(p.log) {
			http.Error(w, "offset", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusOK)
		fmt.Fprint(w, p.log[offset:min(offset+p.step, len(p.log))])
		w.(http.Flusher).Flush()
		if p.answers.Add(1)%2 == 0 {
			panic(http.ErrAbortHandler)
		}
	default:
		http.NotFound(w, r)
	}
}

func TestLogFollow_LosesAndRepeatsNothingWhenConnectionsBreak(t *testing.T) {
	var log, want strings.Builder
	for i := range 9 {
		fmt.Fprintf(&log, "line %d\n", i)
		fmt.Fprintf(&want, "x | line %d\n", i)
	}
	plant := &flakyPlant{log: log.String(), step: 20}
	server := httptest.NewServer(plant)
	defer server.Close()
	var out bytes.Buffer
	c := &call{terminal: &terminal{out: &out, err: &out, getenv: func(string) string { return "" }}, ctx: t.Context()}
	find := func() ([]logSource, bool, error) { return []logSource{{log: "task/x/1", label: "x"}}, true, nil }
	if err := c.followLogs(&api.Client{Server: server.URL}, find, 100); err != nil {
		t.Fatal(err)
	}
	if out.String() != want.String() {
		t.Errorf("printed\n%swant\n%s", out.String(), want.String())
	}
	if n := plant.answers.Load(); n < 3 {
		t.Errorf("the log came in %d answers; the connection did not break", n)
	}
}
