package docker

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/platformtest"
	"github.com/andon-cd/andon/internal/registry"
)

// What all tests use: a directory with the program of the copies, and one Engine. A test that
// harms an Engine starts its own.
var plant struct {
	dir    string
	engine *dockerd
	skip   string
}

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	if os.Getuid() != 0 {
		plant.skip = "only root can start a Docker Engine"
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "andon-docker-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	plant.dir = dir
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "checkout", "out", "copy"), "./testdata/copy")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("building the program of the copies: %v\n%s", err, out)
		return 1
	}
	plant.engine = &dockerd{dir: filepath.Join(dir, "engine")}
	if err := plant.engine.start(); err != nil {
		fmt.Println(err)
		return 1
	}
	defer plant.engine.stop()
	return m.Run()
}

// A dockerd is a Docker Engine of the tests' own. It has no network of its own and touches no
// rule of the machine's; it ends with the test at the latest.
type dockerd struct {
	dir   string
	flags []string
	cmd   *exec.Cmd
	ended chan struct{}
}

func (e *dockerd) socket() string { return filepath.Join(e.dir, "engine.sock") }

// start starts it, also again, and returns when it answers.
func (e *dockerd) start() error {
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(e.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	e.cmd = exec.Command("dockerd", append([]string{
		"--data-root", filepath.Join(e.dir, "root"), "--exec-root", filepath.Join(e.dir, "exec"),
		"--pidfile", filepath.Join(e.dir, "pid"), "--host", "unix://" + e.socket(),
		"--bridge", "none", "--iptables=false", "--ip6tables=false",
	}, e.flags...)...)
	e.cmd.Stdout, e.cmd.Stderr = log, log
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started, ended := make(chan error), make(chan struct{})
	e.ended = ended
	go func() {
		runtime.LockOSThread() // whose end would be taken for the tests' end
		defer log.Close()
		defer close(ended)
		started <- e.cmd.Start()
		_ = e.cmd.Wait()
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("%w: scripts/setup installs it", err)
	}
	client := newEngine(e.socket())
	defer client.close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; {
		if err = client.negotiate(context.Background()); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			deadline = time.Time{}
		}
		if time.Now().After(deadline) {
			e.stop()
			said, _ := os.ReadFile(filepath.Join(e.dir, "log"))
			return fmt.Errorf("dockerd does not start: %w\n%s", err, said)
		}
	}
}

// kill ends it at once. Its containers are left alone, and so is its containerd, which the next
// start finds.
func (e *dockerd) kill() {
	_ = e.cmd.Process.Kill()
	<-e.ended
}

// stop ends it with all that belongs to it.
func (e *dockerd) stop() {
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.ended:
	case <-time.After(30 * time.Second):
		e.kill()
	}
	if b, err := os.ReadFile(filepath.Join(e.dir, "exec", "containerd", "containerd.pid")); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && running(pid, e.dir) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if left, err := filepath.Glob(filepath.Join(e.dir, "root", "*", "*", "merged")); err == nil {
		for _, mount := range left {
			_ = syscall.Unmount(mount, syscall.MNT_DETACH)
		}
	}
}

// running reports whether a process was started with a text in its arguments.
func running(pid int, text string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(b), text)
}

// ownEngine starts an Engine for one test.
func ownEngine(t *testing.T, flags ...string) *dockerd {
	t.Helper()
	needEngine(t)
	dir, err := os.MkdirTemp(plant.dir, "own-")
	if err != nil {
		t.Fatal(err)
	}
	e := &dockerd{dir: dir, flags: flags}
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.stop)
	return e
}

func needEngine(t *testing.T) {
	t.Helper()
	if plant.skip != "" {
		t.Skip(plant.skip)
	}
}

const token = "agent-token"

// A store is a plant's registry that has the image of the copies.
type store struct {
	artifact.Remote
	artifact andon.Digest
	dir      string
	down     atomic.Bool  // answer 503
	asked    atomic.Int64 // requests
}

func newStore(t *testing.T) *store {
	t.Helper()
	needEngine(t)
	s := &store{dir: t.TempDir()}
	r, err := registry.Open(t.Context(), registry.Config{Dir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.asked.Add(1)
		switch {
		case s.down.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case req.Header.Get("Authorization") != "Bearer "+token:
			w.WriteHeader(http.StatusUnauthorized)
		default:
			r.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(func() { server.Close(); _ = r.Close() })
	s.Remote = artifact.Remote{URL: server.URL, Token: token}
	s.artifact = s.push(t, filepath.Join(plant.dir, "checkout"))
	return s
}

// push packs the directory out of a checkout, as a commit stage does.
func (s *store) push(t *testing.T, checkout string) andon.Digest {
	t.Helper()
	packed, err := artifact.Pack(t.Context(), checkout, andon.ArtifactSource{Path: "out", Job: "build"}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	stored, err := artifact.Push(t.Context(), s.Remote, "shop", "1", packed)
	if err != nil {
		t.Fatal(err)
	}
	return stored.Digest
}

func (s *store) spec(id andon.InstanceID, command ...string) platform.Spec {
	spec := platformtest.Spec(id, append([]string{"/copy"}, command...))
	spec.Artifact = s.artifact
	return spec
}

// openDriver opens a driver and sees to it that its containers are gone when the test ends.
func openDriver(t *testing.T, e *dockerd, config Config) *Driver {
	t.Helper()
	config.Socket = e.socket()
	config.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	d, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		list, _ := d.List(context.Background())
		for _, inst := range list {
			if d.ctx.Err() != nil {
				break // closed already: its successor stops them
			}
			if err := d.Stop(context.Background(), inst.ID, 0); err != nil {
				t.Errorf("clean up %s: %v", inst.ID, err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestDocker_KeepsTheContract(t *testing.T) {
	s := newStore(t)
	platformtest.Run(t, func(t *testing.T) platformtest.Host {
		dir := t.TempDir()
		return platformtest.Host{
			Open: func(t *testing.T) platform.Platform {
				d, err := Open(context.WithoutCancel(t.Context()), Config{Dir: dir, Socket: plant.engine.socket(), Registry: s.Remote, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
				if err != nil {
					t.Fatal(err)
				}
				return d
			},
			Artifact: s.artifact,
			Forever:  []string{"/copy", "forever"},
			Stubborn: []string{"/copy", "stubborn"},
			Exits:    func(status int) []string { return []string{"/copy", "exit", strconv.Itoa(status)} },
			Prints:   func(text string) []string { return []string{"/copy", "print", text} },
		}
	})
}
