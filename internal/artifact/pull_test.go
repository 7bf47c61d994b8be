package artifact_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
	"github.com/andon-cd/andon/internal/registry"
)

const token = "agent-token"

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// A store is a real registry that asks for a token and counts what is fetched.
type store struct {
	artifact.Remote
	dir     string
	host    string
	fetched atomic.Int64 // layers
	down    atomic.Int64 // requests to answer with 503
}

func newStore(t testing.TB) *store {
	t.Helper()
	s := &store{dir: t.TempDir()}
	r, err := registry.Open(t.Context(), registry.Config{Dir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, password, _ := req.BasicAuth()
		switch {
		case s.down.Add(-1) >= 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		case req.Header.Get("Authorization") != "Bearer "+token && password != token:
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/sha256:") {
				s.fetched.Add(1)
			}
			r.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(func() { server.Close(); _ = r.Close() })
	s.Remote = artifact.Remote{URL: server.URL, Token: token}
	s.host = strings.TrimPrefix(server.URL, "http://")
	return s
}

func newCache(t testing.TB) (*artifact.Cache, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cache")
	c, err := artifact.OpenCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c, dir
}

func push(t testing.TB, s *store, p *artifact.Packed) andon.Digest {
	t.Helper()
	stored, err := artifact.Push(t.Context(), s.Remote, "shop", "42", p)
	if err != nil {
		t.Fatal(err)
	}
	if stored.Digest != p.Digest || stored.Size != p.Size {
		t.Errorf("stored %+v", stored)
	}
	return stored.Digest
}

// roundTrip pushes and pulls, and returns the directory with the files.
func roundTrip(t testing.TB, p *artifact.Packed) (string, *store) {
	t.Helper()
	s := newStore(t)
	d := push(t, s, p)
	c, _ := newCache(t)
	dir, err := c.Pull(t.Context(), s.Remote, "shop", d)
	if err != nil {
		t.Fatal(err)
	}
	return dir, s
}

func TestPull_GivesBackTheFilesThatWerePacked(t *testing.T) {
	long := strings.Repeat("a directory with a long name/", 12)
	dir, _ := roundTrip(t, mustPack(t, tree(t, map[string]file{
		"out/shop": {content: "#!/bin/sh\n", mode: 0o755}, "out/empty": {}, "out/ünï": {content: "x"}, "out/" + long + "f": {content: "deep"},
	}), "out"))
	for name, want := range map[string]string{"shop": "#!/bin/sh\n", "empty": "", "ünï": "x", long + "f": "deep"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, want := range map[string]os.FileMode{"shop": 0o555, "empty": 0o444} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestPush_CanBePulledByOthers(t *testing.T) {
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		t.Skip("skopeo is not installed")
	}
	p := mustPack(t, tree(t, map[string]file{"out/shop": {content: "x", mode: 0o755}}), "out")
	s := newStore(t)
	push(t, s, p)
	policy := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(policy, []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "image")
	out, err := exec.Command(skopeo, "--policy", policy, "copy", "--src-tls-verify=false", "--src-creds", "any:"+token, "docker://"+s.host+"/shop:42", "oci:"+dst).CombinedOutput()
	if err != nil {
		t.Fatalf("skopeo: %v\n%s", err, out)
	}
	index, err := os.ReadFile(filepath.Join(dst, "index.json"))
	if err != nil || !strings.Contains(string(index), string(p.Digest)) {
		t.Errorf("index %s, %v", index, err)
	}
	if out, err := exec.Command(skopeo, "inspect", "--config", "--tls-verify=false", "--creds", "any:"+token, "docker://"+s.host+"/shop:42").CombinedOutput(); err != nil || !strings.Contains(string(out), runtime.GOARCH) {
		t.Errorf("skopeo inspect: %v\n%s", err, out)
	}
}

func TestPush_SendsNothingTwiceAndOutlivesAShortOutage(t *testing.T) {
	s := newStore(t)
	p := mustPack(t, tree(t, map[string]file{"out/a": {content: "a"}}), "out")
	push(t, s, p)
	s.down.Store(2)
	push(t, s, p)
	c, _ := newCache(t)
	s.down.Store(2)
	if _, err := c.Pull(t.Context(), s.Remote, "shop", p.Digest); err != nil {
		t.Error(err)
	}
}

func TestRegistry_ErrorsNameTheArtifactAndSayWhatToDo(t *testing.T) {
	s := newStore(t)
	p := mustPack(t, tree(t, map[string]file{"out/a": {content: "a"}}), "out")
	c, _ := newCache(t)
	short := p.Digest.Short()
	for name, tt := range map[string]struct {
		remote artifact.Remote
		kind   andon.Kind
	}{
		"an artifact that is not there": {s.Remote, andon.KindNotFound},
		"a wrong token":                 {artifact.Remote{URL: s.URL, Token: "wrong"}, andon.KindSignIn},
		"no registry":                   {artifact.Remote{URL: "http://127.0.0.1:1"}, andon.KindUnreachable},
	} {
		_, err := c.Pull(t.Context(), tt.remote, "shop", p.Digest)
		if err == nil || andon.KindOf(err) != tt.kind || !strings.Contains(err.Error(), short) || strings.Contains(err.Error(), "wrong") {
			t.Errorf("pulling %s: %v", name, err)
		}
		if tt.kind == andon.KindNotFound {
			continue
		}
		if _, err := artifact.Push(t.Context(), tt.remote, "shop", "1", p); err == nil || andon.KindOf(err) != tt.kind {
			t.Errorf("pushing to %s: %v", name, err)
		}
	}
	if _, err := c.Pull(t.Context(), s.Remote, "shop", "sha256:x/../y"); andon.KindOf(err) != andon.KindInvalid {
		t.Errorf("a digest that is none: %v", err)
	}
}

func TestPull_IsSharedByAllWhoWantTheSame(t *testing.T) {
	s := newStore(t)
	d := push(t, s, mustPack(t, tree(t, map[string]file{"out/a": {content: strings.Repeat("a", 1<<20)}}), "out"))
	c, _ := newCache(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := c.Pull(t.Context(), s.Remote, "shop", d); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := s.fetched.Load(); n != 1 {
		t.Errorf("the layer was fetched %d times", n)
	}
}

func TestPull_GoesOnForOthersWhenTheFirstGivesUp(t *testing.T) {
	s := newStore(t)
	d := push(t, s, mustPack(t, tree(t, map[string]file{"out/a": {content: "a"}}), "out"))
	asked, release := make(chan struct{}), make(chan struct{})
	var first sync.Once
	s.Client = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		first.Do(func() { close(asked); <-release })
		return http.DefaultTransport.RoundTrip(r)
	})}
	c, _ := newCache(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { _, err := c.Pull(ctx, s.Remote, "shop", d); ended <- err }()
	<-asked
	go func() { _, err := c.Pull(t.Context(), s.Remote, "shop", d); ended <- err }()
	cancel()
	close(release)
	if one, two := <-ended, <-ended; (one == nil) == (two == nil) {
		t.Errorf("errors %v and %v, want one", one, two)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPull_ReplacesWhatWasChangedAndKeepsWhatRunsFromIt(t *testing.T) {
	s := newStore(t)
	d := push(t, s, mustPack(t, tree(t, map[string]file{"out/a": {content: "abc"}, "out/b/c": {content: "x"}, "out/l": {link: "a"}}), "out"))
	for name, damage := range map[string]func(dir string) error{
		"a changed file": func(dir string) error {
			return errors.Join(os.Chmod(filepath.Join(dir, "a"), 0o644), os.WriteFile(filepath.Join(dir, "a"), []byte("xyz"), 0o644))
		},
		"a missing file": func(dir string) error { return os.Remove(filepath.Join(dir, "b/c")) },
		"a turned link": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "l")), os.Symlink("b", filepath.Join(dir, "l")))
		},
		"no listing": func(dir string) error { return os.Remove(filepath.Join(dir, "..", "files")) },
		"a torn listing": func(dir string) error {
			return errors.Join(os.Chmod(filepath.Join(dir, "..", "files"), 0o644), os.WriteFile(filepath.Join(dir, "..", "files"), []byte("100644"), 0o644))
		},
	} {
		c, cache := newCache(t)
		dir, err := c.Pull(t.Context(), s.Remote, "shop", d)
		if err != nil {
			t.Fatal(err)
		}
		runs, err := os.Open(dir) // as a copy does with its working directory
		if err != nil {
			t.Fatal(err)
		}
		if err := damage(dir); err != nil {
			t.Fatal(err)
		}
		if dir, err = c.Pull(t.Context(), s.Remote, "shop", d); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "a")); err != nil || string(got) != "abc" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _, err := runs.Readdirnames(-1); err != nil {
			t.Errorf("%s: the directory of a running copy is gone: %v", name, err)
		}
		runs.Close()
		if removed, err := c.Collect(func(andon.Digest) bool { return true }); removed != 0 || err != nil {
			t.Errorf("%s: removed %d, %v", name, removed, err)
		}
		if removed, err := c.Collect(func(andon.Digest) bool { return false }); removed != 2 || err != nil {
			t.Errorf("%s: removed %d, %v", name, removed, err)
		}
		if left, _ := os.ReadDir(cache); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

func TestPull_IsQuickWhenTheArtifactIsThere(t *testing.T) {
	s := newStore(t)
	d := push(t, s, mustPack(t, tree(t, map[string]file{"out/a.py": {content: "abc"}}), "out"))
	c, cache := newCache(t)
	dir, err := c.Pull(t.Context(), s.Remote, "shop", d)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "__pycache__"), 0o755); err != nil { // what an interpreter adds is no damage
		t.Fatal(err)
	}
	if c, err = artifact.OpenCache(cache); err != nil { // also after a restart, without the registry
		t.Fatal(err)
	}
	again, err := c.Pull(t.Context(), artifact.Remote{URL: "http://127.0.0.1:1"}, "shop", d)
	if err != nil || again != dir || s.fetched.Load() != 1 {
		t.Errorf("%s, %v, fetched %d times", again, err, s.fetched.Load())
	}
}

func TestOpenCache_RemovesHalfAPull(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "pulling-1", "content"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := artifact.OpenCache(dir); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestPull_NoticesEveryDamageInTheRegistry(t *testing.T) {
	var digits strings.Builder // something between what compresses well and what does not at all
	for i := range 50_000 {
		fmt.Fprintf(&digits, "%x", sha256.Sum256([]byte{byte(i), byte(i >> 8)}))
	}
	for name, content := range map[string]string{"a small one": strings.Repeat("abc", 5000), "a large one": digits.String()} {
		t.Run(name, func(t *testing.T) { noticesDamage(t, content, true) })
	}
	t.Run("the manifest", func(t *testing.T) { noticesDamage(t, "abc", false) })
}

// noticesDamage damages an artifact's manifest, or all of its other parts.
func noticesDamage(t *testing.T, content string, others bool) {
	s := newStore(t)
	d := push(t, s, mustPack(t, tree(t, map[string]file{"out/a": {content: content}}), "out"))
	damaged := 0
	err := filepath.WalkDir(s.dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.Name() != "data" || strings.Contains(name, strings.TrimPrefix(string(d), "sha256:")) == others {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		content[len(content)/2] ^= 1
		damaged++
		return os.WriteFile(name, content, 0o600)
	})
	if err != nil || damaged == 0 {
		t.Fatal(damaged, err)
	}
	c, cache := newCache(t)
	if _, err := c.Pull(t.Context(), s.Remote, "shop", d); err == nil || andon.KindOf(err) != andon.KindInvalid || !strings.Contains(err.Error(), d.Short()) {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(cache); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// A hostile image has layers of any content. Its digests are right.
func hostile(t *testing.T, layers ...[]byte) (artifact.Remote, andon.Digest) {
	t.Helper()
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)
	describe := func(mediaType string, b []byte) ocispec.Descriptor {
		return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
	}
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: describe(ocispec.MediaTypeImageConfig, config)}
	m.SchemaVersion = 2
	for _, layer := range layers {
		m.Layers = append(m.Layers, describe(ocispec.MediaTypeImageLayerGzip, layer))
	}
	manifest, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	blobs := map[string][]byte{}
	for _, b := range append(layers, config, manifest) {
		blobs[string(digest.FromBytes(b))] = b
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, ok := blobs[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if strings.Contains(r.URL.Path, "/manifests/") {
			w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
			w.Header().Set("Docker-Content-Digest", string(digest.FromBytes(b)))
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		_, _ = w.Write(b)
	}))
	t.Cleanup(server.Close)
	return artifact.Remote{URL: server.URL}, andon.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(manifest)))
}

func layer(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	w := tar.NewWriter(zip)
	for _, h := range headers {
		h.Size = 0
		if h.Typeflag == tar.TypeReg {
			h.Size = 4
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			_, _ = io.WriteString(w, "evil")
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPull_RefusesLayersThatReachOutside(t *testing.T) {
	outside := t.TempDir()
	regular := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o6777} }
	link := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
	}
	for name, content := range map[string][]byte{
		"a name above":              layer(t, regular("../evil")),
		"a name above, hidden":      layer(t, regular("a/../../evil")),
		"an absolute name":          layer(t, regular(outside+"/evil")),
		"an absolute link":          layer(t, link("l", outside)),
		"a file through a link":     layer(t, link("l", outside), regular("l/evil")),
		"a link to above":           layer(t, link("a/l", "../../x")),
		"a link over a link":        layer(t, link("a/b/up", "../.."), link("l", "a/b/up/../evil")),
		"a link, then what it uses": layer(t, link("l", "a/b/up/../evil"), link("a/b/up", "../..")),
		"a hard link":               layer(t, tar.Header{Typeflag: tar.TypeLink, Name: "l", Linkname: "/etc/passwd"}),
		"a device":                  layer(t, tar.Header{Typeflag: tar.TypeBlock, Name: "sda", Devmajor: 8}),
		"a pipe":                    layer(t, tar.Header{Typeflag: tar.TypeFifo, Name: "pipe"}),
		"a file twice":              layer(t, regular("a"), regular("a")),
		"no archive":                []byte("hello"),
		"half an archive":           layer(t, regular("a"))[:40],
	} {
		remote, d := hostile(t, content)
		c, cache := newCache(t)
		if dir, err := c.Pull(t.Context(), remote, "shop", d); err == nil {
			t.Errorf("%s: unpacked to %s", name, dir)
		}
		if left, _ := os.ReadDir(cache); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
		for _, dir := range []string{outside, filepath.Dir(cache)} {
			if entries, _ := os.ReadDir(dir); len(entries) > 0 && dir == outside || len(entries) > 1 {
				t.Errorf("%s: wrote %v", name, entries)
			}
		}
	}
}

func TestPull_TakesNoModesFromALayer(t *testing.T) {
	remote, d := hostile(t, layer(t, tar.Header{Typeflag: tar.TypeReg, Name: "a", Mode: 0o6777, Uid: 12, Gid: 34}))
	c, _ := newCache(t)
	dir, err := c.Pull(t.Context(), remote, "shop", d)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "a")); err != nil || info.Mode() != 0o555 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestPull_TellsABrokenConnectionFromDamage(t *testing.T) {
	s := newStore(t)
	d := push(t, s, mustPack(t, tree(t, map[string]file{"out/a": {content: strings.Repeat("abc", 100_000)}}), "out"))
	s.Client = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err == nil && strings.Contains(r.URL.Path, "/blobs/") {
			answer.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(answer.Body, 100), failing{}), answer.Body}
		}
		return answer, err
	})}
	c, _ := newCache(t)
	if _, err := c.Pull(t.Context(), s.Remote, "shop", d); andon.KindOf(err) != andon.KindUnreachable {
		t.Errorf("error %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }
