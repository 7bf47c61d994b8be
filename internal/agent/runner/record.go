package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A record is what is on disk of a task before its first step begins.
type record struct {
	Lease     andon.Lease `json:"lease"`
	Group     identity    `json:"group"`
	Workspace string      `json:"workspace"`
}

func (r *Runner) recordFile(token andon.Token) string {
	return filepath.Join(r.records(), fmt.Sprintf("%d.json", token))
}

// record writes the record durably, before anything of the task can run.
func (r *Runner) record(lease andon.Lease, group *group) error {
	data, err := json.Marshal(record{lease, group.identity, group.workspace})
	if err != nil {
		return err
	}
	file := r.recordFile(lease.Token)
	f, err := os.OpenFile(file+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing the record of a task: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing the record of a task: %w", err)
	}
	// The directory is not synced: when the machine itself goes down, so does the task.
	return os.Rename(file+".new", file)
}

func (r *Runner) forget(token andon.Token) error {
	err := os.Remove(r.recordFile(token))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// keepCache is how long the cache of a service stays that no task has used.
const keepCache = 60 * 24 * time.Hour

// Recover ends what an earlier runner of the same directory left running, removes its
// workspaces and the caches of services that had no task for a long time, and returns the leases
// of those tasks. What is still running of them, in their group or out of it, is dead by then.
func (r *Runner) Recover(ctx context.Context) ([]andon.Lease, error) {
	files, err := filepath.Glob(filepath.Join(r.records(), "*.json"))
	if err != nil {
		return nil, err
	}
	var left []andon.Lease
	for _, file := range files {
		if ctx.Err() != nil {
			return left, ctx.Err()
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return left, fmt.Errorf("reading the record of a task: %w", err)
		}
		var rec record
		if err := json.Unmarshal(data, &rec); err != nil {
			// Its task cannot be named any more; the server finds out by itself that it was lost.
			r.config.Log.Warn("the record of a task is damaged and is dropped", "file", file, "err", err)
			continue
		}
		rec.Group.kill()
		killStrays(rec.Workspace, 0)
		left = append(left, rec.Lease)
	}
	always := func(fs.DirEntry) bool { return true }
	return left, errors.Join(
		clearDirectory(r.workspaces(), always),
		clearDirectory(r.records(), always),
		clearDirectory(r.caches(), func(e fs.DirEntry) bool {
			info, err := e.Info()
			return err == nil && time.Since(info.ModTime()) > keepCache
		}),
	)
}

// clearDirectory removes the entries of a directory that a condition holds for.
func clearDirectory(dir string, remove func(fs.DirEntry) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !remove(e) {
			continue
		}
		if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("clearing %s: %w", dir, err)
		}
	}
	return nil
}

// removeTree removes a directory with everything in it, also below directories that are not
// writable, such as Go's module cache has.
func removeTree(dir string) error {
	if err := os.RemoveAll(dir); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	// The walk reads a directory after its own visit: it is opened up in time.
	_ = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = root.Chmod(name, 0o700)
		}
		return nil //nolint:nilerr // what cannot be opened up shows in the removal
	})
	return os.RemoveAll(dir)
}
