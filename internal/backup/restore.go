package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// Restore makes a data directory from a backup. The directory must not exist, or be empty; when
// something is wrong with the backup, nothing of it stays.
func Restore(ctx context.Context, from io.Reader, dir string) (err error) {
	if err := empty(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".restoring-*")
	if err != nil {
		return andon.Errorf(andon.KindUnavailable, "%s cannot be written", filepath.Dir(dir)).Because(err)
	}
	defer func() { _ = os.RemoveAll(temporary) }() // it is in place, or worth nothing
	if err := unpack(ctx, from, temporary); err != nil {
		return err
	}
	for _, name := range []string{JournalFile, "format", "admin.token"} {
		if _, err := os.Stat(filepath.Join(temporary, name)); err != nil {
			return notABackup(fmt.Errorf("it has no %s", name))
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(temporary, dir)
}

func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return andon.Errorf(andon.KindUnavailable, "%s cannot be read", dir).Because(err)
	case len(entries) > 0:
		return andon.Errorf(andon.KindConflict, "%s is not empty: a plant is restored to a new directory only", dir).
			WithHint("choose another directory with --data")
	}
	return nil
}

func notABackup(err error) error {
	return andon.Errorf(andon.KindInvalid, "the file is not a complete backup of a plant").
		WithHint("take a file that `andon backup` has written to its end").Because(err)
}

func unpack(ctx context.Context, from io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	zip, err := gzip.NewReader(from)
	if err != nil {
		return notABackup(err)
	}
	archive := tar.NewReader(zip)
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			// The checksum at the end is read only when all that follows the archive is.
			if _, err := io.Copy(io.Discard, zip); err != nil { //nolint:gosec // it is kept nowhere
				return notABackup(err)
			}
			return nil
		}
		if err != nil {
			return notABackup(err)
		}
		if err := entry(root, header, archive); err != nil {
			return err
		}
	}
}

func entry(root *os.Root, header *tar.Header, from io.Reader) error {
	name := filepath.FromSlash(strings.TrimSuffix(header.Name, "/"))
	if !filepath.IsLocal(name) {
		return notABackup(fmt.Errorf("its entry %q leaves the directory", header.Name))
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o700)
	case tar.TypeReg:
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fs.FileMode(header.Mode&0o700))
		if err != nil {
			return fmt.Errorf("restoring %s: %w", name, err)
		}
		if _, err := io.Copy(f, from); err != nil {
			f.Close()
			return notABackup(err)
		}
		return errors.Join(f.Sync(), f.Close())
	default:
		return notABackup(fmt.Errorf("its entry %q is neither a file nor a directory", header.Name))
	}
}
