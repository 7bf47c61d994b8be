package server

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// A gateway lets git on this host read the plant's repositories in the agent's name: git cannot
// prove who the agent is, so it asks here, and the gateway asks the plant. It listens on the
// loopback alone, takes only who has its password, and leads to nothing but repositories.
type gateway struct {
	url      string
	password string
	server   *http.Server
	ended    chan struct{}
}

// openGateway opens the gateway to a server. Close ends it.
func openGateway(ctx context.Context, server string, through http.RoundTripper, log *slog.Logger) (*gateway, error) {
	target, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	g := &gateway{url: "http://" + listener.Addr().String(), password: base64.RawURLEncoding.EncodeToString(secret), ended: make(chan struct{})}
	forward := &httputil.ReverseProxy{
		Transport: through,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Authorization") // the password is ours
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	g.server = &http.Server{
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, password, _ := r.BasicAuth()
			switch {
			case subtle.ConstantTimeCompare([]byte(password), []byte(g.password)) != 1:
				w.Header().Set("WWW-Authenticate", `Basic realm="andon agent"`)
				http.Error(w, "this is for the agent of this host", http.StatusUnauthorized)
			case !strings.HasPrefix(r.URL.Path, "/git/"):
				http.Error(w, "there is nothing but repositories here", http.StatusNotFound)
			default:
				forward.ServeHTTP(w, r)
			}
		}),
	}
	go func() {
		defer close(g.ended)
		if err := g.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("git cannot read the plant's repositories any more", "err", err)
		}
	}()
	return g, nil
}

// Close cuts off whoever reads.
func (g *gateway) Close() error {
	err := g.server.Close()
	<-g.ended
	return err
}
