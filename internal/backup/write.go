// Package backup writes a plant to one file while it runs, and makes a data directory from such a
// file again.
//
// The file is a compressed tar of the journal, the repositories, the artifacts, the logs, and the
// tokens: whoever has it has the plant. What can be made again is left out: read models, unpacked
// artifacts, running copies.
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

	"github.com/andon-cd/andon/internal/journal"
)

// JournalFile is the name of the journal in the file.
const JournalFile = "journal.db"

// Members are the files and directories of a data directory that a backup holds besides the
// journal. The journal comes first: everything that its events speak of is there before them.
func Members() []string {
	return []string{"format", "admin.token", "agent.token", "webhook.secret", "announced.json", "ca", "secrets", "git", "registry", "logs"}
}

// passes bounds how often a directory is read again because files of it vanished: git packs loose
// files together now and then.
const passes = 5

// Write writes the plant in a data directory. The caller keeps sweeps away meanwhile.
func Write(ctx context.Context, to io.Writer, j journal.Journal, dir string) error {
	zip, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
	if err != nil {
		return err
	}
	w := &writer{ctx: ctx, tar: tar.NewWriter(zip), written: map[string]bool{}}
	if err := w.journal(j, dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, member := range Members() {
		if err := w.member(root, member); err != nil {
			return fmt.Errorf("backing up %s: %w", member, err)
		}
	}
	return errors.Join(w.tar.Close(), zip.Close())
}

type writer struct {
	ctx     context.Context
	tar     *tar.Writer
	written map[string]bool
}

// journal writes a consistent copy of the journal, made beside it on the same disk.
func (w *writer) journal(j journal.Journal, dir string) error {
	temporary, err := os.MkdirTemp(dir, "backup-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temporary) }() // the archive has it, or is worth nothing
	if err := j.Backup(w.ctx, filepath.Join(temporary, JournalFile)); err != nil {
		return err
	}
	root, err := os.OpenRoot(temporary)
	if err != nil {
		return err
	}
	defer root.Close()
	_, err = w.add(root, JournalFile)
	return err
}

// member writes a file or everything below a directory, again as long as something vanished that
// may stand elsewhere now.
func (w *writer) member(root *os.Root, name string) error {
	for range passes {
		vanished := false
		err := fs.WalkDir(root.FS(), name, func(file string, _ fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				vanished = vanished || file != name
				return nil
			}
			if err != nil {
				return err
			}
			if w.ctx.Err() != nil {
				return w.ctx.Err()
			}
			gone, err := w.add(root, file)
			vanished = vanished || gone
			return err
		})
		if err != nil || !vanished {
			return err
		}
	}
	return errors.New("files kept vanishing while they were read: try again when less is going on")
}

// add writes one file or directory, once. It reports whether it is gone.
func (w *writer) add(root *os.Root, name string) (gone bool, err error) {
	if w.written[name] {
		return false, nil
	}
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	header := &tar.Header{Name: filepath.ToSlash(name), Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX}
	switch {
	case info.IsDir():
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
		w.written[name] = true
		return false, w.tar.WriteHeader(header)
	case !info.Mode().IsRegular():
		return false, nil // a plant keeps no links; a socket cannot be restored
	}
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return false, err
	}
	header.Typeflag, header.Size = tar.TypeReg, info.Size()
	if err := w.tar.WriteHeader(header); err != nil {
		return false, err
	}
	w.written[name] = true
	// A log may grow meanwhile: what it had when it was opened is what is written.
	_, err = io.CopyN(w.tar, f, header.Size)
	return false, err
}
