package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A server is what the proxy process does: it carries requests by its table, and changes the
// table when it is told to.
type server struct {
	dir     string
	log     *slog.Logger
	drained func() // called when a draining target's last request ends
	table   atomic.Pointer[table]
	leaving atomic.Bool

	ledgers *ledgers
	http    *http.Server // of the public listeners
	locals  *http.Server // of the places' own listeners
	admit   *admission
	config  Settings
	limits  limits
	certs   *certificates // nil: no listener speaks TLS
	access  *accessLog    // nil: there is none
	tlsPort int           // of the first listener for TLS; 0: there is none

	stickyKey []byte

	mu       sync.Mutex // guards what follows, and orders changes
	saved    *routeLog
	revision int64
	build    string
	public   []*net.TCPListener
	own      map[andon.Place]*net.TCPListener
}

const (
	keepAliveLimit = 75 * time.Second // longer than clients keep idle connections
	maxHeaderBytes = 64 << 10
	maxClients     = 10_000 // connections
)

func newServer(dir string, config Settings, ledgers *ledgers, slogger *slog.Logger, drained func()) *server {
	if config.ClientConnections <= 0 {
		config.ClientConnections = defaultClientConnections
	}
	s := &server{
		dir: dir, log: slogger, drained: drained, ledgers: ledgers, config: config, limits: usual,
		admit: newAdmission(maxClients, config.ClientConnections),
		saved: &routeLog{path: filepath.Join(dir, "routes.log")},
		own:   map[andon.Place]*net.TCPListener{},
	}
	if config.limits != nil {
		s.limits = *config.limits
	}
	if config.ClientPause > 0 {
		s.limits.stall = config.ClientPause
	}
	var err error
	if s.stickyKey, err = loadStickyKey(dir); err != nil {
		slogger.Error("the key of the cookies cannot be kept: they lead nowhere once this proxy ends", "error", err)
	}
	if config.AccessLog {
		if s.access, err = openAccessLog(dir, slogger); err != nil {
			s.access = nil
			slogger.Error("there is no access log", "error", err)
		}
	}
	s.table.Store(&table{untold: true})
	s.http = newHTTPServer(s, s.limits, slogger)
	s.locals = newHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		place, _ := r.Context().Value(placeKey{}).(andon.Place)
		s.carry(w, r, func(t *table) *route { return t.route(place) })
	}), s.limits, slogger)
	s.locals.BaseContext = func(l net.Listener) context.Context {
		return context.WithValue(context.Background(), placeKey{}, l.(*admittingListener).place)
	}
	return s
}

// placeKey is the context key of the place whose own listener a request came in by.
type placeKey struct{}

func newHTTPServer(handler http.Handler, l limits, slogger *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		ReadHeaderTimeout: l.header,
		ConnContext:       withClient,
		IdleTimeout:       keepAliveLimit,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 250,
			WriteByteTimeout:     l.stall,
			SendPingTimeout:      time.Minute,
		},
		// What clients do wrong is not for the log of the proxy, but for whom it looks into it closely.
		ErrorLog: log.New(debugWriter{slogger}, "", 0),
	}
}

type debugWriter struct{ log *slog.Logger }

func (d debugWriter) Write(p []byte) (int, error) {
	d.log.Debug("http", "message", string(p))
	return len(p), nil
}

// serve accepts requests on the listener until leave.
func (s *server) serve(l *net.TCPListener, config *tls.Config) {
	go s.accept(s.http, &admittingListener{TCPListener: l, admission: s.admit, trusted: s.config.Trusted, stall: s.limits.stall, tls: config, closed: make(chan struct{})})
}

// serveAll accepts requests on all public listeners. If the certificates cannot be had, those for
// TLS are left alone and an error says why. Nobody else may use the server yet.
func (s *server) serveAll() (err error) {
	secure := s.public[len(s.public)-min(s.config.Secure, len(s.public)):]
	clear := s.public[:len(s.public)-len(secure)]
	if len(secure) > 0 {
		httpPort := 0
		if len(clear) > 0 {
			httpPort = portOf(clear[0])
		}
		s.tlsPort = portOf(secure[0])
		if s.certs, err = openCertificates(s.dir, s.config, httpPort, s.tlsPort, s.hosts, s.log); err != nil {
			secure = nil
		}
		s.certs.manage()
	}
	for _, l := range clear {
		s.serve(l, nil)
	}
	for _, l := range secure {
		s.serve(l, s.certs.tls())
	}
	return err
}

// hosts returns the host names that have a route.
func (s *server) hosts() []string {
	var all []string
	for h := range s.table.Load().hosts.all {
		all = append(all, h)
	}
	return all
}

// serveOwn accepts requests for one place, whatever their host is, on its own listener.
func (s *server) serveOwn(p andon.Place) {
	l := s.own[p]
	go s.accept(s.locals, &admittingListener{TCPListener: l, admission: s.admit, stall: s.limits.stall, closed: make(chan struct{}), place: p})
}

func (s *server) accept(h *http.Server, l net.Listener) {
	err := h.Serve(l)
	if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		s.log.Error("a listener of the proxy failed", "address", l.Addr(), "error", err)
	}
}

// sweep looks after what has no event of its own, until ctx ends: connections that are idle
// for long, and copies that do not answer.
func (s *server) sweep(ctx context.Context) {
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.certs.reload()
		now := clock()
		for _, r := range s.table.Load().places.all {
			for t := range r.all {
				t.idle.closeOld(now)
				t.expire(now, answerTimeout)
			}
		}
	}
}

// leave accepts nothing more and returns when every client is gone: the idle ones after idle
// at the latest, and all after bound.
func (s *server) leave(ctx context.Context, idle, bound time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	s.leaving.Store(true)
	s.certs.close()
	s.mu.Lock()
	for _, l := range s.public {
		l.Close()
	}
	for _, l := range s.own {
		l.Close()
	}
	s.mu.Unlock()
	s.admit.waitEmpty(ctx, idle)
	_ = s.http.Shutdown(ctx) // an error says that ctx ended first: Close cuts what is left
	_ = s.locals.Shutdown(ctx)
	s.admit.waitEmpty(ctx, bound)
	_ = s.http.Close()
	_ = s.locals.Close()
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	s.access.close(ended)
}
