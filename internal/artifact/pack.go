package artifact

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// maxSize bounds the files of one artifact together, in bytes before compression.
	maxSize = 8 << 30
	// maxFiles bounds how many there are.
	maxFiles = 500_000
	// gitDir is never part of an artifact: it differs each time, and is not what was built.
	gitDir = ".git"
)

// Packed is an artifact that was packed and not yet pushed. Its layer is a file in the spool
// directory that Close removes.
type Packed struct {
	Digest   andon.Digest // of the manifest: the artifact's own
	Size     int64        // bytes of the layer, compressed
	Files    int
	manifest []byte
	config   []byte
	layer    andon.Digest
	file     string
}

// Close removes what the packing left on disk.
func (p *Packed) Close() error { return os.Remove(p.file) }

// Pack packs what a job made at a path of its checkout: the content of a directory, or one file.
// Nothing outside the checkout is ever read, whatever the path and the links in it say, and
// nothing named .git. The layer is written to the spool directory, in memory there are only
// buffers. What is wrong with the files is an error of kind andon.KindInvalid.
func Pack(ctx context.Context, checkout string, source andon.ArtifactSource, spool string) (*Packed, error) {
	name := path.Clean(source.Path)
	root, err := os.OpenRoot(checkout)
	if err != nil {
		return nil, fmt.Errorf("opening the checkout: %w", err)
	}
	defer root.Close()
	if !filepath.IsLocal(name) || slices.Contains(strings.Split(name, "/"), gitDir) {
		return nil, outside(name)
	}
	info, err := root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, andon.Errorf(andon.KindInvalid, "the artifact %s does not exist after the job %s", name, source.Job).
			WithHint("let a step of that job make it, or correct commit.artifact.path or commit.artifact.job")
	case err != nil:
		return nil, outside(name).Because(err)
	}
	file, err := os.CreateTemp(spool, "layer-*")
	if err != nil {
		return nil, diskError("the artifact cannot be packed", err)
	}
	p := &Packed{file: file.Name()}
	diff, err := p.writeLayer(ctx, root, name, info, file)
	if err = errors.Join(err, file.Close()); err != nil {
		_ = p.Close()
		return nil, err
	}
	if err := p.describe(diff); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

func outside(name string) *andon.Error {
	return andon.Errorf(andon.KindInvalid, "the artifact %s leaves the checkout", name).
		WithHint("an artifact is a path inside the checkout, and no link in it leads out")
}

// writeLayer writes the compressed layer and returns the digest of the uncompressed one.
func (p *Packed) writeLayer(ctx context.Context, root *os.Root, name string, info fs.FileInfo, to io.Writer) (andon.Digest, error) {
	compressedSum, plainSum := sha256.New(), sha256.New()
	counted := &counter{}
	buffered := bufio.NewWriterSize(io.MultiWriter(to, compressedSum, counted), 256<<10)
	zip, err := gzip.NewWriterLevel(buffered, gzip.BestSpeed)
	if err != nil {
		return "", err
	}
	w := &layerWriter{ctx: ctx, tar: tar.NewWriter(io.MultiWriter(zip, plainSum))}
	if info.IsDir() {
		err = w.directory(root, name)
	} else {
		err = w.single(root, name, info)
	}
	if err != nil {
		return "", err
	}
	if err := errors.Join(w.tar.Close(), zip.Close(), buffered.Flush()); err != nil {
		return "", diskError("the artifact cannot be packed", err)
	}
	if w.files == 0 {
		return "", andon.Errorf(andon.KindInvalid, "the artifact %s is empty", name).WithHint("let a step of the job write files to it")
	}
	p.layer, p.Size, p.Files = digestOf(compressedSum), counted.n, w.files
	return digestOf(plainSum), nil
}

// A layerWriter writes files in the one order and form that give the same bytes each time.
type layerWriter struct {
	ctx   context.Context
	tar   *tar.Writer
	files int
	size  int64
}

func (w *layerWriter) single(root *os.Root, name string, info fs.FileInfo) error {
	return w.add(root, name, path.Base(filepath.ToSlash(name)), info)
}

func (w *layerWriter) directory(root *os.Root, name string) error {
	top, err := root.OpenRoot(name)
	if err != nil {
		return outside(name).Because(err)
	}
	defer top.Close()
	return fs.WalkDir(top.FS(), ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("reading %s: %w", file, err)
		case w.ctx.Err() != nil:
			return w.ctx.Err()
		case file == ".":
			return nil
		case entry.Name() == gitDir && entry.IsDir():
			return fs.SkipDir
		case entry.Name() == gitDir:
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		return w.add(top, file, file, info)
	})
}

// add writes one file, directory or link under a name.
func (w *layerWriter) add(root *os.Root, file, name string, info fs.FileInfo) error {
	header := &tar.Header{Name: name, ModTime: time.Unix(0, 0).UTC(), Format: tar.FormatPAX}
	switch mode := info.Mode(); {
	case mode.IsDir():
		header.Typeflag, header.Name, header.Mode = tar.TypeDir, name+"/", 0o755
	case mode.IsRegular():
		header.Typeflag, header.Size, header.Mode = tar.TypeReg, info.Size(), 0o644
		if mode&0o111 != 0 {
			header.Mode = 0o755
		}
	case mode&fs.ModeSymlink != 0:
		target, err := root.Readlink(file)
		if err != nil {
			return fmt.Errorf("reading the link %s: %w", file, err)
		}
		if !linkStaysInside(root, name, target) {
			return andon.Errorf(andon.KindInvalid, "the link %s in the artifact leads out of it, to %s", name, target).
				WithHint("make it relative and keep its target inside the artifact")
		}
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, target, 0o777
	default:
		return andon.Errorf(andon.KindInvalid, "%s in the artifact is neither a file, a directory nor a link", name)
	}
	w.files++
	w.size += header.Size
	if w.files > maxFiles || w.size > maxSize {
		return andon.Errorf(andon.KindInvalid, "the artifact is too large: at most %d files and %d bytes", maxFiles, int64(maxSize))
	}
	if err := w.tar.WriteHeader(header); err != nil {
		return diskError("the artifact cannot be packed", err)
	}
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	return w.content(root, file, header.Size)
}

func (w *layerWriter) content(root *os.Root, file string, size int64) error {
	f, err := root.Open(file)
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	defer f.Close()
	n, err := io.Copy(w.tar, io.LimitReader(f, size))
	if err != nil {
		return diskError("the artifact cannot be packed", err)
	}
	if n != size {
		return andon.Errorf(andon.KindInvalid, "%s changed while it was packed", file).WithHint("let no process of the job outlive its steps")
	}
	return nil
}

// linkStaysInside reports whether the link at a name below a root points to something below that
// root, or to nothing. The text of the target alone does not tell: its way may lead through
// other links. The root itself refuses to follow them out.
func linkStaysInside(root *os.Root, name, target string) bool {
	if path.IsAbs(target) {
		return false
	}
	if to := path.Join(path.Dir(name), target); to == ".." || strings.HasPrefix(to, "../") {
		return false
	}
	_, err := root.Stat(name)
	return err == nil || errors.Is(err, fs.ErrNotExist)
}

// diskError says that the disk is full where that is the reason.
func diskError(what string, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return andon.Errorf(andon.KindUnavailable, "%s: the disk is full", what).WithHint("make room and rerun").Because(err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func digestOf(h hash.Hash) andon.Digest {
	return andon.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
}

// A counter counts the bytes written to it.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
