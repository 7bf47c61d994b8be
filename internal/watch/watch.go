// Package watch follows repositories that live elsewhere: it asks each for its branches now and
// then, at once when a webhook wakes it, and announces what is new to the line. The estate may be
// in one of them.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/secret"
	"github.com/andon-cd/andon/internal/vcs"
)

const (
	// DefaultInterval is how often a repository is asked when nothing wakes the watcher.
	DefaultInterval = 30 * time.Second
	// longestInterval is how rarely one is asked that does not answer.
	longestInterval = 10 * time.Minute
	// roundTimeout bounds one look at a repository, the fetch included.
	roundTimeout = 15 * time.Minute
)

// Config is what a watcher needs.
type Config struct {
	Engine   *engine.Engine
	Dir      string        // of the bare repositories: Dir/SERVICE.git
	Secrets  *secret.Store // credentials of private repositories
	Interval time.Duration // 0: DefaultInterval
	Log      *slog.Logger
}

// A Watcher follows every service of the plant that has a repository elsewhere, and the estate if
// it has one. The estate goes by the name of its repository, which no service can have.
type Watcher struct {
	Config
	mu       sync.Mutex
	watching map[andon.ServiceName]*following
}

// following is one service that is watched.
type following struct {
	wake    chan struct{} // holds at most one wake-up
	stop    context.CancelFunc
	done    chan struct{}
	trouble error // of the last look; nil: it went well, or has not ended yet
}

// New returns a watcher; Run makes it watch.
func New(config Config) *Watcher {
	if config.Interval == 0 {
		config.Interval = DefaultInterval
	}
	return &Watcher{Config: config, watching: map[andon.ServiceName]*following{}}
}

// Run watches until ctx ends, and returns when nothing of it runs any more.
func (w *Watcher) Run(ctx context.Context) error {
	head := w.Engine.Head()
	var sources map[andon.ServiceName]andon.Source
	err := w.Engine.View(ctx, func(s *line.State) {
		sources = make(map[andon.ServiceName]andon.Source, len(s.Services))
		for name, service := range s.Services {
			sources[name] = service.Source
		}
		if s.Followed != nil {
			sources[andon.EstateRepository] = s.Followed.Source
		}
	})
	if err != nil {
		return err
	}
	defer w.stopAll()
	for service, source := range sources {
		w.start(ctx, service, source)
	}
	return w.Engine.Follow(ctx, head, func(events []andon.Event) error {
		for _, event := range events {
			switch body := event.Body.(type) {
			case andon.ServiceAdded:
				w.start(ctx, body.Service, body.Source)
			case andon.ServiceRemoved:
				w.stop(body.Service)
				w.forget(body.Service)
			case andon.EstateFollowed:
				w.stop(andon.EstateRepository)
				w.start(ctx, andon.EstateRepository, body.Source)
			}
		}
		return nil
	})
}

// Wake makes the watcher look at the repository of a service, or of the estate, now. It reports whether it watches it.
func (w *Watcher) Wake(service andon.ServiceName) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, ok := w.watching[service]
	if !ok {
		return false
	}
	select {
	case f.wake <- struct{}{}:
	default: // it is awake already
	}
	return true
}

// Trouble returns why the repository of a service, or of the estate, could not be read when it was
// looked at last; nil: it could, or is not watched.
func (w *Watcher) Trouble(service andon.ServiceName) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f, ok := w.watching[service]; ok {
		return f.trouble
	}
	return nil
}

func (w *Watcher) setTrouble(f *following, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.trouble = err
}

// Reachable reports why a branch of a repository cannot be watched, before a service is added for
// it, and otherwise which branch it is: without one, the default branch. An empty repository may
// get any branch later.
func Reachable(ctx context.Context, url, branch string, c secret.Credential) (trunk string, err error) {
	heads, err := vcs.LsRemote(ctx, url, credentials(c))
	if err != nil {
		return "", err
	}
	if _, there := heads.Branches[branch]; branch != "" && !there && len(heads.Branches) > 0 {
		return "", andon.Errorf(andon.KindNotFound, "the repository %s has no branch %s", vcs.Redacted(url), branch).
			WithHint("its branches are %s", someOf(slices.Sorted(maps.Keys(heads.Branches))))
	}
	if branch != "" {
		return branch, nil
	}
	if heads.Default != "" {
		return heads.Default, nil
	}
	return "main", nil // an empty repository: what its first push will most likely be
}

// mostNamed bounds the branches that an error names.
const mostNamed = 10

// someOf returns the first names, and how many more there are.
func someOf(names []string) string {
	if more := len(names) - mostNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}

func credentials(c secret.Credential) vcs.Credentials {
	return vcs.Credentials{User: c.User, Token: c.Token, SSHKey: c.SSHKey}
}

func (w *Watcher) start(ctx context.Context, service andon.ServiceName, source andon.Source) {
	if source.URL == "" {
		return
	}
	w.stop(service)
	ctx, cancel := context.WithCancel(ctx)
	f := &following{wake: make(chan struct{}, 1), stop: cancel, done: make(chan struct{})}
	w.mu.Lock()
	w.watching[service] = f
	w.mu.Unlock()
	r := &remote{
		service: service, source: source, engine: w.Engine, secrets: w.Secrets,
		dir: filepath.Join(w.Dir, string(service)+".git"),
	}
	look := r.look
	if service == andon.EstateRepository {
		r.dir = filepath.Join(w.Dir, estateDir)
		look = r.lookAtEstate
	}
	go func() {
		defer close(f.done)
		w.follow(ctx, r, look, f)
	}()
}

func (w *Watcher) stop(service andon.ServiceName) {
	w.mu.Lock()
	f := w.watching[service]
	delete(w.watching, service)
	w.mu.Unlock()
	if f != nil {
		f.stop()
		<-f.done
	}
}

// forget drops the note of what was announced of a removed service: when it is added again,
// everything is new.
func (w *Watcher) forget(service andon.ServiceName) {
	err := os.Remove(filepath.Join(w.Dir, string(service)+".git", seenFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.Log.Warn("the note of a removed service stays: added again, it waits for its next commit", "service", service, "err", err)
	}
}

func (w *Watcher) stopAll() {
	w.mu.Lock()
	var names []andon.ServiceName
	for name := range w.watching {
		names = append(names, name)
	}
	w.mu.Unlock()
	for _, name := range names {
		w.stop(name)
	}
}

// follow looks at one repository again and again; while it does not answer, ever more rarely.
func (w *Watcher) follow(ctx context.Context, r *remote, look func(context.Context) error, f *following) {
	pause := w.Interval
	failing := false
	for {
		err := look(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !failing {
				w.Log.Warn("a watched repository cannot be read", "service", r.service, "repository", vcs.Redacted(r.source.URL), "err", err)
			}
			failing, pause = true, min(2*pause, longestInterval)
		default:
			if failing {
				w.Log.Info("a watched repository answers again", "service", r.service)
			}
			failing, pause = false, w.Interval
		}
		w.setTrouble(f, err)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}
