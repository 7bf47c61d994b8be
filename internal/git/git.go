// Package git serves the plant's own repositories over smart HTTP, by git http-backend. A push is
// checked before its refs move, and returns when its versions exist; a push of the estate, when the
// environments are what it declares.
package git

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/vcs"
)

const (
	// DefaultMaxPush bounds one push, in bytes.
	DefaultMaxPush = 2 << 30
	// longestRequest bounds one clone, fetch or push.
	longestRequest = time.Hour
	// mostRequests bounds the requests that run git at once; others wait for their turn.
	mostRequests = 32
)

// Config is what the repositories need.
type Config struct {
	Dir     string // of the repositories: Dir/SERVICE.git
	Engine  *engine.Engine
	History *history.History
	// Address returns where people reach the plant: "http://127.0.0.1:8600".
	Address func() string
	MaxPush int64 // bytes; 0: DefaultMaxPush
	Log     *slog.Logger
}

// Git serves /git/SERVICE.git. It implements http.Handler; who may ask is in the request's
// context (package auth).
type Git struct {
	Config
	hooks string // directory of the hooks
	empty string // what a service that is not known yet looks like

	running context.Context // ends with Close
	stop    context.CancelFunc
	slots   chan struct{} // bounds what runs at once

	mu      sync.Mutex
	closed  bool
	active  sync.WaitGroup
	pushing map[andon.ServiceName]*turn
}

// New prepares the directory and returns the handler. Close ends its use.
func New(ctx context.Context, config Config) (*Git, error) {
	if config.MaxPush == 0 {
		config.MaxPush = DefaultMaxPush
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, err
	}
	config.Dir = dir
	g := &Git{
		Config: config, hooks: filepath.Join(dir, hooksDir), empty: filepath.Join(dir, emptyDir),
		slots: make(chan struct{}, mostRequests), pushing: map[andon.ServiceName]*turn{},
	}
	g.running, g.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, andon.Errorf(andon.KindUnavailable, "the directory of the repositories %s cannot be made", dir).Because(err)
	}
	if err := errors.Join(g.writeHooks(), g.dropUnfinished(), g.makeEmpty(ctx)); err != nil {
		return nil, err
	}
	return g, nil
}

// Close ends everything that runs and waits for it. Requests are refused from then on.
func (g *Git) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.stop()
	g.active.Wait()
	return nil
}

// enter counts a request as active; it fails when the server is stopping.
func (g *Git) enter(ctx context.Context) (leave func(), err error) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil, errStopping()
	}
	g.active.Add(1)
	g.mu.Unlock()
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots; g.active.Done() }, nil
	case <-ctx.Done():
	case <-g.running.Done():
	}
	g.active.Done()
	return nil, errStopping()
}

func errStopping() *andon.Error {
	return andon.Errorf(andon.KindUnavailable, "the plant is stopping").WithHint("push again when it runs again")
}

// A request is what a git client asks for.
type request struct {
	service andon.ServiceName
	what    string // infoRefs, uploadPack or receivePack
	push    bool   // it is, or announces, a push
}

// The three things that a git client asks for.
const (
	infoRefs    = "info/refs"
	uploadPack  = "git-upload-pack"
	receivePack = "git-receive-pack"
)

// parse reads what a request asks for; false means that there is nothing at its path.
func parse(r *http.Request) (request, bool) {
	name, what, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/git/"), "/")
	name = strings.TrimSuffix(name, ".git")
	if !ok || !andon.ValidName(name) {
		return request{}, false
	}
	q := request{service: andon.ServiceName(name), what: what}
	switch {
	case what == infoRefs && r.Method == http.MethodGet:
		asked := r.URL.Query().Get("service")
		q.push = asked == receivePack
		return q, q.push || asked == uploadPack // without either it is the dumb protocol
	case (what == uploadPack || what == receivePack) && r.Method == http.MethodPost:
		q.push = what == receivePack
		return q, true
	}
	return request{}, false
}

// ServeHTTP answers a git client.
func (g *Git) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, ok := parse(r)
	if !ok {
		refuse(w, andon.Errorf(andon.KindNotFound, "there is no repository here").
			WithHint("the address of a repository is %s/git/SERVICE.git; %s", g.Address(), andon.NameRule))
		return
	}
	who, ok := auth.From(r.Context())
	switch {
	case !ok:
		refuse(w, andon.Errorf(andon.KindSignIn, "nobody is signed in"))
		return
	case q.push && who.Role != auth.Admin:
		refuse(w, andon.Errorf(andon.KindRefused, "an agent may read repositories, and not push to them"))
		return
	}
	leave, err := g.enter(r.Context())
	if err != nil {
		refuse(w, err)
		return
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), longestRequest)
	defer cancel()
	defer context.AfterFunc(g.running, cancel)()
	if err := g.serve(ctx, w, r, q); err != nil {
		if andon.KindOf(err) == andon.KindInternal && ctx.Err() == nil {
			g.Log.Error("a git client could not be served", "service", q.service, "request", q.what, "err", err)
		}
		refuse(w, err)
	}
}

// serve answers one request. An error that it returns has not been told to the client.
func (g *Git) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, q request) error {
	known, err := g.look(ctx, q.service)
	if err != nil {
		return err
	}
	switch {
	case q.push && known.source.URL != "" && q.service == andon.EstateRepository:
		return andon.Errorf(andon.KindRefused, "the estate comes from the repository %s", vcs.Redacted(known.source.URL)).
			WithHint("push there: the plant follows it; `andon estate unfollow` ends that")
	case q.push && known.source.URL != "":
		return andon.Errorf(andon.KindRefused, "%s comes from the repository %s", q.service, known.source.URL).
			WithHint("push there: the plant watches it")
	case q.what == receivePack:
		return g.receive(ctx, w, r, q.service, known)
	case known.exists && known.there:
		return g.backend(ctx, w, r, run{dir: g.dir(q.service), what: q.what})
	case q.push:
		return g.backend(ctx, w, r, run{dir: g.empty, what: q.what})
	case q.service == andon.EstateRepository:
		return andon.Errorf(andon.KindNotFound, "nobody has pushed an estate yet").
			WithHint("git push %s/git/%s.git %s", g.Address(), q.service, estateTrunk)
	default:
		return andon.Errorf(andon.KindNotFound, "there is no service %s", q.service).
			WithHint("push it first, or see `andon service list`")
	}
}

// knowledge is what the plant knows of a service before a request is served.
type knowledge struct {
	there  bool // the line knows the service, as it always knows the estate
	source andon.Source
	exists bool // its repository is on disk
}

func (g *Git) look(ctx context.Context, service andon.ServiceName) (k knowledge, err error) {
	err = g.Engine.View(ctx, func(s *line.State) {
		if service == andon.EstateRepository {
			k.there, k.source.Trunk = true, estateTrunk
			if s.Followed != nil {
				k.source = s.Followed.Source
			}
			return
		}
		if known, ok := s.Services[service]; ok {
			k.there, k.source = true, known.Source
		}
	})
	if err != nil {
		return k, err
	}
	k.exists = isRepository(g.dir(service))
	return k, nil
}

// dir is where the repository of a service is.
func (g *Git) dir(service andon.ServiceName) string {
	return filepath.Join(g.Dir, string(service)+".git")
}

func isRepository(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "HEAD"))
	return err == nil
}

// refuse answers with an error as text, which git clients show as lines of the remote.
func refuse(w http.ResponseWriter, err error) {
	e, ok := errors.AsType[*andon.Error](err)
	if !ok {
		e = andon.Errorf(andon.KindInternal, "the plant failed to serve the repository").WithHint("its log says why")
	}
	status := http.StatusInternalServerError
	switch e.Kind {
	case andon.KindNotFound:
		status = http.StatusNotFound
	case andon.KindSignIn:
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Basic realm="andon"`)
	case andon.KindRefused, andon.KindInvalid, andon.KindConflict:
		status = http.StatusForbidden
	case andon.KindUnavailable, andon.KindTimeout:
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(status)
	text := "andon: " + e.Message + "\n"
	if e.Hint != "" {
		text += "andon: " + e.Hint + "\n"
	}
	// The client may be gone; there is nobody else to tell.
	_, _ = w.Write([]byte(text))
}
