package docker_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform/docker"
	"github.com/andon-cd/andon/internal/platform/docker/dockertest"
)

func stop(t *testing.T, e *dockertest.Engine) {
	if err := e.Stop(); err != nil {
		t.Error(err)
	}
}

func TestFault_DamagedImageIsRefusedForGood(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	d := open(t, plant.engine, docker.Config{Registry: s.Remote})
	path := s.largestBlob(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte(nil), whole...)
	damaged[len(damaged)/2] ^= 1
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = d.Start(t.Context(), s.spec("a", "forever"))
	if andon.KindOf(err) != andon.KindInvalid || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("Start returned %v, want a damaged artifact", err)
	}
	if list, _ := d.List(t.Context()); len(list) != 0 {
		t.Errorf("List returned %+v, and nothing was started", list)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, d, s.spec("a", "forever")) // nothing of the damaged one has stayed
}

func TestFault_UnknownArtifactIsRefusedForGood(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	d := open(t, plant.engine, docker.Config{Registry: s.Remote})
	spec := s.spec("a", "forever")
	spec.Artifact = andon.Digest("sha256:" + strings.Repeat("d", 64))
	if _, err := d.Start(t.Context(), spec); andon.KindOf(err) != andon.KindNotFound {
		t.Errorf("Start returned %v, want kind %s", err, andon.KindNotFound)
	}
}

func TestFault_RegistryIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	d := open(t, plant.engine, docker.Config{Registry: s.Remote})
	s.down.Store(true)
	if _, err := d.Start(t.Context(), s.spec("a", "forever")); andon.KindOf(err) != andon.KindUnreachable || !strings.Contains(err.Error(), "registry") {
		t.Errorf("Start returned %v, want an unreachable registry", err)
	}
	s.down.Store(false)
	start(t, d, s.spec("a", "forever"))
	s.down.Store(true)
	start(t, d, s.spec("b", "forever")) // its image is here
}

func TestFault_CopiesOutliveAnEngineThatIsKilled(t *testing.T) {
	t.Parallel()
	t.Run("Docker", func(t *testing.T) {
		t.Parallel()
		testOutliving(t, ownEngine(t, "--live-restore"))
	})
	t.Run("Podman", func(t *testing.T) {
		t.Parallel()
		testOutliving(t, ownPodman(t))
	})
}

func testOutliving(t *testing.T, e *dockertest.Engine) {
	s := newStore(t)
	dir := t.TempDir()
	d := open(t, e, docker.Config{Dir: dir, Registry: s.Remote})
	before := start(t, d, s.spec("a", "tick"))
	awaitText(t, d, "a", "tick 20\n")

	e.Kill()
	if _, err := d.Start(t.Context(), s.spec("b", "forever")); andon.KindOf(err) != andon.KindUnreachable || !strings.Contains(err.Error(), "container engine") {
		t.Errorf("Start without an engine returned %v, want that it is unreachable", err)
	}
	if err := d.End(t.Context(), "a", time.Second); andon.KindOf(err) != andon.KindUnreachable {
		t.Errorf("End without an engine returned %v, want that it is unreachable", err)
	}
	if inst := find(t, d, "a"); !inst.Running {
		t.Errorf("without its engine the copy is listed as %+v", inst)
	}
	// An agent that is started now takes the copies for what they were.
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, e, docker.Config{Dir: dir, Registry: s.Remote})
	if inst := find(t, d, "a"); !inst.Running || !inst.Started.Equal(before.Started) {
		t.Errorf("without its engine a new driver lists the copy as %+v, want %+v", inst, before)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	ticksInOrder(t, awaitText(t, d, "a", "tick 500\n"))
	if inst := start(t, d, s.spec("a", "tick")); !inst.Started.Equal(before.Started) {
		t.Errorf("the copy was started again: %+v, and it was %+v", inst, before)
	}
	start(t, d, s.spec("b", "forever"))
	if err := d.End(t.Context(), "a", patience); err != nil {
		t.Error(err)
	}
}

func TestFault_CopiesEndWithAnEngineThatIsRestartedAndSaySo(t *testing.T) {
	t.Parallel()
	s, e := newStore(t), ownEngine(t)
	d := open(t, e, docker.Config{Registry: s.Remote})
	start(t, d, s.spec("a", "tick"))
	awaitText(t, d, "a", "tick 20\n")
	if err := e.End(); err != nil {
		t.Fatal(err)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	if how := awaitExit(t, d, "a"); !strings.HasPrefix(how, "killed by SIG") && !strings.HasPrefix(how, "exit status") {
		t.Errorf("the copy ended with %q", how)
	}
	s.down.Store(true) // its image is here
	start(t, d, s.spec("a", "print", "again\n"))
	awaitText(t, d, "a", "again\n")
}

func TestFault_NoEngineAnswers(t *testing.T) {
	s := newStore(t)
	socket := t.TempDir() + "/none.sock"
	if _, err := docker.Ask(t.Context(), socket); andon.KindOf(err) != andon.KindUnreachable {
		t.Errorf("Ask returned %v, want kind %s", err, andon.KindUnreachable)
	}
	d, err := docker.Open(t.Context(), docker.Config{Dir: t.TempDir(), Socket: socket, Registry: s.Remote})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Start(t.Context(), s.spec("a", "forever")); andon.KindOf(err) != andon.KindUnreachable {
		t.Errorf("Start returned %v, want kind %s", err, andon.KindUnreachable)
	}
}

// TestFault_ContainerThatCannotBeRemovedHoldsNothingUp: the copy is started again all the same,
// and the old container goes when it can.
func TestFault_ContainerThatCannotBeRemovedHoldsNothingUp(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	dir := t.TempDir()
	d := open(t, plant.engine, docker.Config{Dir: dir, Registry: s.Remote})
	start(t, d, s.spec("stuck", "exit", "1"))
	awaitExit(t, d, "stuck")
	release := hold(t, onlyContainer(t, plant.engine, "stuck"))
	inst := start(t, d, s.spec("stuck", "print", "again\n"))
	awaitText(t, d, "stuck", "again\n")
	release()

	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, plant.engine, docker.Config{Dir: dir, Registry: s.Remote})
	if found := find(t, d, "stuck"); !found.Running || !found.Started.Equal(inst.Started) {
		t.Errorf("the next driver lists %+v, want the running copy %+v", found, inst)
	}
	until(t, "the old container has gone", func() bool { return len(containersOf(t, plant.engine, "stuck")) == 1 })
}

// A layered is a container with where its files are.
type layered struct {
	ID          string `json:"Id"`
	GraphDriver struct{ Data struct{ UpperDir string } }
}

// onlyContainer returns the container of a copy, of which there must be one.
func onlyContainer(t *testing.T, e *dockertest.Engine, id andon.InstanceID) layered {
	t.Helper()
	all := containersOf(t, e, id)
	if len(all) != 1 {
		t.Fatalf("the containers of %s are %+v; want one", id, all)
	}
	var one layered
	ask(t, e, "/containers/"+all[0].ID+"/json", &one)
	return one
}

// containersOf returns all containers of a copy, without where their files are.
func containersOf(t *testing.T, e *dockertest.Engine, id andon.InstanceID) (all []layered) {
	t.Helper()
	ask(t, e, "/containers/json?all=true&filters="+url.QueryEscape(`{"label":["andon.instance=`+string(id)+`"]}`), &all)
	return all
}

// ask asks an Engine itself.
func ask(t *testing.T, e *dockertest.Engine, path string, answer any) {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", e.Socket())
		},
	}}
	resp, err := client.Get("http://engine" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		t.Fatal(err)
	}
}

// hold sees to it that the files of an ended container cannot be removed.
func hold(t *testing.T, c layered) (release func()) {
	t.Helper()
	held, err := os.Create(filepath.Join(c.GraphDriver.Data.UpperDir, "held"))
	if err != nil {
		t.Fatal(err)
	}
	const immutable = 0x10 // FS_IMMUTABLE_FL
	if err := unix.IoctlSetPointerInt(int(held.Fd()), unix.FS_IOC_SETFLAGS, immutable); err != nil {
		held.Close()
		t.Skipf("no file can be made immutable here: %v", err)
	}
	release = sync.OnceFunc(func() {
		if err := errors.Join(unix.IoctlSetPointerInt(int(held.Fd()), unix.FS_IOC_SETFLAGS, 0), held.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(release)
	return release
}
