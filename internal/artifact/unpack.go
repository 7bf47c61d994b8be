package artifact

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"

	"github.com/andon-cd/andon/internal/andon"
)

// A room is what may still be unpacked of an artifact.
type room struct {
	bytes int64 // of the content of files
	files int
}

// unpack writes the files of a compressed layer below a directory. Every byte is verified before
// unpack returns nil; no name, link or size in the layer reaches outside or past the room, which
// it takes from.
func unpack(ctx context.Context, from io.Reader, layer ocispec.Descriptor, to string, left *room) error {
	root, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer root.Close()
	verified := content.NewVerifyReader(from, layer)
	if err := unpackVerified(ctx, bufio.NewReaderSize(verified, 256<<10), root, left); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, verified); err != nil {
		return damaged(err)
	}
	if err := verified.Verify(); err != nil {
		return damaged(err)
	}
	return nil
}

func damaged(err error) error {
	return andon.Errorf(andon.KindInvalid, "its content is not what its digest says").
		WithHint("the registry's disk damaged it: push a commit, whose build replaces it, or restore a backup").Because(err)
}

func unpackVerified(ctx context.Context, from io.Reader, root *os.Root, left *room) error {
	zip, err := gzip.NewReader(from)
	if err != nil {
		return damaged(err)
	}
	u := unpacker{root: root, left: left}
	// What is not content is bounded too: the headers, and what an entry holds that is no file.
	archive := tar.NewReader(io.LimitReader(zip, left.bytes+maxHeaders))
	for ; left.files >= 0; left.files-- {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return u.checkLinks()
		}
		if err != nil {
			return damaged(err)
		}
		if err := u.entry(header, archive); err != nil {
			return err
		}
	}
	return andon.Errorf(andon.KindInvalid, "it has more than %d files", maxFiles)
}

const (
	// maxHeaders bounds the bytes of an unpacked layer besides the content of its files.
	maxHeaders = 1 << 30
	// maxLayers bounds the layers of an artifact. Our own have one.
	maxLayers = 128
)

// An unpacker writes entries below its root, as long as there is room.
type unpacker struct {
	root  *os.Root
	left  *room
	links []string
}

// checkLinks refuses links that lead out. Where one leads is known only when all others are there;
// until then the root keeps us from following it.
func (u *unpacker) checkLinks() error {
	for _, name := range u.links {
		target, err := u.root.Readlink(name)
		if err != nil {
			return err
		}
		if !linkStaysInside(u.root, name, target) {
			return andon.Errorf(andon.KindInvalid, "its link %q leaves the artifact", name)
		}
	}
	return nil
}

func (u *unpacker) entry(h *tar.Header, from io.Reader) error {
	name := path.Clean(h.Name)
	if !filepath.IsLocal(name) || strings.ContainsRune(name, 0) {
		return andon.Errorf(andon.KindInvalid, "its entry %q leaves the artifact", h.Name)
	}
	if name == "." {
		return nil
	}
	if dir := path.Dir(name); dir != "." {
		if err := u.root.MkdirAll(dir, 0o755); err != nil {
			return diskError("the artifact cannot be unpacked", err)
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return u.root.MkdirAll(name, 0o755)
	case tar.TypeReg:
		return u.file(name, h, from)
	case tar.TypeSymlink:
		u.links = append(u.links, name)
		return u.root.Symlink(h.Linkname, name)
	default:
		return andon.Errorf(andon.KindInvalid, "its entry %q is neither a file, a directory nor a link", h.Name)
	}
}

// file writes one file, which nobody may write to afterwards: several copies run from it, and
// what was tested stays what runs.
func (u *unpacker) file(name string, h *tar.Header, from io.Reader) error {
	if h.Size > u.left.bytes {
		return andon.Errorf(andon.KindInvalid, "it unpacks to more than %d bytes", int64(maxSize))
	}
	u.left.bytes -= h.Size
	mode := fs.FileMode(0o444)
	if h.Mode&0o111 != 0 {
		mode = 0o555
	}
	f, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return diskError("the artifact cannot be unpacked", err)
	}
	watched := &watchedReader{from: from}
	_, err = io.Copy(f, watched)
	err = errors.Join(err, f.Close())
	if watched.err != nil {
		return damaged(watched.err)
	}
	if err != nil {
		return diskError("the artifact cannot be unpacked", err)
	}
	return nil
}
