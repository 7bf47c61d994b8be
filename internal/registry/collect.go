package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/andon-cd/andon/internal/andon"
)

// uploadAge is after how long an upload that nobody goes on with is dropped.
const uploadAge = 24 * time.Hour

// Collect deletes the manifests that keep does not want, and everything that no manifest refers
// to, and returns how many bytes that freed. What is younger than the grace stays. Manifests that
// are pushed meanwhile wait until it has ended; everything else goes on.
func (r *Registry) Collect(ctx context.Context, keep func(repository string, manifest andon.Digest) bool) (freed int64, err error) {
	r.collecting.Lock()
	defer r.collecting.Unlock()
	c := collection{
		Registry: r, ctx: ctx, keep: keep, before: time.Now().Add(-r.grace),
		needed: map[digest.Digest]bool{}, followed: map[digest.Digest]bool{},
	}
	if err := c.mark(); err != nil {
		return 0, fmt.Errorf("finding what the registry must keep: %w", err)
	}
	if err := c.sweep(); err != nil {
		return c.freed, fmt.Errorf("deleting from the registry: %w", err)
	}
	if len(c.repos) == 0 {
		return c.freed, nil // there may be no directory to look for uploads in
	}
	_, failed := storage.PurgeUploads(ctx, r.driver, time.Now().Add(-uploadAge), true)
	return c.freed, errors.Join(slices.DeleteFunc(failed, isPassing)...)
}

// isPassing reports whether an error of PurgeUploads, which the library gives as text alone, says that
// an upload was no more when it was looked at: it has ended meanwhile.
func isPassing(err error) bool { return strings.Contains(err.Error(), "Path not found") }

// A collection is one run of Collect.
type collection struct {
	*Registry
	ctx    context.Context
	keep   func(string, andon.Digest) bool
	before time.Time // what is younger stays

	needed   map[digest.Digest]bool // manifests and blobs
	followed map[digest.Digest]bool // manifests whose references are marked
	repos    []repository
	freed    int64
}

type repository struct {
	distribution.Repository
	manifests []digest.Digest
	layers    []digest.Digest
}

// mark finds what is there and what is needed: the manifests that are wanted or young, and all
// that they refer to.
func (c *collection) mark() error {
	repositories, ok := c.content.(distribution.RepositoryEnumerator)
	if !ok {
		return errors.New("the library cannot list repositories")
	}
	err := repositories.Enumerate(c.ctx, func(name string) error {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		return c.markRepository(name)
	})
	if isMissing(err) {
		return nil // nothing was ever pushed
	}
	return err
}

func (c *collection) markRepository(name string) error {
	named, err := reference.WithName(name)
	if err != nil {
		return err
	}
	opened, err := c.content.Repository(c.ctx, named)
	if err != nil {
		return err
	}
	repo := repository{Repository: opened}
	manifests, err := opened.Manifests(c.ctx)
	if err != nil {
		return err
	}
	if repo.manifests, err = list(c.ctx, manifests); err != nil {
		return err
	}
	if repo.layers, err = list(c.ctx, opened.Blobs(c.ctx)); err != nil {
		return err
	}
	for _, d := range repo.manifests {
		if c.isYoung(d) || c.keep(name, andon.Digest(d)) {
			if err := c.markManifest(manifests, d); err != nil {
				return err
			}
		}
	}
	c.repos = append(c.repos, repo)
	return nil
}

// list returns the digests of a store of the library that can list them.
func list(ctx context.Context, from any) (all []digest.Digest, err error) {
	enumerator, ok := from.(distribution.ManifestEnumerator)
	if !ok {
		return nil, fmt.Errorf("the library cannot list %T", from)
	}
	err = enumerator.Enumerate(ctx, func(d digest.Digest) error {
		all = append(all, d)
		return nil
	})
	if isMissing(err) {
		err = nil
	}
	return all, err
}

// markManifest marks a manifest and everything that it refers to, other manifests included.
func (c *collection) markManifest(manifests distribution.ManifestService, d digest.Digest) error {
	if c.followed[d] {
		return nil
	}
	c.needed[d] = true
	manifest, err := manifests.Get(c.ctx, d)
	if isMissing(err) {
		return nil // a blob, or a manifest that another repository has
	}
	if err != nil {
		return fmt.Errorf("manifest %s: %w", d, err)
	}
	c.followed[d] = true
	for _, child := range manifest.References() {
		if isManifest(child.MediaType) {
			if err := c.markManifest(manifests, child.Digest); err != nil {
				return err
			}
		}
		c.needed[child.Digest] = true
	}
	return nil
}

func isManifest(mediaType string) bool {
	switch mediaType {
	case v1.MediaTypeImageManifest, v1.MediaTypeImageIndex,
		"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json":
		return true
	}
	return false
}

// sweep deletes what is not needed: the tags and manifests, the links to blobs, then the blobs.
func (c *collection) sweep() error {
	vacuum := storage.NewVacuum(c.ctx, c.driver)
	for _, repo := range c.repos {
		if err := c.sweepRepository(repo, vacuum); err != nil {
			return err
		}
	}
	var old []digest.Digest
	err := c.content.Blobs().Enumerate(c.ctx, func(d digest.Digest) error {
		if !c.needed[d] && !c.isYoung(d) {
			old = append(old, d)
		}
		return nil
	})
	if err != nil && !isMissing(err) {
		return err
	}
	for _, d := range old {
		size := c.size(d)
		if err := vacuum.RemoveBlob(d.String()); err != nil && !isMissing(err) {
			return err
		}
		c.freed += size
	}
	return nil
}

func (c *collection) sweepRepository(repo repository, vacuum storage.Vacuum) error {
	name := repo.Named().Name()
	tags := repo.Tags(c.ctx)
	for _, d := range repo.manifests {
		if c.needed[d] {
			continue
		}
		named, err := tags.Lookup(c.ctx, v1.Descriptor{Digest: d})
		if err != nil && !isMissing(err) {
			return err
		}
		for _, tag := range named {
			if err := tags.Untag(c.ctx, tag); err != nil && !isMissing(err) {
				return err
			}
		}
		if err := vacuum.RemoveManifest(name, d, nil); err != nil && !isMissing(err) {
			return err
		}
	}
	for _, d := range repo.layers {
		if c.needed[d] || c.isYoung(d) {
			continue
		}
		if err := vacuum.RemoveLayer(name, d); err != nil && !isMissing(err) {
			return err
		}
	}
	return nil
}

// isYoung reports whether the content of a digest was brought, or asked for by a push, within
// the grace.
func (c *collection) isYoung(d digest.Digest) bool {
	info, err := os.Stat(c.blobFile(d))
	return err == nil && info.ModTime().After(c.before)
}

func (c *collection) size(d digest.Digest) int64 {
	info, err := os.Stat(c.blobFile(d))
	if err != nil {
		return 0
	}
	return info.Size()
}

// isMissing reports whether the library says in one of its ways that something is not there.
func isMissing(err error) bool {
	if err == nil {
		return false
	}
	if _, ok := errors.AsType[driver.PathNotFoundError](err); ok {
		return true
	}
	if _, ok := errors.AsType[distribution.ErrManifestUnknownRevision](err); ok {
		return true
	}
	if _, ok := errors.AsType[distribution.ErrRepositoryUnknown](err); ok {
		return true
	}
	if _, ok := errors.AsType[distribution.ErrTagUnknown](err); ok {
		return true
	}
	return errors.Is(err, distribution.ErrBlobUnknown) || errors.Is(err, fs.ErrNotExist)
}
