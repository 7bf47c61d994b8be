package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A home is the directory of a demo. While the demo runs it holds a lock there, and a note in the
// user's state says where it is: one without a lock was left by a demo that was killed.
type home struct {
	dir  string
	made bool // the directory was not there before
	lock *os.File
	note string
}

func (h *home) plant() string      { return filepath.Join(h.dir, "plant") }
func (h *home) repository() string { return filepath.Join(h.dir, "shop") }
func (h *home) state() string      { return filepath.Join(h.dir, "state") }
func (h *home) log() string        { return filepath.Join(h.dir, "server.log") }
func lockFile(dir string) string   { return filepath.Join(dir, "demo.lock") }

// openHome makes the directory of a demo, and takes it.
func openHome(config Config) (*home, error) {
	h := &home{}
	var err error
	if config.Dir == "" {
		h.dir, err = os.MkdirTemp("", "andon-demo-*")
		h.made = true
	} else {
		h.dir, h.made, err = takeDir(config.Dir)
	}
	if err != nil {
		return nil, err
	}
	if h.lock, err = os.OpenFile(lockFile(h.dir), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("the directory %s cannot be used: %w", h.dir, err)
	}
	if err := syscall.Flock(int(h.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		h.lock.Close()
		return nil, andon.Errorf(andon.KindConflict, "another demo runs in %s", h.dir).WithHint("Choose another directory with --dir.").Because(err)
	}
	h.note = noteOf(config.State, h.dir)
	if err := writeNote(h.note, h.dir, h.made); err != nil {
		return nil, errors.Join(fmt.Errorf("noting where the demo is: %w", err), h.remove())
	}
	return h, os.MkdirAll(h.state(), 0o700)
}

// takeDir returns the absolute path of a directory that is empty, making it if it is missing.
func takeDir(path string) (dir string, made bool, err error) {
	if dir, err = filepath.Abs(path); err != nil {
		return "", false, err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return dir, true, os.MkdirAll(dir, 0o700)
	case err != nil:
		return "", false, andon.Errorf(andon.KindInvalid, "%s cannot be used", dir).Because(err)
	case len(entries) > 0:
		return "", false, andon.Errorf(andon.KindConflict, "%s is not empty", dir).WithHint("Name a directory that is empty or not there.")
	}
	return dir, false, nil
}

// A note is two lines: whether the demo made the directory, and the directory.
func noteOf(state, dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(state, hex.EncodeToString(sum[:8]))
}

func writeNote(path, dir string, made bool) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, fmt.Appendf(nil, "%t\n%s\n", made, dir), 0o600)
}

func readNote(path string) (*home, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	made, dir, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("%s names no directory", path)
	}
	return &home{dir: dir, made: made == "true", note: path}, nil
}

// remove removes what the demo made, and the note.
func (h *home) remove() error {
	var err error
	for _, path := range []string{h.plant(), h.repository(), h.state(), h.log(), lockFile(h.dir)} {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if h.made {
		err = errors.Join(err, os.RemoveAll(h.dir))
	}
	return errors.Join(err, h.leave())
}

// leave forgets the directory.
func (h *home) leave() error {
	if h.lock != nil {
		h.lock.Close()
	}
	if err := os.Remove(h.note); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sweep cleans up after demos that were killed.
func sweep(ctx context.Context, config Config, s *screen) {
	notes, _ := filepath.Glob(filepath.Join(config.State, "*"))
	for _, note := range notes {
		h, err := readNote(note)
		if err != nil || !h.abandoned() {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, ending)
		err = down(limited, config.Program, h)
		cancel()
		if err == nil {
			err = h.remove()
		}
		if err != nil {
			s.line("The leftovers of an earlier demo in %s cannot be removed: %v", h.dir, err)
			continue
		}
		s.line("Removed what an earlier demo left in %s.", h.dir)
	}
}

// abandoned reports whether no demo has the directory any more.
func (h *home) abandoned() bool {
	f, err := os.OpenFile(lockFile(h.dir), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		_ = h.leave() // somebody removed the directory
		return false
	}
	if err != nil || syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		f.Close()
		return false
	}
	h.lock = f
	return true
}

// down stops everything of the plant in a home, also when its server is gone.
func down(ctx context.Context, program string, h *home) error {
	if _, err := os.Stat(filepath.Join(h.plant(), "format")); errors.Is(err, fs.ErrNotExist) {
		return nil // the plant never started
	}
	cmd := exec.CommandContext(ctx, program, "down", "--data", h.plant(), "--grace", "3s")
	cmd.Env = plantEnvironment(h)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("andon down: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
