package artifact

import (
	"context"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/andon-cd/andon/internal/andon"
)

// Manifest returns the manifest of an artifact, verified against the artifact's digest.
func (r Remote) Manifest(ctx context.Context, service andon.ServiceName, d andon.Digest) ([]byte, error) {
	if !d.Valid() {
		return nil, andon.Errorf(andon.KindInvalid, "%q is not a digest", d)
	}
	repo, err := r.repository(service)
	if err != nil {
		return nil, err
	}
	return patientManifest(ctx, repo, d)
}

// Blob opens a part of an artifact that its manifest names: the configuration or a layer. What
// is read is what the registry sends: the caller verifies it against the part's digest, and
// closes it.
func (r Remote) Blob(ctx context.Context, service andon.ServiceName, part andon.Digest, size int64) (io.ReadCloser, error) {
	repo, err := r.repository(service)
	if err != nil {
		return nil, err
	}
	body, err := repo.Blobs().Fetch(ctx, ocispec.Descriptor{Digest: digest.Digest(part), Size: size})
	if err != nil {
		return nil, registryError("fetched", part, err)
	}
	return body, nil
}

// patientManifest fetches a manifest, also from a registry that is being restarted.
func patientManifest(ctx context.Context, repo *remote.Repository, d andon.Digest) ([]byte, error) {
	data, err := fetchManifest(ctx, repo, d)
	for try := 1; err != nil; try++ {
		if err = registryError("fetched", d, err); try == tries || !again(ctx, err, try) {
			return nil, err
		}
		data, err = fetchManifest(ctx, repo, d)
	}
	return data, nil
}
