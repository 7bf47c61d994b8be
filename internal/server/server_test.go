package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/process"
	"github.com/andon-cd/andon/internal/server"
	"github.com/andon-cd/andon/internal/traffic/proxy"
)

// TestMain is also the proxy's process, which the server starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "as-proxy" {
		if err := proxy.Main(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// The race detector lets a process sleep for a second before it exits.
	_ = os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	os.Exit(m.Run())
}

// patience bounds what comes about by itself, on a machine that others keep busy.
const patience = 2 * time.Minute

// drivers are the real ones, as the command line puts them together.
func drivers() server.Drivers {
	return server.Drivers{
		Journal: func(ctx context.Context, file string) (journal.Journal, error) { return sqlite.Open(ctx, file) },
		Platform: func(dir string, artifacts server.Artifacts, log *slog.Logger) (platform.Platform, error) {
			return process.Open(process.Config{Dir: dir, Artifacts: artifacts, Log: log})
		},
		Proxy: func(ctx context.Context, dir, listen string, log *slog.Logger) (server.Proxy, error) {
			self, err := os.Executable()
			if err != nil {
				return nil, err
			}
			return proxy.Open(ctx, proxy.Config{Dir: dir, Listen: []string{listen}, Command: []string{self, "as-proxy", dir}, Log: log})
		},
	}
}

// A running server, until stop is called.
type running struct {
	t         *testing.T
	dir       string
	addresses server.Addresses
	log       *buffer
	stop      func() error
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func config(t *testing.T, dir string) server.Config {
	t.Helper()
	t.Cleanup(func() { // the proxy outlives the server
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := proxy.Stop(ctx, server.Directory(dir).Proxy()); err != nil {
			t.Errorf("stopping the proxy: %v", err)
		}
	})
	return server.Config{
		Data: dir, Listen: "127.0.0.1:0", Proxy: "127.0.0.1:0", Slots: 2, Build: "1.0.0", Drivers: drivers(), Log: slog.New(slog.DiscardHandler),
	}
}

// start runs a server and waits until it is ready.
func start(t *testing.T, c server.Config) *running {
	t.Helper()
	r := &running{t: t, dir: c.Data, log: new(buffer)}
	c.Log = slog.New(slog.NewTextHandler(r.log, nil))
	ready := make(chan server.Addresses, 1)
	c.Ready = func(a server.Addresses) { ready <- a }
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, c) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	})
	select {
	case r.addresses = <-ready:
	case err := <-ended:
		ended <- err
		t.Fatalf("the server ended: %v", err)
	case <-time.After(patience):
		t.Fatalf("the server is not ready:\n%s", r.log)
	}
	return r
}

// refused runs a server that must not start.
func refused(t *testing.T, c server.Config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c.Ready = func(server.Addresses) { t.Error("it is ready"); cancel() }
	err := server.Run(ctx, c)
	if err == nil {
		t.Fatal("it starts")
	}
	return err
}

func (r *running) token() string {
	r.t.Helper()
	return strings.TrimSpace(content(r.t, server.Directory(r.dir).AdminToken()))
}

func content(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (r *running) client() *api.Client {
	return &api.Client{Server: r.addresses.URL, Token: r.token()}
}

// get asks for a path and returns the status; with an answer, that too.
func (r *running) get(path, token string, answer any) int {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.addresses.URL+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if answer != nil {
		if err := json.Unmarshal(data, answer); err != nil {
			r.t.Fatalf("%s: %s", err, data)
		}
	}
	return resp.StatusCode
}

func TestRun_ServesEverythingOnOnePortUntilItIsStopped(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "new", "plant")))
	token := r.token()
	for path, want := range map[string]int{
		"/healthz": http.StatusOK, "/api/v1/status": http.StatusOK, "/board": http.StatusOK, "/v2/": http.StatusOK,
		"/openapi.json": http.StatusOK, "/git/shop.git/info/refs?service=git-receive-pack": http.StatusOK, "/nothing": http.StatusNotFound,
	} {
		if got := r.get(path, token, nil); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	for _, path := range []string{"/api/v1/status", "/board", "/v2/", "/git/shop.git/info/refs?service=git-receive-pack"} {
		if got := r.get(path, "", nil); got != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", path, got)
		}
	}
	found, err := server.Directory(r.dir).ReadAddresses()
	if err != nil || found != r.addresses || found.PID != os.Getpid() || !strings.HasPrefix(found.Proxy, "http://127.0.0.1:") {
		t.Errorf("server.json says %+v, %v, want %+v", found, err, r.addresses)
	}
	if !server.Directory(r.dir).Held() {
		t.Error("nobody has the directory while the server runs")
	}
	if err := r.stop(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	if server.Directory(r.dir).Held() {
		t.Error("somebody has the directory after the server ended")
	}
	if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.addresses.URL, "http://")); err == nil {
		conn.Close()
		t.Error("somebody listens after the server ended")
	}
	if log := r.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") || strings.Contains(log, token) {
		t.Errorf("log:\n%s", log)
	}
}

func TestRun_GoesOnWhereItWas(t *testing.T) {
	c := config(t, t.TempDir())
	r := start(t, c)
	var before api.Status
	r.get("/api/v1/status", r.token(), &before)
	if _, err := r.client().PullCord(t.Context(), api.PullCord{Scope: api.Scope{Kind: "plant"}, Reason: "it stays"}); err != nil {
		t.Fatal(err)
	}
	first, token, agent := r.addresses, r.token(), content(t, server.Directory(r.dir).AgentToken())
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	// The read models are made from the journal again.
	if err := os.Remove(server.Directory(r.dir).History()); err != nil {
		t.Fatal(err)
	}
	r = start(t, c)
	var after api.Status
	r.get("/api/v1/status", token, &after)
	if after.Plant != before.Plant || before.Plant == "" || len(after.Cords) != 1 || after.Cords[0].Reason != "it stays" {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if r.token() != token || content(t, server.Directory(r.dir).AgentToken()) != agent {
		t.Error("a restart changes the tokens")
	}
	if r.addresses.Proxy != first.Proxy {
		t.Errorf("the proxy moved from %s to %s", first.Proxy, r.addresses.Proxy)
	}
}

func TestRun_KeepsTheDirectoryToItself(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "plant")
	r := start(t, config(t, dir))
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = d.Info()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a temporary file, or directory, of something that runs
		}
		// What is deeper is in directories that nobody else may enter.
		if err == nil && filepath.Dir(name) == dir && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d := server.Directory(dir)
	for file, want := range map[string]fs.FileMode{
		dir: 0o700, d.AdminToken(): 0o600, d.AgentToken(): 0o600, d.Lock(): 0o600, d.Addresses(): 0o600, d.Secrets(): 0o700, d.Logs(): 0o700, d.Registry(): 0o700,
	} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", file, info.Mode().Perm(), err, want)
		}
	}
	admin, agent := r.token(), strings.TrimSpace(content(t, d.AgentToken()))
	if len(admin) < 43 || len(agent) < 43 || admin == agent {
		t.Errorf("tokens of %d and %d characters", len(admin), len(agent))
	}
	if got := r.get("/api/v1/status", agent, nil); got != http.StatusForbidden {
		t.Errorf("the agent's token may do what people do: %d", got)
	}
}

func TestRun_RefusesADirectoryThatAnotherServerHas(t *testing.T) {
	c := config(t, t.TempDir())
	first := start(t, c)
	before := content(t, server.Directory(first.dir).Addresses())
	err := refused(t, c)
	if andon.KindOf(err) != andon.KindConflict || !strings.Contains(err.Error(), "another andon server uses the data directory "+c.Data) {
		t.Errorf("error %v", err)
	}
	if first.get("/healthz", "", nil) != http.StatusOK || content(t, server.Directory(first.dir).Addresses()) != before {
		t.Error("the first one suffers from the second one's try")
	}
}

func TestRun_RefusesADirectoryOfAnotherFormat(t *testing.T) {
	for what, want := range map[string]string{"2\n": "from a newer version of andon (format 2", "a diary": "not the data directory of a plant"} {
		c := config(t, t.TempDir())
		d := server.Directory(c.Data)
		if err := os.WriteFile(d.Format(), []byte(what), 0o600); err != nil {
			t.Fatal(err)
		}
		err := refused(t, c)
		if andon.KindOf(err) != andon.KindInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("format %q: %v", what, err)
		}
		if left, _ := os.ReadDir(c.Data); len(left) != 1 || content(t, d.Format()) != what {
			t.Errorf("format %q: it leaves %v", what, left)
		}
	}
}

func TestRun_SaysWhichAddressIsInUse(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, flag := range []string{"--listen", "--proxy"} {
		c := config(t, t.TempDir())
		if flag == "--listen" {
			c.Listen = taken.Addr().String()
		} else {
			c.Proxy = taken.Addr().String()
		}
		err := refused(t, c)
		e, ok := errors.AsType[*andon.Error](err)
		if !ok || !strings.Contains(e.Message, taken.Addr().String()) || !strings.Contains(e.Hint, flag) {
			t.Errorf("%s: %v", flag, err)
		}
		if server.Directory(c.Data).Held() {
			t.Errorf("%s: the directory is still held", flag)
		}
		if _, err := server.Directory(c.Data).ReadAddresses(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it says where it is reached: %v", flag, err)
		}
		// Nothing of it is left, and the directory is as good as new.
		c.Listen, c.Proxy = "127.0.0.1:0", "127.0.0.1:0"
		if err := start(t, c).stop(); err != nil {
			t.Errorf("%s: afterwards it ends with %v", flag, err)
		}
	}
}

func TestRun_SaysWhyAnAddressOrADirectoryIsNoGood(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, try := range []struct{ data, listen, message, hint string }{
		{t.TempDir(), "foo", "the address foo cannot be listened on", "write it like 127.0.0.1:8600"},
		{t.TempDir(), "127.0.0.1:99999", "cannot be listened on", "write it like 127.0.0.1:8600"},
		{t.TempDir(), "192.0.2.1:0", "cannot be listened on", "this machine does not have it"},
		{file, "127.0.0.1:0", "cannot be used: not a directory", "choose another one with --data"},
		{filepath.Join(file, "in"), "127.0.0.1:0", "cannot be used: not a directory", "choose another one with --data"},
	} {
		c := config(t, try.data)
		c.Listen = try.listen
		err := refused(t, c)
		e, ok := errors.AsType[*andon.Error](err)
		if !ok || e.Kind == andon.KindUnavailable || !strings.Contains(e.Message, try.message) || !strings.Contains(e.Hint, try.hint) {
			t.Errorf("%s in %s: %#v", try.listen, try.data, err)
		}
	}
}

// TestRun_EndsRequestsThatWaitWhenItIsStopped: what waits would keep each server for its farewell, which
// is longer. The quickest of some counts: a machine may stand still for a while.
func TestRun_EndsRequestsThatWaitWhenItIsStopped(t *testing.T) {
	const bound = 4 * time.Second
	quickest := patience
	for try := 0; try < 5 && quickest > bound; try++ {
		quickest = min(quickest, endWhileFollowed(t))
	}
	if quickest > bound {
		t.Errorf("a page that follows the line, or a connection without a request, keeps it for %s", quickest)
	}
}

// endWhileFollowed stops a server that somebody follows, and returns how long that takes.
func endWhileFollowed(t *testing.T) time.Duration {
	t.Helper()
	r := start(t, config(t, t.TempDir()))
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.addresses.URL+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+r.token())
	stream, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	// A client may have a connection ready on which it asks for nothing.
	idle, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.addresses.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	r.get("/healthz", "", nil) // it is accepted before this
	began := time.Now()
	if err := r.stop(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	took := time.Since(began)
	if _, err := io.ReadAll(stream.Body); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the stream ends with %v", err)
	}
	return took
}
