package registry

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/andon-cd/andon/internal/andon"
)

type plant struct {
	registry *Registry
	host     string // host:port
}

func open(t *testing.T) plant {
	t.Helper()
	r, err := Open(t.Context(), Config{Dir: filepath.Join(t.TempDir(), "registry")})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return plant{r, strings.TrimPrefix(server.URL, "http://")}
}

func (p plant) repository(t *testing.T, name string) *remote.Repository {
	t.Helper()
	repo, err := remote.NewRepository(p.host + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	repo.PlainHTTP = true
	return repo
}

// push brings an image with one layer and returns its manifest.
func (p plant) push(t *testing.T, name, tag string, layer []byte) v1.Descriptor {
	t.Helper()
	ctx := t.Context()
	store := memory.New()
	d := v1.Descriptor{MediaType: v1.MediaTypeImageLayerGzip, Digest: digest.FromBytes(layer), Size: int64(len(layer))}
	if err := store.Push(ctx, d, bytes.NewReader(layer)); err != nil {
		t.Fatal(err)
	}
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["` + d.Digest.String() + `"]}}`)
	c := v1.Descriptor{MediaType: v1.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))}
	if err := store.Push(ctx, c, bytes.NewReader(config)); err != nil {
		t.Fatal(err)
	}
	manifest, err := oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, "", oras.PackManifestOptions{
		ConfigDescriptor: &c, Layers: []v1.Descriptor{d},
		ManifestAnnotations: map[string]string{v1.AnnotationCreated: "2026-01-01T00:00:00Z"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Tag(ctx, manifest, tag); err != nil {
		t.Fatal(err)
	}
	if _, err := oras.Copy(ctx, store, tag, p.repository(t, name), tag, oras.DefaultCopyOptions); err != nil {
		t.Fatal(err)
	}
	return manifest
}

// age makes everything in the registry old.
func (p plant) age(t *testing.T) {
	t.Helper()
	old := time.Now().Add(-2 * DefaultGrace)
	err := filepath.WalkDir(p.registry.dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(name, old, old)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (p plant) has(t *testing.T, name string, d digest.Digest) bool {
	t.Helper()
	_, err := p.repository(t, name).Resolve(t.Context(), d.String())
	return err == nil
}

func (p plant) collect(t *testing.T, keep func(string, andon.Digest) bool) int64 {
	t.Helper()
	freed, err := p.registry.Collect(t.Context(), keep)
	if err != nil {
		t.Fatal(err)
	}
	return freed
}

func nothing(string, andon.Digest) bool { return false }

func TestRegistry_GivesBackByDigestWhatWasPushed(t *testing.T) {
	p := open(t)
	layer := bytes.Repeat([]byte("a layer of some size "), 1000)
	manifest := p.push(t, "shop", "one", layer)
	repo := p.repository(t, "shop")
	_, r, err := repo.Blobs().FetchReference(t.Context(), digest.FromBytes(layer).String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, layer) {
		t.Fatalf("%d bytes came back, %v", len(got), err)
	}
	if !p.has(t, "shop", manifest.Digest) || p.has(t, "other", manifest.Digest) {
		t.Error("the manifest must be in its repository alone")
	}
}

func TestRegistry_AsksAgainForWhatItsDiskHasChanged(t *testing.T) {
	p := open(t)
	layer := []byte("all the files of the shop")
	manifest := p.push(t, "shop", "1", layer)
	for name, content := range map[string]struct {
		digest digest.Digest
		blobs  bool
	}{"the layer": {digest.FromBytes(layer), true}, "the manifest": {manifest.Digest, false}} {
		t.Run(name, func(t *testing.T) {
			file := p.registry.blobFile(content.digest)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			damaged := bytes.Clone(data)
			damaged[len(data)/2] ^= 1
			if err := os.WriteFile(file, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			repo := p.repository(t, "shop")
			what := v1.Descriptor{MediaType: manifest.MediaType, Digest: content.digest, Size: int64(len(data))}
			if content.blobs {
				if there, err := repo.Blobs().Exists(t.Context(), what); err != nil || there {
					t.Fatalf("damaged content counts as there: %v, %v", there, err)
				}
				err = repo.Blobs().Push(t.Context(), what, bytes.NewReader(data))
			} else {
				err = repo.PushReference(t.Context(), what, bytes.NewReader(data), "1")
			}
			if err != nil {
				t.Fatal(err)
			}
			if mended, err := os.ReadFile(file); err != nil || !bytes.Equal(mended, data) {
				t.Errorf("it is not mended: %q, %v", mended, err)
			}
		})
	}
}

func TestRegistry_SkopeoPullsFromIt(t *testing.T) {
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		t.Skip("skopeo is not installed")
	}
	p := open(t)
	manifest := p.push(t, "shop", "one", gzipped(t, "hello"))
	to := filepath.Join(t.TempDir(), "image")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, skopeo, "--insecure-policy", "copy", "--src-tls-verify=false",
		"docker://"+p.host+"/shop@"+manifest.Digest.String(), "dir:"+to).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(to, "manifest.json"))
	if err != nil || digest.FromBytes(got) != manifest.Digest {
		t.Fatalf("skopeo has the manifest %s, %v", digest.FromBytes(got), err)
	}
}

func TestCollect_KeepsWhatIsWantedAndFreesTheRest(t *testing.T) {
	p := open(t)
	common := bytes.Repeat([]byte("x"), 5000)
	wanted := p.push(t, "shop", "wanted", common)
	other := p.push(t, "shop", "other", bytes.Repeat([]byte("y"), 7000))
	sibling := p.push(t, "cart", "same", common) // the same manifest in another repository
	p.age(t)
	freed := p.collect(t, func(repository string, d andon.Digest) bool {
		return repository == "shop" && d == andon.Digest(wanted.Digest)
	})
	if freed < 7000 {
		t.Errorf("%d bytes were freed", freed)
	}
	if !p.has(t, "shop", wanted.Digest) || p.has(t, "shop", other.Digest) {
		t.Error("the wrong manifest was collected")
	}
	if sibling.Digest != wanted.Digest {
		t.Fatal("the test needs the same manifest twice")
	}
	if _, r, err := p.repository(t, "shop").Blobs().FetchReference(t.Context(), digest.FromBytes(common).String()); err != nil {
		t.Errorf("a blob of a wanted manifest is gone: %v", err)
	} else {
		r.Close()
	}
	if tags := tags(t, p, "shop"); strings.Join(tags, " ") != "wanted" {
		t.Errorf("the tags are %v", tags)
	}
}

func tags(t *testing.T, p plant, name string) (all []string) {
	t.Helper()
	err := p.repository(t, name).Tags(t.Context(), "", func(page []string) error {
		all = append(all, page...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCollect_LeavesWhatIsYoung(t *testing.T) {
	p := open(t)
	manifest := p.push(t, "shop", "new", []byte("new"))
	if freed := p.collect(t, nothing); freed != 0 {
		t.Errorf("%d bytes of a push that may go on were freed", freed)
	}
	if !p.has(t, "shop", manifest.Digest) {
		t.Error("a young manifest was collected")
	}
}

func TestCollect_SparesOldContentThatAPushFoundHere(t *testing.T) {
	p := open(t)
	layer := []byte("built twice, the same both times")
	manifest := p.push(t, "shop", "first", layer)
	p.age(t)
	// The second build asks for what is there, and sends none of it again.
	if !p.has(t, "shop", manifest.Digest) {
		t.Fatal("the manifest must be there")
	}
	p.push(t, "shop", "second", layer)
	p.collect(t, nothing)
	if !p.has(t, "shop", manifest.Digest) {
		t.Error("the manifest that a push relies on was collected")
	}
}

func TestCollect_OfAnEmptyRegistryDoesNothing(t *testing.T) {
	if freed := open(t).collect(t, nothing); freed != 0 {
		t.Errorf("%d bytes were freed", freed)
	}
}

func TestCollect_DuringPushesLosesNone(t *testing.T) {
	p := open(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			if _, err := p.registry.Collect(t.Context(), nothing); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	var pushed []v1.Descriptor
	for i := range 20 {
		pushed = append(pushed, p.push(t, "shop", "latest", bytes.Repeat([]byte{byte(i)}, 1000)))
	}
	<-done
	for _, d := range pushed {
		if !p.has(t, "shop", d.Digest) {
			t.Errorf("%s was pushed and is gone", d.Digest)
		}
	}
}

// ending is storage from which uploads go away just when somebody looks at them.
type ending struct{ driver.StorageDriver }

func (e ending) GetContent(ctx context.Context, path string) ([]byte, error) {
	if strings.HasSuffix(path, "/startedat") {
		return nil, driver.PathNotFoundError{Path: path}
	}
	return e.StorageDriver.GetContent(ctx, path)
}

func TestCollect_TakesNoUploadThatEndsMeanwhileForAFailure(t *testing.T) {
	p := open(t)
	p.push(t, "shop", "one", []byte("one"))
	answer, err := http.Post("http://"+p.host+"/v2/shop/blobs/uploads/", "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		t.Fatalf("an upload begins with %s", answer.Status)
	}
	p.registry.driver = ending{p.registry.driver}
	p.collect(t, nothing)
}

func TestOpen_IsQuick(t *testing.T) {
	p := open(t)
	const most = 100 * time.Millisecond
	fastest := time.Hour
	for tries := 0; fastest > most && tries < 100; tries++ { // on a busy machine, one undisturbed try says it
		began := time.Now()
		r, err := Open(t.Context(), Config{Dir: p.registry.dir})
		if err != nil {
			t.Fatal(err)
		}
		fastest = min(fastest, time.Since(began))
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if fastest > most {
		t.Errorf("opening took %s at the least", fastest)
	}
}

func gzipped(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
