// Package httpapi is the plant's HTTP surface: the JSON API with its OpenAPI description,
// server-sent events, the protocol of agents, and the guard in front of everything else that the
// same port serves.
package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
	"github.com/andon-cd/andon/internal/ca"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/logs"
	"github.com/andon-cd/andon/internal/secret"
)

// Config is what the API is made of.
type Config struct {
	Engine  *engine.Engine
	History *history.History // somebody keeps it up to date
	Logs    *logs.Store
	Secrets *secret.Store
	Keys    *auth.Keys
	Log     *slog.Logger
	Build   string // the version of andon

	// Address returns where people reach the plant, Proxy where they reach the services behind
	// the built-in proxy ("" without one): "http://127.0.0.1:8600".
	Address func() string
	Proxy   func() string
	// Hosts are host names, besides those of this machine, that requests to a loopback listener
	// may name: those of a reverse proxy in front.
	Hosts []string
	// Authority signs the certificates of hosts that join; nil: none can.
	Authority *ca.Authority
	// Ready reports why the plant cannot serve yet; nil: it always can.
	Ready func() error
	// Reachable reports why a branch of a repository cannot be watched, and otherwise which one it
	// is: without one, the default branch.
	Reachable func(ctx context.Context, repository, branch string, c secret.Credential) (trunk string, err error)
	// Trouble reports why a repository that is watched could not be read when it was looked at
	// last; nil: nobody watches any.
	Trouble func(andon.ServiceName) error

	// Backup writes the whole plant to one file; nil: it cannot be done over the API.
	Backup func(ctx context.Context, to io.Writer) error

	// What else the port serves: git below /git/, the registry below /v2/, incoming webhooks
	// below /hooks/, what Prometheus scrapes at /metrics, and pages everywhere else. Without a
	// handler, nothing is there.
	Git, Registry, Hooks, Metrics, Pages http.Handler
}

// An API serves everything on the plant's port. It implements http.Handler.
type API struct {
	Config
	routes  *http.ServeMux // /api/, /agent/ and what belongs to them
	huma    huma.API
	spec    func() ([]byte, error)
	guarded http.Handler
	buffers sync.Pool // of *[logBuffer]byte
	paths   []string  // patterns of all routes, for tests
}

// New returns the handler. It starts nothing. Streams and long polls end with the context of
// their request: the http.Server needs a BaseContext that ends when it is to stop.
func New(config Config) *API {
	a := &API{Config: config, routes: http.NewServeMux()}
	a.describe()
	a.reads()
	a.writes()
	a.streams()
	a.agentProtocol()
	a.joins()
	a.handle("GET /healthz", a.health)
	a.handle("GET /openapi.json", a.openAPI)
	a.handle("POST "+signInPath, a.signIn)
	a.handle("POST "+signOutPath, a.signOut)
	a.guarded = a.guard(http.HandlerFunc(a.dispatch))
	return a
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.guarded.ServeHTTP(w, r) }

// Routes returns the patterns of the API's own routes: "GET /api/v1/status".
func (a *API) Routes() []string { return append([]string(nil), a.paths...) }

// handle adds a route that is not described in the OpenAPI document.
func (a *API) handle(pattern string, handler http.HandlerFunc) {
	a.paths = append(a.paths, pattern)
	a.routes.HandleFunc(pattern, handler)
}

// metricsPath is where metrics are scraped.
const metricsPath = "/metrics"

// areaOf returns the first word of a path, with its slashes: "/api/".
func areaOf(path string) string {
	word, _, more := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !more {
		return "/" + word
	}
	return "/" + word + "/"
}

// dispatch gives a request that may be made to whoever serves its area.
func (a *API) dispatch(w http.ResponseWriter, r *http.Request) {
	var other http.Handler
	switch areaOf(r.URL.Path) {
	case "/api/", "/agent/", "/healthz", "/openapi.json", signInPath, signOutPath:
		a.own(w, r)
		return
	case "/git/":
		other = a.Git
	case "/v2/", "/v2":
		other = a.Registry
	case "/hooks/":
		other = a.Hooks
	case metricsPath:
		other = a.Metrics
	default:
		other = a.Pages
	}
	if other == nil {
		a.fail(w, r, errNothingHere(r))
		return
	}
	other.ServeHTTP(w, r)
}

// own serves the API's own routes, and answers in its own form where there is none.
func (a *API) own(w http.ResponseWriter, r *http.Request) {
	handler, pattern := a.routes.Handler(r)
	if pattern != "" {
		a.routes.ServeHTTP(w, r) // sets the path's values, which handler would not
		return
	}
	probe := &probe{header: http.Header{}}
	handler.ServeHTTP(probe, r)
	if probe.status != http.StatusMethodNotAllowed {
		a.fail(w, r, errNothingHere(r))
		return
	}
	w.Header().Set("Allow", probe.header.Get("Allow"))
	e := andon.Errorf(andon.KindInvalid, "%s is not a method of %.200s", r.Method, r.URL.Path).WithHint("it takes %s", probe.header.Get("Allow"))
	writeFailure(w, http.StatusMethodNotAllowed, e)
}

func errNothingHere(r *http.Request) *andon.Error {
	return andon.Errorf(andon.KindNotFound, "there is nothing at %.200s", r.URL.Path).WithHint("/openapi.json describes what there is")
}

// A probe learns what the router would answer.
type probe struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (p *probe) Header() http.Header { return p.header }

// WriteHeader implements http.ResponseWriter.
func (p *probe) WriteHeader(status int) { p.status = status }

// Write implements http.ResponseWriter.
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

// health answers whether the plant serves. It is the only route that everybody may ask.
func (a *API) health(w http.ResponseWriter, r *http.Request) {
	if a.Ready != nil {
		if err := a.Ready(); err != nil {
			a.fail(w, r, err)
			return
		}
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (a *API) openAPI(w http.ResponseWriter, r *http.Request) {
	spec, err := a.spec()
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/openapi+json")
	// The client may be gone; there is nobody else to tell.
	_, _ = w.Write(spec)
}
