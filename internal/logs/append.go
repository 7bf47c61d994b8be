package logs

import (
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// Append writes p, which begins at an offset of the stream, and returns the offset at which the
// writer should go on. Bytes that are there already are ignored; when there is a gap before p,
// nothing is written. So a writer that repeats itself from the answer on loses and doubles
// nothing. The stream is made by its first byte; at is the time for the index of lines.
//
// Beyond the limit of the store, bytes are counted and dropped, and the log says so. A finished
// stream takes no new bytes: andon.KindConflict. A full disk is an andon.KindUnavailable; the
// answer counts what was written before it.
func (s *Store) Append(name string, offset int64, p []byte, at time.Time) (next int64, err error) {
	if offset < 0 {
		return 0, andon.Errorf(andon.KindInvalid, "the offset %d is negative", offset)
	}
	release, err := s.use(name, true, func(st *stream) error {
		err := st.append(offset, p, at)
		next = st.next()
		return err
	})
	release()
	if err == nil {
		s.wake(name)
	}
	return next, err
}

func (st *stream) append(offset int64, p []byte, at time.Time) error {
	next, end := st.next(), offset+int64(len(p))
	if end <= next || offset > next {
		return nil
	}
	if st.finished {
		if st.cut() {
			return nil
		}
		return andon.Errorf(andon.KindConflict, "the log %s is finished", st.name)
	}
	p = p[next-offset:]
	if st.cut() {
		st.dropped += int64(len(p))
		return nil
	}
	fits := min(int64(len(p)), st.limit-st.size)
	if err := st.write(p[:fits], at); err != nil {
		return err
	}
	if rest := int64(len(p)) - fits; rest > 0 {
		note := fmt.Sprintf("andon: this log reached its limit of %d bytes; what follows was dropped\n", st.limit)
		if st.partial {
			note = "\n" + note
		}
		if err := st.write([]byte(note), at); err != nil {
			return err
		}
		st.dropped = rest
	}
	return nil
}

// write adds bytes to the end of the file. What was written before an error counts.
func (st *stream) write(p []byte, at time.Time) error {
	n, err := st.data.WriteAt(p, st.size)
	if err := errors.Join(err, st.count(p[:n], at)); err != nil {
		return storageError("write to", st.name, err)
	}
	return nil
}

// Finish ends a stream: nothing is appended from then on, and what is there survives a loss of
// power. A stream that nobody wrote to becomes an empty log. Finishing twice is no error.
func (s *Store) Finish(name string, at time.Time) error {
	release, err := s.use(name, true, func(st *stream) error {
		if st.finished {
			return nil
		}
		if err := st.finish(at); err != nil {
			return storageError("finish", name, err)
		}
		return nil
	})
	release()
	if err == nil {
		s.wake(name)
	}
	return err
}

func (st *stream) finish(at time.Time) error {
	if st.dropped > 0 {
		if err := st.write(fmt.Appendf(nil, "andon: %d bytes were dropped\n", st.dropped), at); err != nil {
			return err
		}
	}
	if err := st.data.Sync(); err != nil {
		return err
	}
	if err := st.root.Rename(st.name+partSuffix, st.name+doneSuffix); err != nil {
		return err
	}
	st.finished = true
	dir, err := st.root.Open(path.Dir(st.name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
