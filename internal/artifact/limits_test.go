package artifact_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/artifact"
)

func TestPack_RefusesMoreThanItsLimit(t *testing.T) {
	checkout := tree(t, map[string]file{"out/a": {content: "a"}})
	if err := os.Truncate(filepath.Join(checkout, "out/a"), 8<<30+1); err != nil { // it has a size and no content
		t.Skip("the file system has no sparse files:", err)
	}
	if _, err := pack(t, checkout, "out"); andon.KindOf(err) != andon.KindInvalid || !strings.Contains(err.Error(), "too large") {
		t.Errorf("error %v", err)
	}
}

// bomb is a layer of a few bytes that says of itself that it unpacks to many.
func bomb(t *testing.T, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	if err := tar.NewWriter(zip).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "bomb", Size: size}); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPull_RefusesMoreThanItsLimit(t *testing.T) {
	const limit, over = 8 << 30, "unpacks to more than"
	four := layer(t, tar.Header{Typeflag: tar.TypeReg, Name: "four bytes"})
	for name, tt := range map[string]struct {
		layers [][]byte
		want   string
	}{
		"one layer":                       {[][]byte{bomb(t, limit+1)}, over},
		"two layers together":             {[][]byte{four, bomb(t, limit-3)}, over},
		"two layers that have just room":  {[][]byte{four, bomb(t, limit-4)}, "not what its digest says"}, // it is cut off
		"a hundred and twenty-nine of it": {slices.Repeat([][]byte{four}, 129), "1 to 128 layers"},
	} {
		remote, d := hostile(t, tt.layers...)
		c, cache := newCache(t)
		_, err := c.Pull(t.Context(), remote, "shop", d)
		if andon.KindOf(err) != andon.KindInvalid || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), d.Short()) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := os.ReadDir(cache); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

func TestToken_ReachesTheRegistryAlone(t *testing.T) {
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if got := r.Header.Get("Authorization"); got != "" {
			t.Errorf("another server on the same machine got %q", got)
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer other.Close()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer "+token {
			t.Errorf("%s %s came with %q", r.Method, r.URL.Path, got)
		}
		to, err := url.Parse(other.URL)
		if err != nil {
			t.Error(err)
		}
		to.Path = r.URL.Path
		http.Redirect(w, r, to.String(), http.StatusTemporaryRedirect)
	}))
	defer elsewhere.Close()
	remote := artifact.Remote{URL: elsewhere.URL, Token: token}
	p := mustPack(t, tree(t, map[string]file{"out/a": {content: "a"}}), "out")
	c, _ := newCache(t)
	if _, err := c.Pull(t.Context(), remote, "shop", p.Digest); err == nil {
		t.Error("a pull from nowhere succeeded")
	}
	if asked.Load() == 0 {
		t.Error("the other server was not asked: the test shows nothing")
	}
}
