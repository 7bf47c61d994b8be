package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/backup"
	"github.com/andon-cd/andon/internal/server"
)

type backupCmd struct {
	File string `arg:"" help:"The file to write, which must not exist; - is standard output."`
}

// A backedUp is what `andon backup --json` prints.
type backedUp struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
}

// Run writes a plant to one file: over the API when its server runs, else from its data directory.
func (cmd *backupCmd) Run(c *call) error {
	write, err := cmd.source(c)
	if err != nil {
		return err
	}
	if cmd.File == "-" {
		return write(c.ctx, c.out)
	}
	size, err := writeNewFile(cmd.File, func(w io.Writer) error { return write(c.ctx, w) })
	if err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, backedUp{File: cmd.File, Bytes: size})
		return nil
	}
	fmt.Fprintf(c.out, "Wrote %s, %s. Whoever has it has the plant: it holds the tokens. `andon restore` brings it back.\n", cmd.File, bytesWords(size))
	return nil
}

// source returns what writes the backup.
func (cmd *backupCmd) source(c *call) (func(context.Context, io.Writer) error, error) {
	if c.connection.Server == "" && c.getenv("ANDON_SERVER") == "" {
		dir, err := c.ownPlant()
		if err != nil {
			return nil, err
		}
		if d := server.Directory(dir); isFile(dir, "format") && !d.Held() {
			return func(ctx context.Context, w io.Writer) error { return backUpDirectory(ctx, d, w) }, nil
		}
	}
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, w io.Writer) error {
		body, err := client.Backup(ctx)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, body)
		return errors.Join(err, body.Close())
	}, nil
}

// backUpDirectory writes the plant of a directory that no server uses meanwhile.
func backUpDirectory(ctx context.Context, d server.Directory, w io.Writer) error {
	release, err := d.Hold()
	if err != nil {
		return err
	}
	defer release()
	j, err := drivers().Journal(ctx, d.Journal())
	if err != nil {
		return err
	}
	return errors.Join(backup.Write(ctx, w, j, string(d)), j.Close())
}

// writeNewFile writes a file that must not exist, readable by its owner alone: the whole of it,
// durably, or nothing.
func writeNewFile(path string, write func(io.Writer) error) (size int64, err error) {
	if _, err := os.Lstat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return 0, andon.Errorf(andon.KindConflict, "%s exists already", path).WithHint("Name a file that does not exist.")
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".andon-backup-*")
	if err != nil {
		return 0, andon.Errorf(andon.KindInvalid, "%s cannot be written: %s", path, reason(err)).Because(err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // the link keeps it when all went well
	defer f.Close()
	out := bufio.NewWriterSize(f, 1<<20)
	if err := write(out); err != nil {
		return 0, err
	}
	if err := errors.Join(out.Flush(), f.Sync()); err != nil {
		return 0, fmt.Errorf("writing %s: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	// A link fails when somebody made the file meanwhile; a rename would replace it.
	if err := os.Link(f.Name(), path); err != nil {
		return 0, fmt.Errorf("writing %s: %w", path, err)
	}
	return info.Size(), nil
}
