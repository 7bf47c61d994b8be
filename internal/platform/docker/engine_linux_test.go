package docker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/docker"
	"github.com/andon-cd/andon/internal/platform/docker/dockertest"
	"github.com/andon-cd/andon/internal/platform/platformtest"
	"github.com/andon-cd/andon/internal/registry"
)

// What all tests use: a directory with the program of the copies, one Docker Engine and one Podman,
// if there is one. A test that harms an Engine starts its own.
var plant struct {
	dir    string
	engine *dockertest.Engine
	podman *dockertest.Engine
}

func TestMain(m *testing.M) {
	if dockertest.Guarding() {
		return
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	if why := dockertest.Missing(); why != "" {
		fmt.Println("tests with a Docker Engine are skipped:", why)
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "andon-docker-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	release, err := dockertest.Guard(dir)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer release()
	plant.dir = dir
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "checkout", "out", "copy"), "./testdata/copy")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("building the program of the copies: %v\n%s", err, out)
		return 1
	}
	if plant.engine, err = dockertest.Start(filepath.Join(dir, "engine")); err == nil && dockertest.MissingPodman() == "" {
		plant.podman, err = dockertest.StartPodman(filepath.Join(dir, "podman"))
	}
	code := 1
	if err == nil {
		code = m.Run()
	}
	for _, e := range []*dockertest.Engine{plant.engine, plant.podman} {
		if e != nil {
			err = errors.Join(err, e.Stop())
		}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return code
}

// onEach runs a test on Docker and on Podman, side by side with other tests.
func onEach(t *testing.T, test func(t *testing.T, e *dockertest.Engine)) {
	t.Parallel()
	t.Run("Docker", func(t *testing.T) {
		t.Parallel()
		needEngine(t)
		test(t, plant.engine)
	})
	t.Run("Podman", func(t *testing.T) {
		t.Parallel()
		needPodman(t)
		test(t, plant.podman)
	})
}

// ownEngine starts a Docker Engine for one test.
func ownEngine(t *testing.T, flags ...string) *dockertest.Engine {
	t.Helper()
	needEngine(t)
	return own(t, func(dir string) (*dockertest.Engine, error) { return dockertest.Start(dir, flags...) })
}

// ownPodman starts a Podman for one test.
func ownPodman(t *testing.T) *dockertest.Engine {
	t.Helper()
	needPodman(t)
	return own(t, dockertest.StartPodman)
}

func own(t *testing.T, start func(dir string) (*dockertest.Engine, error)) *dockertest.Engine {
	t.Helper()
	dir, err := os.MkdirTemp(plant.dir, "own-")
	if err != nil {
		t.Fatal(err)
	}
	e, err := start(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, e) })
	return e
}

func needEngine(t *testing.T) {
	t.Helper()
	if why := dockertest.Missing(); why != "" {
		t.Skip(why)
	}
}

func needPodman(t *testing.T) {
	t.Helper()
	needEngine(t)
	if why := dockertest.MissingPodman(); why != "" {
		t.Skip(why)
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

// open opens a driver, which the test closes, and sees to it that its containers are gone in the
// end.
func open(t *testing.T, e *dockertest.Engine, config docker.Config) *docker.Driver {
	t.Helper()
	if config.Dir == "" {
		config.Dir = t.TempDir()
	}
	config.Socket = e.Socket()
	config.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	d, err := docker.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clear(t, d) })
	return d
}

// clear stops all copies of a driver and closes it, unless it is closed already: then its
// successor stops them.
func clear(t *testing.T, d *docker.Driver) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	list, _ := d.List(ctx)
	for _, inst := range list {
		if err := d.Stop(ctx, inst.ID, 0); andon.KindOf(err) == andon.KindUnavailable {
			break
		} else if err != nil {
			t.Errorf("clean up %s: %v", inst.ID, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// patience is how long a test waits for what must happen, also on a machine that is busy.
const patience = 3 * time.Minute

func start(t *testing.T, d *docker.Driver, spec platform.Spec) platform.Instance {
	t.Helper()
	inst, err := d.Start(t.Context(), spec)
	if err != nil {
		t.Fatalf("start %s: %v", spec.ID, err)
	}
	return inst
}

// awaitExit waits until the exit of a copy is delivered, and returns how it ended.
func awaitExit(t *testing.T, d *docker.Driver, id andon.InstanceID) string {
	t.Helper()
	select {
	case got := <-d.Exits():
		if got != id {
			t.Fatalf("the exit of %s was delivered, want %s", got, id)
		}
	case <-time.After(patience):
		t.Fatalf("no exit of %s was delivered", id)
	}
	return find(t, d, id).Exit
}

func find(t *testing.T, d *docker.Driver, id andon.InstanceID) platform.Instance {
	t.Helper()
	list, err := d.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, inst := range list {
		if inst.ID == id {
			return inst
		}
	}
	t.Fatalf("%s is not among %+v", id, list)
	return platform.Instance{}
}

// logOf returns what a copy has written so far.
func logOf(t *testing.T, d *docker.Driver, id andon.InstanceID) string {
	t.Helper()
	r, err := d.Log(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// until asks again and again, of what nothing tells, until it is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !so(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("it has not come to this: %s", what)
		}
	}
}

// awaitText waits until a copy has written a text, and returns all that it has written.
func awaitText(t *testing.T, d *docker.Driver, id andon.InstanceID, text string) string {
	t.Helper()
	all := ""
	until(t, "the log of "+string(id)+" has "+text, func() bool {
		all = logOf(t, d, id)
		return strings.Contains(all, text)
	})
	return all
}

func TestEngine_KeepsTheContract(t *testing.T) {
	onEach(t, func(t *testing.T, e *dockertest.Engine) {
		s := newStore(t)
		platformtest.Run(t, func(t *testing.T) platformtest.Host {
			dir := t.TempDir()
			return platformtest.Host{
				Open: func(t *testing.T) platform.Platform {
					d, err := docker.Open(context.WithoutCancel(t.Context()), docker.Config{Dir: dir, Socket: e.Socket(), Registry: s.Remote, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
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
	})
}
