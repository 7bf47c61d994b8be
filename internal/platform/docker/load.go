package docker

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// loadTimeout bounds how long an image is fetched and loaded.
	loadTimeout = 15 * time.Minute
	// maxImage bounds the bytes of an image's parts together, compressed.
	maxImage = 8 << 30
	// maxConfig bounds an image's configuration.
	maxConfig = 8 << 20
)

// load fetches an image's parts, verifies them and gives them to the Engine as they come. The
// Engine makes an image only of a whole archive, so none is made of what does not verify.
func (d *Driver) load(ctx context.Context, service andon.ServiceName, artifact andon.Digest, reference string, m manifest) error {
	if size := m.size(); size > maxImage || m.Config.Size > maxConfig {
		return andon.Errorf(andon.KindInvalid, "artifact %s is too large for an image: %d bytes", artifact.Short(), size)
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	from, to := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := d.writeArchive(ctx, to, service, artifact, reference, m)
		to.CloseWithError(err)
		written <- err
	}()
	loaded := d.engine.loadImage(ctx, from)
	from.CloseWithError(errAborted)
	r, refused := errors.AsType[*refusal](loaded)
	if refused {
		cancel() // nothing more is needed from the registry
	}
	if err := <-written; err != nil && !refused && !errors.Is(err, errAborted) {
		return err
	}
	switch {
	case loaded == nil:
		return nil
	case refused && !strings.Contains(r.message, "no space left"):
		return andon.Errorf(andon.KindInvalid, "artifact %s is not an image that the container engine takes: %s", artifact.Short(), firstLine(r.message)).Because(loaded)
	}
	return told(loaded, "image "+artifact.Short()+" cannot be loaded")
}

// errAborted says that the Engine reads no further.
var errAborted = errors.New("the container engine has stopped reading")

func (m manifest) size() int64 {
	size := m.Config.Size
	for _, layer := range m.Layers {
		size += min(layer.Size, maxImage+1)
	}
	return size
}

// writeArchive writes an image as an archive in both of the forms that engines read: the OCI
// layout, and Docker's manifest.json.
func (d *Driver) writeArchive(ctx context.Context, to io.Writer, service andon.ServiceName, artifact andon.Digest, reference string, m manifest) error {
	a := &archive{tar: tar.NewWriter(to), has: make(map[andon.Digest]bool)}
	parts := append([]ocispec.Descriptor{m.Config}, m.Layers...)
	for _, p := range parts {
		part := andon.Digest(p.Digest)
		if a.has[part] {
			continue
		}
		body, err := d.config.Registry.Blob(ctx, service, part, p.Size)
		if err != nil {
			return err
		}
		err = a.part(artifact, part, p.Size, body)
		body.Close()
		if err != nil {
			return err
		}
	}
	if err := a.file(blobName(artifact), m.raw); err != nil {
		return err
	}
	layout, index, docker, err := m.tables(artifact, reference)
	if err != nil {
		return err
	}
	return errors.Join(a.file(ocispec.ImageLayoutFile, layout), a.file(ocispec.ImageIndexFile, index), a.file("manifest.json", docker), a.tar.Close())
}

// tables are the documents that say what an archive contains.
func (m manifest) tables(artifact andon.Digest, reference string) (layout, index, docker []byte, err error) {
	layout, err = json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return nil, nil, nil, err
	}
	described := ocispec.Descriptor{
		MediaType: m.MediaType, Digest: digest.Digest(artifact), Size: int64(len(m.raw)),
		Annotations: map[string]string{"io.containerd.image.name": "docker.io/" + reference, ocispec.AnnotationRefName: path.Base(reference)},
	}
	index, err = json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{described},
	})
	if err != nil {
		return nil, nil, nil, err
	}
	layers := make([]string, 0, len(m.Layers))
	for _, layer := range m.Layers {
		layers = append(layers, blobName(andon.Digest(layer.Digest)))
	}
	docker, err = json.Marshal([]struct {
		Config   string
		RepoTags []string
		Layers   []string
	}{{blobName(andon.Digest(m.Config.Digest)), []string{reference}, layers}})
	return layout, index, docker, err
}

func blobName(d andon.Digest) string {
	return "blobs/sha256/" + strings.TrimPrefix(string(d), "sha256:")
}

// An archive is one that is being written.
type archive struct {
	tar *tar.Writer
	has map[andon.Digest]bool
}

func (a *archive) file(name string, content []byte) error {
	if err := a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := a.tar.Write(content)
	return err
}

// part copies a part of an artifact from the registry, and verifies it.
func (a *archive) part(artifact, part andon.Digest, size int64, from io.Reader) error {
	if err := a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: blobName(part), Mode: 0o644, Size: size}); err != nil {
		return err
	}
	a.has[part] = true
	sum := sha256.New()
	source := &source{from: io.LimitReader(from, size)}
	n, err := io.Copy(io.MultiWriter(a.tar, sum), source)
	switch {
	case source.err != nil:
		return andon.Errorf(andon.KindUnreachable, "artifact %s could not be fetched: the connection to the registry broke", artifact.Short()).Because(source.err)
	case err != nil:
		return err
	case n != size || fmt.Sprintf("sha256:%x", sum.Sum(nil)) != string(part):
		return damaged(artifact, "its part "+part.Short())
	}
	return nil
}

// A source remembers why it ended, so that a broken connection is told from a broken archive.
type source struct {
	from io.Reader
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
