package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// An asset is a file that pages load.
type asset struct {
	body   []byte
	packed func() []byte // compressed once, when somebody first asks
	print  string        // of the body
	kind   string        // its media type
}

// assets returns what is below /static/, by name. They never change. Only a server reads them, and no
// other command waits for that.
var assets = sync.OnceValue(readAssets)

func readAssets() map[string]*asset {
	all := map[string]*asset{}
	err := fs.WalkDir(files, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		all[name[len("static/"):]] = &asset{
			body: body, print: hex.EncodeToString(sum[:8]), kind: mediaType(path.Ext(name)),
			packed: sync.OnceValue(func() []byte { return pack(body, gzip.BestCompression) }),
		}
		return nil
	})
	if err != nil {
		panic("web: the embedded files lack static: " + err.Error())
	}
	return all
}

// mediaType does not depend on the machine, as the tables of package mime do.
func mediaType(extension string) string {
	switch extension {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(extension)
	}
}

// assetPath returns the address of an asset, which changes with it, so that browsers keep what they
// have for ever.
func assetPath(name string) string {
	a := assets()[name]
	if a == nil {
		panic("web: a template names no asset: " + name)
	}
	return "/static/" + name + "?v=" + a.print
}

// serveAsset answers with an asset, compressed if the browser takes that, or says that the browser
// has it.
func (p *pages) serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	a := assets()[name]
	if a == nil {
		p.nothing(w, r)
		return
	}
	h, body, tag := w.Header(), a.body, a.print
	h.Set("Content-Type", a.kind)
	h.Add("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.print {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	if packed := a.packed(); takesGzip(r) && len(packed) < len(body) {
		body, tag = packed, tag+"-gzip"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
}
