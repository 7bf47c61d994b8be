package httpapi

import (
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
)

// guard stands in front of everything: it keeps other sites' pages from using a browser that is
// signed in here, finds out who asks, and refuses who may not. A panic becomes an answer.
func (a *API) guard(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &writer{ResponseWriter: w}
		defer a.recover(out, r)
		out.Header().Set("X-Content-Type-Options", "nosniff")
		if r.URL.Path == "/healthz" {
			next.ServeHTTP(out, r)
			return
		}
		if err := a.checkHost(r); err != nil {
			a.fail(out, r, err)
			return
		}
		if err := crossOrigin.Check(r); err != nil {
			a.fail(out, r, andon.Errorf(andon.KindRefused, "the request comes from a page of another site").Because(err))
			return
		}
		who, ok, err := a.who(r)
		if err != nil {
			a.refuse(out, r, err)
			return
		}
		if ok {
			r = r.WithContext(auth.With(r.Context(), who))
		}
		if err := a.permit(r); err != nil {
			a.refuse(out, r, err)
			return
		}
		next.ServeHTTP(out, r)
		if out.status >= 500 && areaOf(r.URL.Path) == "/v2/" {
			// The library of the registry keeps its reasons to itself.
			a.Log.Error("the registry failed to answer", "method", r.Method, "path", r.URL.Path, "status", out.status)
		}
	})
}

// checkHost refuses requests to this machine's own addresses that name a foreign host: a page of
// that host made a browser ask here (DNS rebinding).
func (a *API) checkHost(r *http.Request) error {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return nil
	}
	if address, ok := local.(*net.TCPAddr); !ok || !address.IP.IsLoopback() {
		return nil
	}
	host := hostname(r.Host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(a.Hosts, host) {
		return nil
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return nil
	}
	return andon.Errorf(andon.KindRefused, "the plant does not answer for the host %.100q", host).
		WithHint("use %s, or start the server with the name that its reverse proxy uses", a.Address())
}

// hostname returns the name in a Host header, in lower case, without port and brackets.
func hostname(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// recover answers a request whose handler panicked.
func (a *API) recover(w *writer, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // the server cuts the connection: the answer is incomplete
	}
	a.Log.Error("a handler panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	writeFailure(w, http.StatusInternalServerError, errFault())
}

// A writer remembers the status of an answer.
type writer struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) {
	if status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	w.began()
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets the server send files without copying them.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	w.began()
	return io.Copy(w.ResponseWriter, r)
}

// Flush implements http.Flusher.
func (w *writer) Flush() {
	w.began()
	// A writer that cannot flush sends everything at its end.
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) began() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}
