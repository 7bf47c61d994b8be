package artifact

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/andon-cd/andon/internal/andon"
)

// describe makes the configuration and the manifest of a layer. They hold no time, so that the
// same files give the same digest.
func (p *Packed) describe(plain andon.Digest) error {
	image := ocispec.Image{
		Platform: ocispec.Platform{Architecture: runtime.GOARCH, OS: runtime.GOOS},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.Digest(plain)}},
	}
	config, err := json.Marshal(image)
	if err != nil {
		return fmt.Errorf("encoding the image's configuration: %w", err)
	}
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    descriptor(ocispec.MediaTypeImageConfig, config),
		Layers: []ocispec.Descriptor{{
			MediaType: ocispec.MediaTypeImageLayerGzip, Digest: digest.Digest(p.layer), Size: p.Size,
		}},
	})
	if err != nil {
		return fmt.Errorf("encoding the image's manifest: %w", err)
	}
	p.config, p.manifest = config, manifest
	p.Digest = andon.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(manifest)))
	return nil
}

func descriptor(mediaType string, content []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
}
