package proxy_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/traffic/proxy"
	"github.com/andon-cd/andon/internal/traffic/traffictest"
)

// TestMain lets the test binary be the proxy process, too.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "proxy" {
		if err := proxy.Main(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// The race detector lets a process sleep for a second before it exits.
	_ = os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	os.Exit(m.Run())
}

// config returns the configuration of a proxy in dir, which ends with the test.
func config(t *testing.T, dir string) proxy.Config {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := proxy.Stop(ctx, dir); err != nil {
			t.Errorf("stop the proxy: %v", err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "proxy.log")); err == nil && t.Failed() {
			t.Logf("proxy.log:\n%s", text)
		}
	})
	return proxy.Config{
		Dir: dir, Listen: []string{"127.0.0.1:0"}, Command: []string{program, "proxy", dir},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func open(t *testing.T, c proxy.Config) *proxy.Driver {
	t.Helper()
	d, err := proxy.Open(t.Context(), c)
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

func subject(t *testing.T, protocols *http.Protocols) traffictest.Subject {
	d := open(t, config(t, t.TempDir()))
	c := client(t, d.Addr())
	c.Transport.(*http.Transport).Protocols = protocols
	return traffictest.Subject{Traffic: d, Do: c.Do, Addr: d.Addr(), Groups: true}
}

func TestProxyConforms(t *testing.T) {
	traffictest.Run(t, func(t *testing.T) traffictest.Subject { return subject(t, nil) })
}

func TestProxyConformsOverHTTP2(t *testing.T) {
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	traffictest.Run(t, func(t *testing.T) traffictest.Subject { return subject(t, h2c) })
}
