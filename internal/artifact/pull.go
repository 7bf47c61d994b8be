package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
}

// OpenCache opens the cache in a directory, which it creates if it is missing. What an
// interrupted pull left there is removed.
func OpenCache(dir string) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of artifacts: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "pulling-*"))
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
// first call for a digest fetches it, verifies every byte against the digest, and unpacks it.
func (c *Cache) Pull(ctx context.Context, registry Remote, service andon.ServiceName, d andon.Digest) (string, error) {
	if !d.Valid() {
		return "", andon.Errorf(andon.KindInvalid, "%q is not a digest", d)
	}
	dir := c.path(d)
	for {
		if _, err := os.Stat(dir); err == nil {
			return dir, nil // it got its name only when it was complete
		}
		p, mine := c.join(d)
		if mine {
			p.err = c.fetch(ctx, registry, service, d, dir)
			c.leave(d, p)
			if p.err != nil {
				return "", p.err
			}
			return dir, nil
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if p.err != nil && !errors.Is(p.err, context.Canceled) {
			return "", p.err
		}
	}
}

// Collect removes the artifacts that keep does not want, and returns how many those were.
func (c *Cache) Collect(keep func(andon.Digest) bool) (removed int, err error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		d := andon.Digest(strings.Replace(e.Name(), "-", ":", 1))
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

func (c *Cache) path(d andon.Digest) string {
	return filepath.Join(c.dir, strings.Replace(string(d), ":", "-", 1))
}

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
func (c *Cache) fetch(ctx context.Context, registry Remote, service andon.ServiceName, d andon.Digest, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, transferTimeout)
	defer cancel()
	temporary, err := os.MkdirTemp(c.dir, "pulling-*")
	if err != nil {
		return diskError("the artifact cannot be unpacked", err)
	}
	defer os.RemoveAll(temporary)
	if err := fetchLayers(ctx, registry, service, d, temporary); err != nil {
		return err
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	if err := syncTree(temporary); err != nil {
		return diskError("the artifact cannot be unpacked", err)
	}
	return os.Rename(temporary, dir)
}

func fetchLayers(ctx context.Context, registry Remote, service andon.ServiceName, d andon.Digest, to string) error {
	repo, err := registry.repository(service)
	if err != nil {
		return err
	}
	data, err := fetchManifest(ctx, repo, d)
	if err != nil {
		return registryError("fetched", d, err)
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(data, &manifest); err != nil || len(manifest.Layers) == 0 {
		return andon.Errorf(andon.KindInvalid, "artifact %s is not an image with layers", d)
	}
	for _, layer := range manifest.Layers {
		body, err := repo.Blobs().Fetch(ctx, layer)
		if err != nil {
			return registryError("fetched", d, err)
		}
		err = unpack(ctx, body, layer, to)
		body.Close()
		if err != nil {
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
