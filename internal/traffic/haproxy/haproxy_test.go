package haproxy_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/traffic/haproxy"
	"github.com/andon-cd/andon/internal/traffic/traffictest"
)

// config returns the configuration of a HAProxy in dir, which ends with the test.
func config(t *testing.T, dir string) haproxy.Config {
	t.Helper()
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skip("haproxy is not installed: scripts/setup installs it")
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := haproxy.Stop(ctx, dir); err != nil {
			t.Errorf("stop HAProxy: %v", err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "haproxy.log")); err == nil && t.Failed() {
			t.Logf("haproxy.log:\n%s", text)
		}
	})
	return haproxy.Config{
		Dir: dir, Listen: []string{"127.0.0.1:0"}, Backends: 32, Places: 4, Slots: 8,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func open(t *testing.T, c haproxy.Config) *haproxy.Driver {
	t.Helper()
	d, err := haproxy.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// client returns a client whose every connection goes to the address.
func client(t *testing.T, address string) *http.Client {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 100,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
		ExpectContinueTimeout: time.Minute,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func subject(t *testing.T) traffictest.Subject {
	d := open(t, config(t, t.TempDir()))
	c := client(t, d.Addr())
	return traffictest.Subject{Traffic: d, Do: c.Do, Addr: d.Addr(), Groups: true, GoneOrServed: true}
}

func TestHAProxyConforms(t *testing.T) {
	traffictest.Run(t, func(t *testing.T) traffictest.Subject { return subject(t) })
}

// Over HTTP/2, HAProxy 2.6 ends an answer that was cut off as if it were whole.
func TestHAProxy_RefusesHTTP2(t *testing.T) {
	d := open(t, config(t, t.TempDir()))
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	c := client(t, d.Addr())
	c.Transport.(*http.Transport).Protocols = h2c
	if answer, err := c.Get("http://shop.localhost/"); err == nil {
		answer.Body.Close()
		t.Errorf("status %d over HTTP/2", answer.StatusCode)
	}
}
