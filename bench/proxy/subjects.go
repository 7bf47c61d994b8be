package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
	"github.com/andon-cd/andon/internal/traffic/haproxy"
	"github.com/andon-cd/andon/internal/traffic/proxy"
)

// host is what the requests ask for.
const host = "shop.localhost"

var errNotInstalled = errors.New("not installed")

// A process is something that listens and can be measured.
type process struct {
	pid     int
	address string
	stop    func()
}

// start runs this program in another role, which prints its address in its first line.
func start(role, argument string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, role, argument)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	return &process{cmd.Process.Pid, strings.TrimSpace(address), func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }}, nil
}

func announce() (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Println(l.Addr())
	}
	return l, err
}

func serveBackend(size string) error {
	n, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	body := []byte(strings.Repeat("x", n))
	l, err := announce()
	if err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Length", size)
		h.Set("Cache-Control", "no-cache")
		h.Set("Etag", `"5f2b-1a2b3c4d"`)
		_, _ = w.Write(body[:n])
	}))
}

func serveReverseProxy(to string) error {
	p := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: to})
		r.SetXForwarded()
		r.Out.Host = r.In.Host
	}}
	p.Transport = &http.Transport{MaxIdleConnsPerHost: 1000, DisableCompression: true}
	l, err := announce()
	if err != nil {
		return err
	}
	return http.Serve(l, p)
}

// routeTo returns the only route: to the backend.
func routeTo(backend string) traffic.Route {
	place := andon.Place{Service: "shop", Environment: "production"}
	return traffic.Route{
		Place: place, Generation: 1, Hosts: []string{host}, Ledger: andon.NewDeploymentID(place, 1),
		Targets: []traffic.Target{{Instance: "shop.production.1.0", Address: backend, Weight: 1}},
	}
}

func startAndon(ctx context.Context, backend string) (*process, error) {
	dir, err := os.MkdirTemp("", "andon-bench-")
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	d, err := proxy.Open(ctx, proxy.Config{Dir: dir, Listen: []string{"127.0.0.1:0"}, Command: []string{program, "as-andon", dir}})
	if err != nil {
		return nil, err
	}
	if err := d.Apply(ctx, []traffic.Route{routeTo(backend)}); err != nil {
		return nil, err
	}
	pid, err := d.PID(ctx)
	return &process{pid, d.Addr(), func() {
		end, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = d.Shutdown(end) // what it measured is told
		_ = os.RemoveAll(dir)
	}}, err
}

// startOwnHAProxy starts HAProxy as Andon uses it, with the ledger on. What the agent takes to read
// the ledger is not counted.
func startOwnHAProxy(ctx context.Context, backend string) (*process, error) {
	if _, _, err := haproxy.Find(ctx, ""); err != nil {
		return nil, errNotInstalled
	}
	dir, err := os.MkdirTemp("", "andon-bench-")
	if err != nil {
		return nil, err
	}
	d, err := haproxy.Open(ctx, haproxy.Config{Dir: dir, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		return nil, err
	}
	stop := func() {
		end, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = d.Shutdown(end) // what it measured is told
		_ = os.RemoveAll(dir)
	}
	if err := d.Apply(ctx, []traffic.Route{routeTo(backend)}); err != nil {
		stop()
		return nil, err
	}
	return &process{d.PID(), d.Addr(), stop}, nil
}

const haproxyConfig = `global
    maxconn 5000
defaults
    mode http
    timeout connect 2s
    timeout client 75s
    timeout server 300s
    option forwardfor
    http-reuse always
frontend in
    bind %s
    use_backend shop if { hdr(host) -i %s }
backend shop
    server one %s
`

func startHAProxy(ctx context.Context, backend string) (*process, error) {
	program, err := exec.LookPath("haproxy")
	if err != nil {
		return nil, errNotInstalled
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close()
	dir, err := os.MkdirTemp("", "andon-bench-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, fmt.Appendf(nil, haproxyConfig, address, host, backend), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "-db", "-f", file)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd.Process.Pid, address, func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait(); _ = os.RemoveAll(dir) }}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for range 250 {
		if c, err := net.Dial("tcp", address); err == nil {
			return p, c.Close()
		}
		select {
		case <-ctx.Done():
			p.stop()
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
	p.stop()
	return nil, errors.New("it does not listen")
}
