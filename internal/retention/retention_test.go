package retention_test

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/logs"
	"github.com/andon-cd/andon/internal/registry"
	"github.com/andon-cd/andon/internal/retention"
)

const shopYAML = `service: shop
commit:
  jobs:
    build: {steps: [{run: mkdir -p out}]}
  artifact: {path: out}
run: {command: ./shop, port: 8080}
stages:
  - {name: production, deploy: production}
`

// start is when the story begins.
var start = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// A bed is a plant with real artifacts in a real registry, and logs.
type bed struct {
	t        *testing.T
	plant    *enginetest.Plant
	logs     *logs.Store
	registry *registry.Registry
	dir      string // of the registry
	remote   artifact.Remote
	cache    *artifact.Cache
	unpacked string // directory of the cache
	built    map[andon.CommitID]andon.Digest
	sweeper  *retention.Sweeper
}

func newBed(t *testing.T, keep history.Retention) *bed {
	t.Helper()
	b := &bed{t: t, dir: filepath.Join(t.TempDir(), "registry"), unpacked: t.TempDir(), built: map[andon.CommitID]andon.Digest{}}
	j, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"))
	b.must(err)
	h, err := history.Open(t.Context(), filepath.Join(t.TempDir(), "history.db"))
	b.must(err)
	b.logs, err = logs.Open(t.TempDir(), logs.Options{})
	b.must(err)
	b.registry, err = registry.Open(t.Context(), registry.Config{Dir: b.dir})
	b.must(err)
	b.cache, err = artifact.OpenCache(b.unpacked)
	b.must(err)
	server := httptest.NewServer(b.registry)
	t.Cleanup(func() {
		server.Close()
		b.must(b.registry.Close())
		b.must(b.logs.Close())
		b.must(h.Close())
		b.must(j.Close())
	})
	b.remote = artifact.Remote{URL: server.URL}
	b.plant = enginetest.Run(t, j, h, start)
	b.sweeper = retention.New(retention.Config{
		Engine: b.plant.Engine, History: h, Logs: b.logs, Registry: b.registry, Cache: b.cache.Collect, Keep: keep,
		Log: slog.New(slog.DiscardHandler),
	})
	return b
}

func (b *bed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// build makes the artifact of a commit: pushed to the registry, and unpacked beside the agent.
func (b *bed) build(commit andon.CommitID) andon.Digest {
	b.t.Helper()
	if d, ok := b.built[commit]; ok {
		return d
	}
	checkout := b.t.TempDir()
	b.must(os.Mkdir(filepath.Join(checkout, "out"), 0o700))
	b.must(os.WriteFile(filepath.Join(checkout, "out", "shop"), []byte("program of "+commit), 0o700))
	packed, err := artifact.Pack(b.t.Context(), checkout, andon.ArtifactSource{Path: "out", Job: "build"}, b.t.TempDir())
	b.must(err)
	pushed, err := artifact.Push(b.t.Context(), b.remote, "shop", "c"+string(commit[30:]), packed)
	b.must(err)
	b.must(packed.Close())
	_, err = b.cache.Pull(b.t.Context(), b.remote, "shop", pushed.Digest)
	b.must(err)
	b.built[commit] = pushed.Digest
	return pushed.Digest
}

// push pushes version n and lets it go as far as it can; streams are the logs that it writes.
func (b *bed) push(n int, branch string, streams ...string) {
	b.t.Helper()
	b.plant.Push(enginetest.Commit(n), branch, "Ada", "a commit", shopYAML)
	b.plant.Settle(b.build)
	for _, name := range streams {
		_, err := b.logs.Append(name, 0, []byte("ok\n"), b.plant.Now())
		b.must(err)
	}
	b.plant.Pass(time.Hour)
}

func built(n int) string    { return fmt.Sprintf("task/shop.%d.commit.build.1/1", n) }
func deployed(n int) string { return fmt.Sprintf("instance/shop.production.%d.0", n) }

// release pushes version n to production, the nth deployment there.
func (b *bed) release(n int) {
	b.t.Helper()
	b.push(n, "main", built(n), deployed(n))
}

// age makes everything in the registry older than its grace.
func (b *bed) age() {
	b.t.Helper()
	old := time.Now().Add(-2 * registry.DefaultGrace)
	b.must(filepath.WalkDir(b.dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(name, old, old)
	}))
}

func (b *bed) sweep() {
	b.t.Helper()
	b.plant.CaughtUp()
	b.must(b.sweeper.Sweep(b.t.Context()))
}

// What a version may have still.
const (
	inRegistry = 1 << iota
	unpacked
	logged
	everything = inRegistry | unpacked | logged
	nothing    = 0
)

// has tells what of the nth version is there still.
func (b *bed) has(n int) (has int) {
	b.t.Helper()
	d := b.built[enginetest.Commit(n)]
	fresh, err := artifact.OpenCache(b.t.TempDir())
	b.must(err)
	if _, err := fresh.Pull(b.t.Context(), b.remote, "shop", d); err == nil {
		has |= inRegistry
	}
	if _, err := os.Stat(filepath.Join(b.unpacked, strings.Replace(string(d), ":", "-", 1))); err == nil {
		has |= unpacked
	}
	_, task := b.logs.Info(built(n))
	_, instance := b.logs.Info(deployed(n))
	if task == nil {
		has |= logged
	}
	if task != nil && instance == nil {
		b.t.Errorf("version %d: the log of its task is gone, that of its copy is there", n)
	}
	return has
}

// want checks what of versions first to last is there.
func (b *bed) want(when string, first, last, want int) {
	b.t.Helper()
	for n := first; n <= last; n++ {
		if got := b.has(n); got != want {
			b.t.Errorf("%s, version %d has %03b, want %03b (logs, unpacked, registry)", when, n, got, want)
		}
	}
}

func TestSweep_KeepsWhatMayRunAgainAndDeletesTheRest(t *testing.T) {
	const releases, kept = 24, 20 // the line remembers that many good ones for a rollback
	b := newBed(t, history.Retention{Versions: 2, Age: 72 * time.Hour, Releases: 3})
	for n := 1; n <= releases; n++ {
		b.release(n)
	}
	b.age()
	b.sweep()
	const old = releases - kept
	b.want("while all are young", 1, old, inRegistry|logged)
	b.want("while all are young", old+1, releases, everything)

	// The oldest that is possible is live again, and all the rest is old.
	b.plant.Do(line.Rollback{Place: andon.Place{Service: "shop", Environment: "production"}, To: old + 1, Reason: "24 is slow"})
	b.plant.Settle(b.build)
	b.plant.Pass(96 * time.Hour)
	b.age()
	b.sweep()
	b.want("after days", 1, old, nothing)
	b.want("after days, live", old+1, old+1, everything)
	// The last three good releases are this one, 24 and 23; the last two versions are 24 and 23.
	b.want("after days", old+3, releases-2, inRegistry|unpacked)
	b.want("after days", releases-1, releases, everything)

	// What a rollback may want can be had, however old it is.
	b.plant.Do(line.Rollback{Place: andon.Place{Service: "shop", Environment: "production"}, To: old + 3, Reason: "farther back"})
	b.sweep() // while it is being deployed
	b.want("while it is deployed", old+3, old+3, inRegistry|unpacked)
	b.plant.Settle(b.build)
	b.sweep()
	b.want("when it is live", old+3, old+3, inRegistry|unpacked)
}

func TestSweep_DeletesWhatNeverRanOnceItIsOld(t *testing.T) {
	b := newBed(t, history.Retention{Versions: 1, Age: 24 * time.Hour, Releases: 1})
	b.push(1, "idea", built(1)) // off the trunk: it is built, and goes nowhere
	b.release(2)
	b.plant.Pass(48 * time.Hour)
	b.sweep()
	b.want("within the registry's grace", 1, 1, inRegistry)
	b.age()
	b.sweep()
	b.want("after it", 1, 1, nothing)
	b.want("after it, live", 2, 2, everything)
}

func TestSweep_LeavesAloneWhatIsOnItsWay(t *testing.T) {
	b := newBed(t, history.Retention{})
	b.plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "wait"})
	b.push(1, "main", built(1)) // it waits for the cord before production
	b.plant.Pass(1000 * time.Hour)
	b.age()
	b.sweep()
	b.want("before production", 1, 1, inRegistry|logged)
}

func TestPause_HoldsSweepsOff(t *testing.T) {
	b := newBed(t, history.Retention{})
	b.push(1, "idea", built(1))
	b.release(2)
	b.age()
	resume := b.sweeper.Pause()
	swept := make(chan error, 1)
	go func() { swept <- b.sweeper.Sweep(t.Context()) }()
	for range 100 {
		b.plant.View(func(*line.State) {}) // time for a sweep that does not wait
	}
	b.want("while a backup is written", 1, 1, inRegistry|unpacked|logged)
	resume()
	b.must(<-swept)
	b.want("afterwards", 1, 1, nothing)
}
