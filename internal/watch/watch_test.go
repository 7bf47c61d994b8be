package watch_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/secret"
	"github.com/andon-cd/andon/internal/watch"
)

const (
	never    = time.Hour             // is how often a repository is asked that only a wake shall make us ask
	soon     = 20 * time.Millisecond // is how often one is asked when the test waits for the next time
	patience = time.Minute
)

const shopYAML = `service: shop
commit:
  jobs:
    test: {steps: [{run: "true"}]}
`

// A bed is a plant with a watcher.
type bed struct {
	t       *testing.T
	dir     string // of the watcher's repositories
	journal journal.Journal
	plant   *enginetest.Plant
	secrets *secret.Store
	log     *syncBuffer
	watcher *watch.Watcher
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newBed(t *testing.T) *bed {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	b := &bed{t: t, dir: t.TempDir(), log: new(syncBuffer)}
	j, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"))
	b.must(err)
	b.journal = j
	b.secrets, err = secret.Open(filepath.Join(t.TempDir(), "secrets"))
	b.must(err)
	t.Cleanup(func() {
		if b.secrets.Close() != nil || j.Close() != nil {
			t.Error("something does not close")
		}
	})
	b.plant = enginetest.Run(t, j, nil, time.Now())
	return b
}

// watch runs a watcher until end is called.
func (b *bed) watch(interval time.Duration) (end func()) {
	b.t.Helper()
	b.watcher = watch.New(watch.Config{
		Engine: b.plant.Engine, Dir: b.dir, Secrets: b.secrets, Interval: interval, Log: slog.New(slog.NewTextHandler(b.log, nil)),
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(b.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- b.watcher.Run(ctx) }()
	end = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			b.t.Errorf("the watcher ended: %v", err)
		}
	})
	b.t.Cleanup(end)
	return end
}

func (b *bed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// add makes a service of a repository, as the API does.
func (b *bed) add(service andon.ServiceName, url string, c secret.Credential) {
	b.t.Helper()
	b.must(b.secrets.Put(service, c))
	b.plant.Do(line.AddService{Service: service, Source: andon.Source{URL: url, Trunk: "main"}})
}

// versions returns the versions of a service as "NUMBER BRANCH SUBJECT", oldest first.
func (b *bed) versions(service andon.ServiceName) (all []string) {
	b.t.Helper()
	b.plant.View(func(s *line.State) {
		svc := s.Services[service]
		if svc == nil {
			return
		}
		for n := andon.VersionNumber(1); n <= svc.Newest; n++ {
			if v := svc.Versions[n]; v != nil {
				all = append(all, v.Ref.Number.String()+" "+v.Branch+" "+v.Subject)
			}
		}
	})
	return all
}

// await waits until the plant has exactly these versions of shop.
func (b *bed) await(want ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	// Each event of the plant may be what is waited for.
	err := b.plant.Engine.Follow(ctx, 0, func([]andon.Event) error {
		if slices.Equal(b.versions("shop"), want) {
			return context.Canceled
		}
		return nil
	})
	if err == nil {
		b.t.Fatalf("versions:\n%s\nwant:\n%s\nlog:\n%s", strings.Join(b.versions("shop"), "\n"), strings.Join(want, "\n"), b.log)
	}
}

// awaitThat waits until something holds.
func (b *bed) awaitThat(what string, holds func() bool) {
	b.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if holds() {
			return
		}
	}
	b.t.Fatalf("never: %s; the log:\n%s", what, b.log)
}

// A clone is somebody's working copy, whose remote is a bare repository elsewhere.
type clone struct {
	t    *testing.T
	dir  string
	bare string
}

func newClone(t *testing.T) *clone {
	t.Helper()
	c := &clone{t: t, dir: t.TempDir(), bare: filepath.Join(t.TempDir(), "shop.git")}
	c.git("init", "--quiet", "--bare", "--initial-branch=main", c.bare)
	c.git("init", "--quiet", "--initial-branch=main")
	return c
}

func (c *clone) git(args ...string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "git", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// push commits and pushes to a branch.
func (c *clone) push(branch, subject string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, "andon.yaml"), []byte(shopYAML), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.git("add", "--all")
	c.git("commit", "--quiet", "--allow-empty", "--message", subject)
	c.git("push", "--quiet", "--force", c.bare, "HEAD:refs/heads/"+branch)
}

func TestRun_FindsNewCommitsByAsking(t *testing.T) {
	b, c := newBed(t), newClone(t)
	c.push("old-idea", "an old branch")
	c.push("main", "first")
	b.watch(soon)
	b.add("shop", c.bare, secret.Credential{})
	b.await("1 main first") // what was on other branches before is history
	c.push("main", "second")
	b.await("1 main first", "2 main second")
	c.push("idea", "on a branch")
	b.await("1 main first", "2 main second", "3 idea on a branch")
}

func TestRun_AnswersToAWakeAtOnce(t *testing.T) {
	b, c := newBed(t), newClone(t)
	c.push("main", "first")
	b.watch(never)
	b.add("shop", c.bare, secret.Credential{})
	b.await("1 main first")
	c.push("main", "second")
	if !b.watcher.Wake("shop") {
		t.Error("it does not watch shop")
	}
	b.await("1 main first", "2 main second")
	if b.watcher.Wake("other") {
		t.Error("it watches what nobody added")
	}
	b.plant.Do(line.RemoveService{Service: "shop", Reason: "over"})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for b.watcher.Wake("shop") {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it watches a service that was removed")
		}
	}
}

func TestRun_AnnouncesAfterARestartWhatCameMeanwhileAndNothingElse(t *testing.T) {
	b, c := newBed(t), newClone(t)
	c.push("main", "first")
	end := b.watch(never)
	b.add("shop", c.bare, secret.Credential{})
	b.await("1 main first")
	end()
	c.push("main", "second")
	c.push("idea", "on a branch")
	end = b.watch(never)
	b.await("1 main first", "2 idea on a branch", "3 main second")
	end()
	// And when it crashed before it noted what it announced, or the note is damaged.
	for _, damage := range []string{"torn", "gone"} {
		note := filepath.Join(b.dir, "shop.git", "andon-seen.json")
		if damage == "gone" {
			b.must(os.Remove(note))
		} else {
			b.must(os.WriteFile(note, []byte(`{"main": "12`), 0o600))
		}
		end = b.watch(never)
		c.push("main", "after the note was "+damage)
		b.watcher.Wake("shop")
		if damage == "torn" {
			b.await("1 main first", "2 idea on a branch", "3 main second", "4 main after the note was torn")
		} else {
			b.await("1 main first", "2 idea on a branch", "3 main second", "4 main after the note was torn", "5 main after the note was gone")
		}
		end()
	}
}

func TestRun_SaysOnceThatARepositoryCannotBeReadAndWhenItIsBack(t *testing.T) {
	b, c := newBed(t), newClone(t)
	c.push("main", "first")
	h := newHost(t, c)
	b.watch(never)
	b.add("shop", h.URL+"/shop.git", secret.Credential{Token: "wrong"})
	for range 3 {
		before := h.asked()
		b.awaitThat("it is asked", func() bool {
			b.watcher.Wake("shop")
			return h.asked() > before+1 // the second question comes after the first look has ended
		})
	}
	h.rotate("wrong")
	b.awaitThat("it is read", func() bool {
		b.watcher.Wake("shop")
		return len(b.versions("shop")) == 1
	})
	b.awaitThat("it is said", func() bool { return strings.Contains(b.log.String(), "answers again") })
	if n := strings.Count(b.log.String(), "cannot be read"); n != 1 {
		t.Errorf("it complains %d times:\n%s", n, b.log)
	}
}

func TestReachable_NamesTheDefaultBranch(t *testing.T) {
	c := newClone(t)
	if trunk, err := watch.Reachable(t.Context(), c.bare, "", secret.Credential{}); err != nil || trunk != "main" {
		t.Errorf("an empty repository: %q, %v", trunk, err)
	}
	c.push("master", "first")
	c.git("--git-dir", c.bare, "symbolic-ref", "HEAD", "refs/heads/master")
	if trunk, err := watch.Reachable(t.Context(), c.bare, "", secret.Credential{}); err != nil || trunk != "master" {
		t.Errorf("%q, %v", trunk, err)
	}
	if trunk, err := watch.Reachable(t.Context(), c.bare, "master", secret.Credential{}); err != nil || trunk != "master" {
		t.Errorf("a branch that is there: %q, %v", trunk, err)
	}
	_, err := watch.Reachable(t.Context(), c.bare, "mian", secret.Credential{})
	if e, ok := errors.AsType[*andon.Error](err); !ok || e.Kind != andon.KindNotFound || !strings.Contains(e.Message, "has no branch mian") || e.Hint != "its branches are master" {
		t.Errorf("a branch that is not there: %#v", err)
	}
	if _, err := watch.Reachable(t.Context(), c.bare+"x", "", secret.Credential{}); andon.KindOf(err) != andon.KindUnreachable {
		t.Errorf("a repository that is not there: %v", err)
	}
}
