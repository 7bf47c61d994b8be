package docker_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform/docker"
	"github.com/andon-cd/andon/internal/platform/docker/dockertest"
)

func TestCopy_HasFewRights(t *testing.T) {
	onEach(t, func(t *testing.T, e *dockertest.Engine) {
		s := newStore(t)
		d := open(t, e, docker.Config{Registry: s.Remote})
		spec := s.spec("a", "show")
		spec.Env = map[string]string{"PORT": "20001", "GREETING": "hello $HOME; `x`\nand more"}
		start(t, d, spec)
		said := awaitText(t, d, "a", "shown\n")
		for _, want := range []string{
			"cwd /\n", "env GREETING=hello $HOME; `x`\nand more\n", "env PORT=20001\n", "env TMPDIR=/tmp\n", "user 65532 65532\n",
			"CapPrm: 0000000000000000\n", "CapEff: 0000000000000000\n", "CapBnd: 0000000000000000\n", "NoNewPrivs: 1\n",
			"write /file open /file: read-only file system\n", "write /tmp/file <nil>\n",
		} {
			if !strings.Contains(said, want) {
				t.Errorf("the copy does not say %q; it says:\n%s", want, said)
			}
		}
	})
}

func TestCopy_EndsWhenItUsesMoreThanItsMemoryAndSaysSo(t *testing.T) {
	onEach(t, func(t *testing.T, e *dockertest.Engine) {
		s := newStore(t)
		d := open(t, e, docker.Config{Registry: s.Remote})
		spec := s.spec("hungry", "eat", fmt.Sprint(256<<20)) // no other test has one of that name
		spec.Limits.Memory = 32 << 20
		start(t, d, spec)
		how, want := awaitExit(t, d, "hungry"), []string{"killed: it used more than its 32 MiB of memory"}
		if e == plant.podman || !killedForMemory(t, e, "hungry") {
			// Older Podmans do not tell why, and Docker not when it hears of the end first.
			want = append(want, "killed by SIGKILL")
		}
		if !slices.Contains(want, how) {
			t.Errorf("the copy ended with %q, want %q", how, want)
		}
	})
}

// killedForMemory asks an Engine whether the container of a copy has ended for want of memory.
func killedForMemory(t *testing.T, e *dockertest.Engine, id andon.InstanceID) bool {
	t.Helper()
	var told struct{ State struct{ OOMKilled bool } }
	ask(t, e, "/containers/"+onlyContainer(t, e, id).ID+"/json", &told)
	return told.State.OOMKilled
}

func TestCopy_HasNoMoreProcessesThanItsLimit(t *testing.T) {
	onEach(t, func(t *testing.T, e *dockertest.Engine) {
		s := newStore(t)
		d := open(t, e, docker.Config{Registry: s.Remote})
		spec := s.spec("a", "breed", "60")
		spec.Limits.Processes = 40
		start(t, d, spec)
		awaitText(t, d, "a", "bred true\n")
	})
}

func TestCopy_LogHasEveryByteOfBothOutputs(t *testing.T) {
	onEach(t, func(t *testing.T, e *dockertest.Engine) {
		s := newStore(t)
		d := open(t, e, docker.Config{Registry: s.Remote})
		const lines, width = 4000, 400
		start(t, d, s.spec("a", "count", fmt.Sprint(lines), fmt.Sprint(width)))
		awaitText(t, d, "a", fmt.Sprintf("line %d ", lines-1))
		if err := d.End(t.Context(), "a", patience); err != nil {
			t.Fatal(err)
		}
		want := make([]string, lines)
		for i := range want {
			want[i] = fmt.Sprintf("line %d \xff\x00 %s\n", i, strings.Repeat("x", width))
		}
		whole, said := strings.Join(want, ""), ""
		until(t, "the log is as long as what was written", func() bool { // for which End waits a while only
			said = logOf(t, d, "a")
			return len(said) >= len(whole)
		})
		if e == plant.podman { // which may end a line where it cut what it read
			if had, all := eachByte(said), eachByte(whole); had != all {
				t.Errorf("the log has, of each byte, %v; want %v", had, all)
			}
			return
		}
		// Which of two outputs comes first, the Engine does not know.
		for i, line := range want {
			if strings.Count(said, line) != 1 {
				t.Fatalf("line %d is there %d times", i, strings.Count(said, line))
			}
		}
		if len(said) != len(whole) {
			t.Errorf("the log has %d bytes, want %d", len(said), len(whole))
		}
	})
}

// eachByte counts how often each byte is in a text, but for ends of lines.
func eachByte(text string) (counts [256]int) {
	for _, b := range []byte(strings.ReplaceAll(text, "\n", "")) {
		counts[b]++
	}
	return counts
}

func TestLog_GoesOnWithoutAGapWhenAnotherDriverTakesOver(t *testing.T) {
	onEach(t, func(t *testing.T, e *dockertest.Engine) {
		s := newStore(t)
		dir := t.TempDir()
		d := open(t, e, docker.Config{Dir: dir, Registry: s.Remote})
		start(t, d, s.spec("a", "tick"))
		for seen := 20; seen <= 200; seen += 60 {
			awaitText(t, d, "a", fmt.Sprintf("tick %d\n", seen))
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			d = open(t, e, docker.Config{Dir: dir, Registry: s.Remote})
		}
		ticksInOrder(t, awaitText(t, d, "a", "tick 300\n"))
	})
}

// ticksInOrder fails the test unless a log has each tick once.
func ticksInOrder(t *testing.T, said string) {
	t.Helper()
	i := 0
	for line := range strings.Lines(said) {
		if strings.HasSuffix(line, "\n") && line != fmt.Sprintf("tick %d\n", i) {
			t.Fatalf("line %d of the log is %q", i, line)
		}
		i++
	}
}

// TestNetwork_BridgedCopyIsPublishedAtItsAddressAlone: a copy in a network of its own listens on
// the port that its service names, and is reached where the agent wants it and nowhere else.
func TestNetwork_BridgedCopyIsPublishedAtItsAddressAlone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	e := own(t, dockertest.StartApart)
	d := open(t, e, docker.Config{Registry: s.Remote, Network: "bridge"})
	spec := s.spec("a", "serve", "")
	spec.Address, spec.Port = "127.0.0.1:20001", 8080
	spec.Env = map[string]string{"PORT": "20001", "HOST": "127.0.0.1", "GREETING": "hello from inside"}
	if inst := start(t, d, spec); inst.Address != spec.Address {
		t.Errorf("the copy's address is %s", inst.Address)
	}
	until(t, "the copy answers at its address", func() bool {
		answer, err := getWithin(e, spec.Address)
		return err == nil && answer == "hello from inside"
	})
	for _, elsewhere := range []string{"127.0.0.2:20001", "127.0.0.1:8080"} {
		if answer, err := getWithin(e, elsewhere); err == nil {
			t.Errorf("%s answers %q", elsewhere, answer)
		}
	}
}

// getWithin asks an address in the network of an Engine.
func getWithin(e *dockertest.Engine, address string) (string, error) {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialWithin(ctx, e, network, address)
		},
	}}
	resp, err := client.Get("http://" + address)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func dialWithin(ctx context.Context, e *dockertest.Engine, network, address string) (net.Conn, error) {
	namespace, err := e.Network()
	if err != nil {
		return nil, err
	}
	defer namespace.Close()
	type answer struct {
		conn net.Conn
		err  error
	}
	answers := make(chan answer)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its network
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			answers <- answer{nil, err}
			return
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		answers <- answer{conn, err}
	}()
	a := <-answers
	return a.conn, a.err
}

func TestImage_OfNoArtifactIsCollectedAndLoadedAgainWhenItIsNeeded(t *testing.T) {
	onEach(t, func(t *testing.T, e *dockertest.Engine) {
		s := newStore(t)
		s.artifact = s.push(t, ownCheckout(t)) // no other test has it loaded into the same Engine
		d := open(t, e, docker.Config{Registry: s.Remote})
		nothing := func(andon.Digest) bool { return false }
		start(t, d, s.spec("a", "forever"))
		if n, err := d.Collect(t.Context(), nothing); n != 0 || err != nil {
			t.Errorf("the image of a running copy was collected: %d, %v", n, err)
		}
		if err := d.Stop(t.Context(), "a", 0); err != nil {
			t.Fatal(err)
		}
		if n, err := d.Collect(t.Context(), func(andon.Digest) bool { return true }); n != 0 || err != nil {
			t.Errorf("an image that is kept was collected: %d, %v", n, err)
		}
		if n, err := d.Collect(t.Context(), nothing); n != 1 || err != nil {
			t.Errorf("collected %d images, %v; want one", n, err)
		}
		asked := s.asked.Load()
		start(t, d, s.spec("a", "forever"))
		if s.asked.Load() == asked {
			t.Error("the image was not fetched again")
		}
	})
}

// ownCheckout returns a checkout whose artifact differs from all others.
func ownCheckout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "out"), os.DirFS(filepath.Join(plant.dir, "checkout", "out"))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "out", "name"), []byte(t.Name()), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// largestBlob returns the file of a registry that holds the largest part of an artifact.
func (s *store) largestBlob(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "docker/registry/v2/blobs/sha256/*/*/data"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the registry has no blobs: %v", err)
	}
	largest, size := "", int64(-1)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Size() > size {
			largest, size = f, info.Size()
		}
	}
	return largest
}
