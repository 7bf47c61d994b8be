package scrape_test

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/scrape"
)

var update = flag.Bool("update", false, "write the golden file anew")

const shopYAML = `service: shop
commit:
  jobs:
    build: {steps: [{run: mkdir -p out}]}
  artifact: {path: out}
run: {command: ./shop, port: 8080}
stages:
  - {name: acceptance, deploy: test, jobs: {accept: {steps: [{run: ./accept}]}}}
  - {name: production, deploy: production}
`

// TestMetrics_AreThese holds names, help, types and labels to a golden file, with the values of a
// plant in which one version is live, another one was rejected, and a cord is pulled. What the Go
// library says of the process is not in it.
func TestMetrics_AreThese(t *testing.T) {
	dir := t.TempDir()
	j, err := sqlite.Open(t.Context(), filepath.Join(dir, "journal.db"))
	must(t, err)
	h, err := history.Open(t.Context(), filepath.Join(dir, "history.db"))
	must(t, err)
	t.Cleanup(func() { must(t, h.Close()); must(t, j.Close()) })
	must(t, h.Prepare(t.Context()))
	p := enginetest.Run(t, j, h, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	p.Push(enginetest.Commit(1), "main", "ann", "Sell books", shopYAML)
	p.Settle(enginetest.Digest)
	p.Fails = func(task andon.Task) bool { return task.Stage == "acceptance" }
	p.Push(enginetest.Commit(2), "main", "ann", "Sell more books", shopYAML)
	p.Settle(enginetest.Digest)
	p.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "stocktaking"})
	p.Pass(90 * time.Second)
	p.CaughtUp()

	answer := httptest.NewRecorder()
	scrape.New(scrape.Config{Engine: p.Engine, History: h, Build: "1.2.3"}).
		ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK || !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("%d %s\n%s", answer.Code, answer.Header(), answer.Body)
	}
	text := answer.Body.String()
	for _, must := range []string{"\nprocess_resident_memory_bytes ", "\ngo_goroutines "} {
		if !strings.Contains(text, must) {
			t.Errorf("there is no%s", must)
		}
	}
	ours := regexp.MustCompile(`(?m)^(# (HELP|TYPE) )?andon_.*\n`)
	got := strings.Join(ours.FindAllString(text, -1), "")
	file := filepath.Join("testdata", "metrics.txt")
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if got != string(want) {
		t.Errorf("the metrics are\n%s\nnot\n%s", got, want)
	}
	documented, err := os.ReadFile("../../docs/reference/metrics.md")
	must(t, err)
	for _, name := range regexp.MustCompile(`(?m)^# TYPE (andon_\w+) `).FindAllStringSubmatch(got, -1) {
		if !strings.Contains(string(documented), "`"+name[1]+"`") {
			t.Errorf("docs/reference/metrics.md does not tell of %s", name[1])
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
