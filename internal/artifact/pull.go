package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/andon-cd/andon/internal/andon"
)

// A Cache keeps unpacked artifacts, each in a directory of its own. Copies run from there.
type Cache struct {
	dir string

	mu      sync.Mutex
	pulling map[andon.Digest]*pull
}

// pull is one that is under way; others who want the same artifact wait for it.
type pull struct {
	done chan struct{}
	err  error
	gone bool // whoever fetched it did not want it any more
}

const (
	pullingPrefix = "pulling-" // of directories that are not complete
	damagedPrefix = "damaged-" // of artifacts that were replaced, but may have copies running from them
)

// OpenCache opens the cache in a directory, which it creates if it is missing. What an
// interrupted pull left there is removed.
func OpenCache(dir string) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of artifacts: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, pullingPrefix+"*"))
	if err != nil {
		return nil, err
	}
	for _, d := range left {
		if err := os.RemoveAll(d); err != nil {
			return nil, fmt.Errorf("removing what an interrupted pull left: %w", err)
		}
	}
	return &Cache{dir: dir, pulling: map[andon.Digest]*pull{}}, nil
}

// Pull returns the directory with the files of an artifact, which the caller must not change. The
// first call for a digest fetches it, verifies every byte against the digest, and unpacks it. A
// later one compares the files with what was unpacked, by size, mode and time, and fetches the
// artifact again when one is missing or was changed.
func (c *Cache) Pull(ctx context.Context, registry Remote, service andon.ServiceName, d andon.Digest) (string, error) {
	if !d.Valid() {
		return "", andon.Errorf(andon.KindInvalid, "%q is not a digest", d)
	}
	for {
		p, mine := c.join(d)
		if mine {
			p.err = c.provide(ctx, registry, service, d)
			p.gone = ctx.Err() != nil
			c.leave(d, p)
			if p.err != nil {
				return "", p.err
			}
			return c.content(d), nil
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		switch {
		case p.err == nil:
			return c.content(d), nil
		case !p.gone:
			return "", p.err
		}
	}
}

// provide makes the artifact be there, whole.
func (c *Cache) provide(ctx context.Context, registry Remote, service andon.ServiceName, d andon.Digest) error {
	if verify(c.path(d)) == nil {
		return nil
	}
	if exists(c.path(d)) {
		aside, err := os.MkdirTemp(c.dir, damagedPrefix+"*")
		if err != nil {
			return diskError("the artifact cannot be unpacked", err)
		}
		if err := os.Rename(c.path(d), filepath.Join(aside, entryName(d))); err != nil {
			return fmt.Errorf("putting a damaged artifact aside: %w", err)
		}
	}
	return c.fetch(ctx, registry, service, d)
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// Collect removes the artifacts that keep does not want, and returns how many those were. It may
// be called while artifacts are pulled.
func (c *Cache) Collect(keep func(andon.Digest) bool) (removed int, err error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		d := digestOfEntry(e.Name())
		if strings.HasPrefix(e.Name(), damagedPrefix) {
			inside, err := os.ReadDir(filepath.Join(c.dir, e.Name()))
			if err == nil && len(inside) == 1 {
				d = digestOfEntry(inside[0].Name())
			}
		}
		if !d.Valid() || keep(d) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(c.dir, e.Name())); err != nil {
			return removed, fmt.Errorf("removing artifact %s: %w", d.Short(), err)
		}
		removed++
	}
	return removed, nil
}

// An artifact's entry in the cache is a directory with its files in one below, so that the list
// of them lies beside them.
func entryName(d andon.Digest) string { return strings.Replace(string(d), ":", "-", 1) }

func digestOfEntry(name string) andon.Digest {
	return andon.Digest(strings.Replace(name, "-", ":", 1))
}

func (c *Cache) path(d andon.Digest) string { return filepath.Join(c.dir, entryName(d)) }

func (c *Cache) content(d andon.Digest) string { return filepath.Join(c.path(d), contentDir) }

func (c *Cache) join(d andon.Digest) (p *pull, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.pulling[d]; ok {
		return p, false
	}
	p = &pull{done: make(chan struct{})}
	c.pulling[d] = p
	return p, true
}

func (c *Cache) leave(d andon.Digest, p *pull) {
	c.mu.Lock()
	delete(c.pulling, d)
	c.mu.Unlock()
	close(p.done)
}

// fetch unpacks the artifact beside its place and moves it there when it is complete and on disk.
func (c *Cache) fetch(ctx context.Context, registry Remote, service andon.ServiceName, d andon.Digest) error {
	ctx, cancel := context.WithTimeout(ctx, transferTimeout)
	defer cancel()
	temporary, err := os.MkdirTemp(c.dir, pullingPrefix+"*")
	if err != nil {
		return diskError("the artifact cannot be unpacked", err)
	}
	defer func() { _ = os.RemoveAll(temporary) }() // OpenCache removes what stays
	if err := os.Mkdir(filepath.Join(temporary, contentDir), 0o755); err != nil {
		return diskError("the artifact cannot be unpacked", err)
	}
	if err := fetchLayers(ctx, registry, service, d, filepath.Join(temporary, contentDir)); err != nil {
		return err
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	if err := writeListing(temporary); err != nil {
		return diskError("the artifact cannot be unpacked", err)
	}
	if err := syncTree(temporary); err != nil {
		return diskError("the artifact cannot be unpacked", err)
	}
	return os.Rename(temporary, c.path(d))
}

func fetchLayers(ctx context.Context, registry Remote, service andon.ServiceName, d andon.Digest, to string) error {
	repo, err := registry.repository(service)
	if err != nil {
		return err
	}
	data, err := patientManifest(ctx, repo, d)
	if err != nil {
		return err
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(data, &manifest); err != nil || len(manifest.Layers) == 0 || len(manifest.Layers) > maxLayers {
		return andon.Errorf(andon.KindInvalid, "artifact %s is not an image with 1 to %d layers", d, maxLayers)
	}
	left := room{bytes: maxSize, files: maxFiles}
	for _, layer := range manifest.Layers {
		body, err := repo.Blobs().Fetch(ctx, layer)
		if err != nil {
			return registryError("fetched", d, err)
		}
		watched := &watchedReader{from: body}
		err = unpack(ctx, watched, layer, to, &left)
		body.Close()
		switch {
		case err != nil && watched.err != nil:
			return registryError("fetched", d, watched.err)
		case err != nil:
			return corrupt(d, err)
		}
	}
	return nil
}

// corrupt names the artifact in an error about its content.
func corrupt(d andon.Digest, err error) error {
	e, ok := errors.AsType[*andon.Error](err)
	if !ok {
		return fmt.Errorf("unpacking artifact %s: %w", d.Short(), err)
	}
	return andon.Errorf(e.Kind, "artifact %s: %s", d.Short(), e.Message).WithHint("%s", e.Hint).Because(e.Cause)
}

// A watchedReader remembers why its source ended, so that a connection that broke is not taken
// for content that is damaged.
type watchedReader struct {
	from io.Reader
	err  error
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
