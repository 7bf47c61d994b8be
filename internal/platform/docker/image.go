package docker

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/andon-cd/andon/internal/andon"
)

// maxLayers bounds the layers of an image.
const maxLayers = 128

// provide makes sure that the Engine has the image of an artifact, and returns it.
//
// The Engine never pulls. The driver fetches the parts, verifies each against its digest, and
// loads them: so a registry on plain HTTP needs no setting of the Engine, its token stays with
// the agent, and Docker and Podman behave alike. The Engine names the image after its
// configuration, which names each layer after its content (or after the manifest, with Docker's
// containerd store), and containers are made from that name: what runs is what was asked for.
func (d *Driver) provide(ctx context.Context, service andon.ServiceName, artifact andon.Digest) (image, error) {
	if !artifact.Valid() {
		return image{}, andon.Errorf(andon.KindInvalid, "%q is not a digest", artifact)
	}
	release, err := d.turns.take(ctx, "image "+string(artifact))
	if err != nil {
		return image{}, err
	}
	defer release()
	manifest, err := d.manifest(ctx, service, artifact)
	if err != nil {
		return image{}, err
	}
	reference := d.reference(service, artifact)
	img, err := d.engine.image(ctx, reference)
	switch {
	case err == nil && manifest.names(img, artifact):
		return img, nil
	case err != nil && !refusedWith(err, http.StatusNotFound):
		return image{}, told(err, "image "+artifact.Short()+" cannot be looked for")
	}
	if err := d.load(ctx, service, artifact, reference, manifest); err != nil {
		return image{}, err
	}
	img, err = d.engine.image(ctx, reference)
	if err != nil {
		return image{}, told(err, "image "+artifact.Short()+" cannot be found after it was loaded")
	}
	if !manifest.names(img, artifact) {
		return image{}, andon.Errorf(andon.KindInvalid, "the container engine made another image, %s, of artifact %s", andon.Digest(img.ID).Short(), artifact.Short()).
			WithHint("Andon runs nothing but what was tested. See which image store the engine uses: Docker's own, its containerd store and Podman's work.")
	}
	return img, nil
}

// reference is the name under which the Engine keeps an image for this plant.
func (d *Driver) reference(service andon.ServiceName, artifact andon.Digest) string {
	return d.repository() + string(service) + ":" + strings.TrimPrefix(string(artifact), "sha256:")
}

func (d *Driver) repository() string { return "andon-" + d.plant + "/" }

// A manifest says of which parts an image consists.
type manifest struct {
	raw       []byte
	MediaType string               `json:"mediaType"`
	Config    ocispec.Descriptor   `json:"config"`
	Layers    []ocispec.Descriptor `json:"layers"`
}

// names reports whether the manifest of an artifact is that of an image.
func (m manifest) names(img image, artifact andon.Digest) bool {
	return img.ID == string(m.Config.Digest) || img.ID == string(artifact)
}

// manifest returns the manifest of an artifact. It is kept, so that a copy whose image is here
// starts without the registry.
func (d *Driver) manifest(ctx context.Context, service andon.ServiceName, artifact andon.Digest) (manifest, error) {
	path := filepath.Join(d.config.Dir, imagesDir, strings.TrimPrefix(string(artifact), "sha256:"))
	raw, err := os.ReadFile(path)
	if err != nil || digestOf(raw) != artifact {
		raw, err = d.config.Registry.Manifest(ctx, service, artifact)
		if err != nil {
			return manifest{}, err
		}
		if digestOf(raw) != artifact {
			return manifest{}, damaged(artifact, "its manifest")
		}
		if err := replaceFile(path, raw); err != nil {
			return manifest{}, andon.Errorf(andon.KindUnavailable, "the manifest of artifact %s cannot be kept", artifact.Short()).Because(err)
		}
	}
	m := manifest{raw: raw}
	if err := json.Unmarshal(raw, &m); err != nil || len(m.Layers) == 0 || len(m.Layers) > maxLayers || !valid(m.Config) {
		return manifest{}, andon.Errorf(andon.KindInvalid, "artifact %s is not an image with 1 to %d layers", artifact.Short(), maxLayers)
	}
	for _, layer := range m.Layers {
		if !valid(layer) {
			return manifest{}, andon.Errorf(andon.KindInvalid, "artifact %s is not an image: its layer %q has no digest", artifact.Short(), layer.Digest)
		}
	}
	return m, nil
}

func valid(part ocispec.Descriptor) bool {
	return andon.Digest(part.Digest).Valid() && part.Size >= 0
}

func digestOf(b []byte) andon.Digest {
	return andon.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(b)))
}

// damaged is the error about content that is not what its digest says: fetching it again would
// give the same.
func damaged(artifact andon.Digest, what string) error {
	return andon.Errorf(andon.KindInvalid, "artifact %s is damaged: %s is not what its digest says", artifact.Short(), what).
		WithHint("The registry's disk damaged it: push a commit, whose build replaces it, or restore a backup.")
}

// Collect removes the images of artifacts that keep does not want, and returns how many those
// were. An image that a container uses stays until the next call. It may be called while copies
// are started: an image that goes too early is loaded again.
func (d *Driver) Collect(ctx context.Context, keep func(andon.Digest) bool) (removed int, err error) {
	references, err := d.engine.references(ctx, d.repository()+"*")
	if err != nil {
		return 0, told(err, "images cannot be listed")
	}
	for _, reference := range references {
		_, hex, _ := strings.Cut(reference, ":")
		artifact := andon.Digest("sha256:" + hex)
		if !strings.HasPrefix(reference, d.repository()) || !artifact.Valid() || keep(artifact) {
			continue
		}
		err := d.engine.removeImage(ctx, reference)
		if refusedWith(err, http.StatusConflict) {
			continue // in use
		}
		if err != nil {
			return removed, told(err, "image "+artifact.Short()+" cannot be removed")
		}
		if err := os.Remove(filepath.Join(d.config.Dir, imagesDir, hex)); err != nil && !os.IsNotExist(err) {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
