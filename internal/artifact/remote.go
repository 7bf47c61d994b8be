package artifact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// transferTimeout bounds the push or pull of one artifact.
	transferTimeout = 15 * time.Minute
	// maxManifest bounds what is read of a manifest.
	maxManifest = 4 << 20
)

// A Remote is a registry and the token that opens it.
type Remote struct {
	URL   string // http://127.0.0.1:8600
	Token string
	// Client sends the requests; nil: http.DefaultClient.
	Client *http.Client
}

func (r Remote) repository(service andon.ServiceName) (*remote.Repository, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" {
		return nil, andon.Errorf(andon.KindInvalid, "the address of the registry is not a URL")
	}
	repo, err := remote.NewRepository(u.Host + "/" + string(service))
	if err != nil {
		return nil, andon.Errorf(andon.KindInvalid, "%q is not the name of a repository", service).Because(err)
	}
	repo.PlainHTTP = u.Scheme == "http"
	client := http.DefaultClient
	if r.Client != nil {
		client = r.Client
	}
	signed := *client
	signed.Transport = signedIn{token: r.Token, host: u.Host, next: client.Transport}
	repo.Client = &signed
	return repo, nil
}

// signedIn sends the token with each request: the registry is the plant's own, so there is nothing
// to negotiate. No other host gets it, neither one that an answer redirects to nor one that the
// registry names as the place to upload to.
type signedIn struct {
	token, host string
	next        http.RoundTripper // nil: the default one
}

func (s signedIn) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.token != "" && r.URL.Host == s.host {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	if s.next != nil {
		return s.next.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// Push stores a packed artifact under its digest and a tag. What the registry has is not sent again.
func Push(ctx context.Context, registry Remote, service andon.ServiceName, tag string, p *Packed) (andon.Artifact, error) {
	ctx, cancel := context.WithTimeout(ctx, transferTimeout)
	defer cancel()
	repo, err := registry.repository(service)
	if err != nil {
		return andon.Artifact{}, err
	}
	for try := 1; ; try++ {
		err := p.push(ctx, repo, tag)
		if err == nil {
			return andon.Artifact{Digest: p.Digest, Size: p.Size}, nil
		}
		if err = registryError("stored", p.Digest, err); try == tries || !again(ctx, err, try) {
			return andon.Artifact{}, err
		}
	}
}

// tries is how often a registry is asked that does not answer: a restart of the plant is short.
const tries = 4

// again reports, after a pause, whether the same may succeed now.
func again(ctx context.Context, err error, try int) bool {
	if andon.KindOf(err) != andon.KindUnreachable {
		return false
	}
	pause := time.NewTimer(time.Duration(try*try) * 250 * time.Millisecond)
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// push sends what the repository does not have, the manifest last: who finds it finds all of it.
func (p *Packed) push(ctx context.Context, repo *remote.Repository, tag string) error {
	layer := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: digest.Digest(p.layer), Size: p.Size}
	if err := pushLayer(ctx, repo, layer, p.file); err != nil {
		return err
	}
	config := descriptor(ocispec.MediaTypeImageConfig, p.config)
	if err := pushOnce(ctx, repo, config, bytes.NewReader(p.config)); err != nil {
		return err
	}
	manifest := descriptor(ocispec.MediaTypeImageManifest, p.manifest)
	return repo.PushReference(ctx, manifest, bytes.NewReader(p.manifest), tag)
}

func pushLayer(ctx context.Context, repo *remote.Repository, layer ocispec.Descriptor, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return pushOnce(ctx, repo, layer, f)
}

func pushOnce(ctx context.Context, repo *remote.Repository, what ocispec.Descriptor, from io.Reader) error {
	if ok, err := repo.Blobs().Exists(ctx, what); err == nil && ok {
		return nil
	}
	err := repo.Blobs().Push(ctx, what, from)
	if errors.Is(err, errdef.ErrAlreadyExists) {
		return nil
	}
	return err
}

// fetchManifest returns the manifest of an artifact, verified against its digest.
func fetchManifest(ctx context.Context, repo *remote.Repository, d andon.Digest) ([]byte, error) {
	what, body, err := repo.FetchReference(ctx, string(d))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if what.Size > maxManifest {
		return nil, fmt.Errorf("the manifest has %d bytes", what.Size)
	}
	what.Digest = digest.Digest(d)
	data, err := content.ReadAll(body, what)
	if errors.Is(err, content.ErrMismatchedDigest) {
		return nil, corrupt(d, damaged(err))
	}
	return data, err
}

// registryError says what could not be done with which artifact.
func registryError(done string, d andon.Digest, err error) error {
	if _, ok := errors.AsType[*andon.Error](err); ok {
		return err
	}
	if errors.Is(err, errdef.ErrNotFound) {
		return andon.Errorf(andon.KindNotFound, "the registry has no artifact %s", d).
			WithHint("it was removed, or never built: push a commit, which is built anew").Because(err)
	}
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return andon.Errorf(andon.KindSignIn, "artifact %s could not be %s: the registry refuses the token", d.Short(), done).
				WithHint("give the agent a token that is valid").Because(err)
		case http.StatusInsufficientStorage, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
			return andon.Errorf(andon.KindUnavailable, "artifact %s could not be %s: the registry cannot take it now", d.Short(), done).
				WithHint("make room on the registry's disk").Because(err)
		}
	}
	return andon.Errorf(andon.KindUnreachable, "artifact %s could not be %s: the registry does not answer as it should", d.Short(), done).Because(err)
}
