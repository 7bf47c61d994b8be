package logs

import (
	"errors"
	"io/fs"
	"iter"
	"path"
	"strings"
	"syscall"

	"github.com/andon-cd/andon/internal/andon"
)

// Remove deletes a stream, finished or not. Removing what does not exist is no error.
func (s *Store) Remove(name string) error {
	release, err := s.use(name, false, func(st *stream) error {
		var errs []error
		for _, suffix := range []string{partSuffix, doneSuffix, indexSuffix} {
			if err := st.root.Remove(name + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		if err := errors.Join(errs...); err != nil {
			return storageError("remove", name, err)
		}
		return s.gone(st)
	})
	release()
	if andon.KindOf(err) == andon.KindNotFound {
		return nil
	}
	if err == nil {
		s.wake(name)
	}
	return err
}

// gone forgets a stream whose files are deleted, and the directories that it leaves empty.
func (s *Store) gone(st *stream) error {
	s.mu.Lock()
	st.removed = true
	delete(s.streams, st.name)
	s.mu.Unlock()
	for dir := path.Dir(st.name); dir != "."; dir = path.Dir(dir) {
		err := s.root.Remove(dir)
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return storageError("remove", st.name, err)
		}
	}
	return nil
}

// Streams yields the names of all streams below a directory of the store ("" for all: "task",
// "instance"), in order.
func (s *Store) Streams(dir string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if dir == "" {
			dir = "."
		} else if err := checkName(dir); err != nil {
			yield("", err)
			return
		}
		err := fs.WalkDir(s.root.FS(), dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					return nil // removed meanwhile
				}
				return err
			}
			stream, ok := streamOf(name)
			if d.IsDir() || !ok {
				return nil
			}
			if !yield(stream, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield("", err)
		}
	}
}

func streamOf(file string) (string, bool) {
	for _, suffix := range []string{partSuffix, doneSuffix} {
		if stream, ok := strings.CutSuffix(file, suffix); ok {
			return stream, true
		}
	}
	return "", false
}
