package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/andon-cd/andon/api"
)

// A registryCutter passes requests on to the plant, but for those to its registry while it is shut.
type registryCutter struct {
	url  string
	shut atomic.Bool
}

func (p *plant) newRegistryCutter() *registryCutter {
	p.T.Helper()
	there, err := url.Parse(p.URL)
	if err != nil {
		p.T.Fatal(err)
	}
	c := &registryCutter{}
	through := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(there) }}
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.shut.Load() && strings.HasPrefix(r.URL.Path, "/v2/") {
			panic(http.ErrAbortHandler) // the connection ends without an answer
		}
		through.ServeHTTP(w, r)
	}))
	p.T.Cleanup(relay.Close)
	c.url = relay.URL
	return c
}

// TestFault_RegistryUnreachable: what runs goes on, and is started again from what the host has. A
// deployment waits, and goes on when the registry is back in time; else it is turned back.
func TestFault_RegistryUnreachable(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	cutter := p.newRegistryCutter()
	one := p.newHost("one", station{})
	one.server = cutter.url
	one.start()
	two := p.startHost("two", station{})
	p.production("hosts: {names: [one, two]}\nedge: {names: [local]}\n")
	shop := p.newShop()
	first := shop.ShipFirst()
	l := p.newLoad("shop.localhost", shopping)

	cutter.shut.Store(true)
	shop.Commit("It comes back in time", files{"files/answer.txt": "hello 2\n"})
	second := shop.Push()
	until(t, "the deployment says what it waits for", func() error {
		if r := p.Andon("why", "shop"); !strings.Contains(r.Out, "registry") {
			return fmt.Errorf("%s", r)
		}
		return nil
	})
	kill(t, one.copies("production")[0])
	until(t, "the copy of the old version is back without the registry", func() error {
		if in := p.inTraffic("shop", "production"); len(in) != 2 {
			return fmt.Errorf("%+v", in)
		}
		return nil
	})
	cutter.shut.Store(false)
	p.Wait(shop.Ref(second), "live:production")

	cutter.shut.Store(true)
	shop.Commit("It does not", files{"andon.yaml": p.Pipeline("start: 3m", "start: 30s"), "files/answer.txt": "hello 3\n"})
	late := shop.Push()
	p.failsBecause("shop", late, "not healthy within 30s", "registry")
	p.idle()
	if live := p.live("shop", "production"); live != second || live == first {
		t.Fatalf("version %d is live", live)
	}
	cutter.shut.Store(false)
	shop.Ship("It is back", files{"andon.yaml": p.Pipeline(), "files/answer.txt": "hello 4\n"})
	if len(one.copies("production")) != 1 || len(two.copies("production")) != 1 {
		t.Error("the next version is not spread over both hosts")
	}
	l.stop()
	l.lostOnly(customers, "POST /order", "502") // those that the killed copy had just then
}

// TestFault_ArtifactCorrupt: bytes that are not those that were built never run. The deployment
// fails and says so, and is turned back; what was damaged is made good by the next build.
func TestFault_ArtifactCorrupt(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	one := p.startHost("one", station{})
	p.production("hosts: {names: [one]}\nedge: {names: [local]}\n")
	shop := p.newShop("{name: production,", "{name: production, approval: {},")
	first := shop.Push()
	shop.promote(first)
	p.Wait(shop.Ref(first), "live:production")
	l := p.newLoad("shop.localhost", shopping)

	shop.Commit("Change", files{"files/answer.txt": "hello 2\n"})
	second := shop.Push()
	p.Wait(shop.Ref(second), "certified")
	p.corrupt(p.version("shop", second))
	p.Andon("promote", "shop", fmt.Sprint(second), "production").Wants(t, done, "andon promote")
	p.failsBecause("shop", second, "its content is not what its digest says")
	p.idle()
	if live := p.live("shop", "production"); live != first {
		t.Fatalf("version %d is live", live)
	}
	p.answers("shop.localhost", "hello 1\n")

	// The same files again: the same artifact, which must not be the damaged one.
	shop.Commit("The same again", nil)
	third := shop.Push()
	shop.promote(third)
	p.Wait(shop.Ref(third), "live:production")
	p.answers("shop.localhost", "hello 2\n")
	l.stop()
	l.intact()

	// In the host's own cache: a copy that is started again gets the files that were built.
	damaged := 0
	_ = filepath.WalkDir(filepath.Join(one.data, "agent", "artifacts"), func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Name() == "answer.txt" {
			damaged++
			return os.WriteFile(path, []byte("hello, this is somebody else\n"), 0o600)
		}
		return err
	})
	if damaged == 0 {
		t.Fatal("there is no cache of artifacts")
	}
	for _, c := range one.copies("production") {
		kill(t, c)
	}
	until(t, "the copies are back", func() error { // while neither is well, both keep the traffic
		in := p.inTraffic("shop", "production")
		back := func(c api.Copy) bool { return c.Restarts > 0 && c.Phase == api.PhaseHealthy }
		if len(in) != 2 || !back(in[0]) || !back(in[1]) {
			return fmt.Errorf("%+v", in)
		}
		return nil
	})
	for range 4 {
		p.answers("shop.localhost", "hello 2\n")
	}
}

// corrupt changes one byte in the middle of each layer of a version's artifact, in the registry.
func (p *plant) corrupt(v api.VersionDetail) {
	p.T.Helper()
	blob := func(digest string) string {
		hex := strings.TrimPrefix(digest, "sha256:")
		return filepath.Join(p.Data, "registry", "docker", "registry", "v2", "blobs", "sha256", hex[:2], hex, "data")
	}
	var manifest struct{ Layers []struct{ Digest string } }
	data, err := os.ReadFile(blob(v.Artifact.Digest))
	if err == nil {
		err = json.Unmarshal(data, &manifest)
	}
	if err != nil || len(manifest.Layers) == 0 {
		p.T.Fatalf("the manifest of %s: %v, %s", v.Artifact.Digest, err, data)
	}
	for _, layer := range manifest.Layers {
		data, err := os.ReadFile(blob(layer.Digest))
		if err != nil {
			p.T.Fatal(err)
		}
		data[len(data)/2] ^= 0xff
		write(p.T, blob(layer.Digest), data)
	}
}
