// Package registry is the OCI registry inside the plant: what the commit stage built, by digest,
// for any client that speaks the distribution protocol. Who may use it is decided before a
// request reaches it.
package registry

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/opencontainers/go-digest"
	"github.com/sirupsen/logrus"
)

// DefaultGrace is how long what nobody needs is kept, so that a push can end before anything
// refers to what it brought.
const DefaultGrace = time.Hour

// maxManifest bounds a manifest that is pushed, as the library does.
const maxManifest = 4 << 20

// Config says where a registry keeps its content.
type Config struct {
	Dir   string        // made if it is missing
	Grace time.Duration // 0: DefaultGrace
}

// A Registry serves /v2/. It implements http.Handler.
type Registry struct {
	dir     string
	grace   time.Duration
	app     *handlers.App
	driver  driver.StorageDriver
	content distribution.Namespace

	// collecting is held for writing while Collect decides and deletes, and for reading by
	// requests that make something count as needed.
	collecting sync.RWMutex
	// mending is held while content is compared with its digest, and taken away.
	mending sync.Mutex
}

// The library logs to a logger of the whole process, and calls every "not found" an error. Its
// answers say the same to those who asked, and the server logs its own failures.
func init() {
	logrus.SetOutput(io.Discard)
	logrus.SetLevel(logrus.PanicLevel)
}

// Open opens the registry in a directory. It starts no goroutine; Close ends its use.
func Open(ctx context.Context, config Config) (r *Registry, err error) {
	if config.Grace == 0 {
		config.Grace = DefaultGrace
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of the registry: %w", err)
	}
	defer func() {
		// The library panics where others return an error.
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("opening the registry in %s: %v", config.Dir, p)
		}
	}()
	settings, err := settings(config.Dir)
	if err != nil {
		return nil, err
	}
	r = &Registry{dir: config.Dir, grace: config.Grace, app: handlers.NewApp(ctx, settings)}
	r.driver = filesystem.New(filesystem.DriverParameters{RootDirectory: config.Dir, MaxThreads: 25})
	r.content, err = storage.NewRegistry(ctx, r.driver, storage.EnableDelete)
	if err != nil {
		return nil, fmt.Errorf("opening the registry in %s: %w", config.Dir, err)
	}
	return r, nil
}

// settings configures the library: files on disk, nothing in the background, nothing listening.
func settings(dir string) (*configuration.Configuration, error) {
	// It signs the state of an upload between two requests. An upload does not survive a restart.
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	c := &configuration.Configuration{Storage: configuration.Storage{
		"filesystem":  {"rootdirectory": dir},
		"delete":      {"enabled": true},
		"redirect":    {"disable": true},
		"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
	}}
	c.HTTP.Secret = hex.EncodeToString(secret)
	c.HTTP.RelativeURLs = true
	return c, nil
}

// Close ends the use of the registry. No request may be under way.
func (r *Registry) Close() error { return r.app.Shutdown() }

// ServeHTTP answers requests below /v2/.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	at := parsePath(req.URL.Path)
	if req.Method == http.MethodHead && at.kind == blobPath {
		r.mend(digest.Digest(at.reference)) // asked for by those who are about to bring it
	}
	switch {
	case req.Method == http.MethodHead && (at.kind == manifestPath || at.kind == blobPath):
		// A client that finds it here does not send it: from now on it is needed for a while.
		r.touch(digest.Digest(at.reference))
	case req.Method == http.MethodPost && req.URL.Query().Get("mount") != "":
		r.touch(digest.Digest(req.URL.Query().Get("mount")))
	case req.Method == http.MethodPut && at.kind == uploadPath:
		r.touch(digest.Digest(req.URL.Query().Get("digest")))
	case req.Method == http.MethodPut && at.kind == manifestPath:
		r.putManifest(w, req)
		return
	}
	r.app.ServeHTTP(w, req)
}

// putManifest takes a manifest in while nothing is being deleted, so that what it refers to,
// which the library checks, is not collected before the manifest is there. The manifest is read
// before: a slow client holds nothing up.
func (r *Registry) putManifest(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxManifest+1))
	if err != nil {
		http.Error(w, "the manifest could not be read", http.StatusBadRequest)
		return
	}
	if len(body) > maxManifest {
		http.Error(w, "the manifest is too large", http.StatusRequestEntityTooLarge)
		return
	}
	r.mend(digest.FromBytes(body))
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.collecting.RLock()
	defer r.collecting.RUnlock()
	r.app.ServeHTTP(w, req)
	// One that was there already keeps its age otherwise.
	r.refresh(digest.FromBytes(body))
}

// touch makes the content of a digest count as new, if it is there.
func (r *Registry) touch(d digest.Digest) {
	r.collecting.RLock()
	defer r.collecting.RUnlock()
	r.refresh(d)
}

func (r *Registry) refresh(d digest.Digest) {
	if d.Validate() != nil {
		return // a tag, or nonsense that the library answers
	}
	now := time.Now()
	if err := os.Chtimes(r.blobFile(d), now, now); err != nil && !errors.Is(err, os.ErrNotExist) {
		return // it may then be collected early; the push is repeated
	}
}

// blobFile is where the library keeps the content of a digest.
func (r *Registry) blobFile(d digest.Digest) string {
	return filepath.Join(r.dir, "docker", "registry", "v2", "blobs", d.Algorithm().String(), d.Encoded()[:2], d.Encoded(), "data")
}
