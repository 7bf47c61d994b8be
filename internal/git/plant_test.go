package git

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/line"
)

// A plant is a real engine on a real journal, with the repositories in front of it.
type plant struct {
	t       *testing.T
	dir     string
	journal *flaky
	engine  *engine.Engine
	history *history.History
	git     *Git
	url     string // of the server, without a user
	keys    *auth.Keys
}

// flaky is a journal whose disk can be full.
type flaky struct {
	journal.Journal
	full func(andon.Event) bool
}

func (f *flaky) Append(ctx context.Context, head andon.Seq, events []andon.Event) ([]andon.Event, error) {
	for _, e := range events {
		if f.full != nil && f.full(e) {
			return nil, andon.Errorf(andon.KindUnavailable, "the disk of the journal is full")
		}
	}
	return f.Journal.Append(ctx, head, events)
}

func open(t *testing.T) *plant {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	p := &plant{t: t, dir: t.TempDir(), keys: auth.New("secret", nil)}
	store, err := sqlite.Open(t.Context(), filepath.Join(p.dir, "journal.db"))
	p.must(err)
	p.journal = &flaky{Journal: store}
	p.history, err = history.Open(t.Context(), filepath.Join(p.dir, "history.db"))
	p.must(err)
	p.engine, err = engine.Open(t.Context(), engine.Config{Journal: p.journal, Log: slog.New(slog.DiscardHandler)})
	p.must(err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 2)
	go func() { ended <- p.engine.Run(ctx) }()
	go func() {
		ended <- p.engine.Follow(ctx, p.history.Position(), func(events []andon.Event) error { return p.history.Apply(ctx, events) })
	}()
	_, err = p.engine.Do(t.Context(), "test", line.CreatePlant{Plant: "test", Environments: andon.DefaultEnvironments()})
	p.must(err)
	p.start()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, token, _ := r.BasicAuth()
		if who, ok := p.keys.Who(token); ok {
			r = r.WithContext(auth.With(r.Context(), who))
		}
		p.git.ServeHTTP(w, r)
	}))
	p.url = server.URL
	t.Cleanup(func() {
		server.Close()
		stop()
		for range 2 {
			if err := <-ended; err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
		p.must(p.git.Close())
		p.must(p.history.Close())
		p.must(store.Close())
	})
	return p
}

// start opens the repositories, as a server does when it starts.
func (p *plant) start() {
	p.t.Helper()
	if p.git != nil {
		p.must(p.git.Close())
	}
	g, err := New(p.t.Context(), Config{
		Dir: filepath.Join(p.dir, "git"), Engine: p.engine, History: p.history,
		Address: func() string { return "http://plant.example" }, Log: slog.New(slog.NewTextHandler(p.t.Output(), nil)),
	})
	p.must(err)
	p.git = g
}

func (p *plant) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// remote is the address of a service's repository for whoever has the token.
func (p *plant) remote(service, token string) string {
	return strings.Replace(p.url, "http://", "http://someone:"+token+"@", 1) + "/git/" + service + ".git"
}

// versions returns the versions of a service as "NUMBER BRANCH SUBJECT", oldest first.
func (p *plant) versions(service andon.ServiceName) []string {
	p.t.Helper()
	var out []string
	p.must(p.engine.View(p.t.Context(), func(s *line.State) {
		svc := s.Services[service]
		if svc == nil {
			return
		}
		for n := andon.VersionNumber(1); n <= svc.Newest; n++ {
			if v := svc.Versions[n]; v != nil {
				out = append(out, fmt.Sprintf("%d %s %s", n, v.Branch, v.Subject))
			}
		}
	}))
	return out
}

// caughtUp waits until the history has every event.
func (p *plant) caughtUp() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	p.must(p.history.WaitFor(ctx, p.engine.Head()))
}

// A clone is somebody's working copy.
type clone struct {
	t      *testing.T
	dir    string
	remote string
}

func (p *plant) newClone(service string) *clone {
	p.t.Helper()
	c := &clone{t: p.t, dir: p.t.TempDir(), remote: p.remote(service, "secret")}
	c.git("init", "--quiet", "--initial-branch=main")
	return c
}

func (c *clone) run(args ...string) (string, error) {
	cmd := exec.CommandContext(c.t.Context(), "git", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *clone) git(args ...string) string {
	c.t.Helper()
	out, err := c.run(args...)
	if err != nil {
		c.t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c *clone) write(name, content string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// commit commits everything, with an andon.yaml of that content.
func (c *clone) commit(subject, andonYAML string) string {
	c.t.Helper()
	c.write("andon.yaml", andonYAML)
	c.git("add", "--all")
	c.git("commit", "--quiet", "--allow-empty", "--message", subject)
	return strings.TrimSpace(c.git("rev-parse", "HEAD"))
}

const shop = `service: shop
commit:
  jobs:
    test: {steps: [{run: "true"}]}
    build: {steps: [{run: mkdir -p out}]}
  artifact: {path: out}
run: {command: ./shop, port: 8080}
stages:
  - {name: acceptance, deploy: test, grants: release-candidate}
  - {name: production, deploy: production}
`
