package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/andon-cd/andon/internal/andon"
)

// Backup implements journal.Journal. It copies in one read transaction into a file beside dst,
// makes that durable, and then gives it its name.
func (j *Journal) Backup(ctx context.Context, dst string) error {
	if _, err := os.Lstat(dst); err == nil {
		return andon.Errorf(andon.KindConflict, "%s exists already", dst).WithHint("name a file that does not exist")
	}
	tmp := dst + ".part"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("back up the journal: %w", err)
	}
	err := j.copyTo(ctx, tmp)
	if err == nil {
		err = os.Rename(tmp, dst)
	}
	if err == nil {
		err = syncFile(filepath.Dir(dst))
	}
	if err != nil {
		return classify(j.path, errors.Join(fmt.Errorf("back up the journal to %s: %w", dst, err), removeIfExists(tmp)))
	}
	return nil
}

func (j *Journal) copyTo(ctx context.Context, path string) error {
	// VACUUM INTO takes the permissions of a file that is there and empty.
	if err := create(path); err != nil {
		return err
	}
	// SQLite counts VACUUM INTO as a write, so a reader's connection may not; this one only reads.
	db, err := sql.Open("sqlite", dsn(j.path, "mode=rw", "_pragma=busy_timeout(5000)"))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, dsn(path))
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return syncFile(path)
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func removeIfExists(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
