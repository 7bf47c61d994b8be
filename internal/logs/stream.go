package logs

import (
	"bytes"
	"container/list"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"time"
)

// A stream is one log with its files open. The store owns place and holders; mu guards the rest.
// Those who hold the stream may read from data up to a size that they saw under mu without it.
type stream struct {
	root    *os.Root
	name    string
	limit   int64
	place   *list.Element
	holders int

	mu       sync.Mutex
	data     *os.File // nil: not loaded
	index    *index
	size     int64 // bytes in the file
	newlines int64
	partial  bool  // the last byte is not a newline
	dropped  int64 // bytes beyond the limit
	finished bool
	removed  bool
}

// Info says how long a stream is.
type Info struct {
	Size     int64 // bytes
	Lines    int64 // the last one counts also when it has no newline yet
	Dropped  int64 // bytes beyond the limit, as far as this process knows
	Finished bool  // nothing will be appended
	Modified time.Time
}

func (st *stream) info() (Info, error) {
	fi, err := st.data.Stat()
	if err != nil {
		return Info{}, storageError("look at", st.name, err)
	}
	i := Info{Size: st.size, Lines: st.newlines, Dropped: st.dropped, Finished: st.finished, Modified: fi.ModTime()}
	if st.partial {
		i.Lines++
	}
	return i, nil
}

// next returns the offset that the next byte of the writer has. A log that was cut holds lines of
// its own behind the limit, which do not count.
func (st *stream) next() int64 {
	if st.cut() {
		return st.limit + st.dropped
	}
	return st.size
}

// cut reports whether the log reached its limit: only then is there something behind it.
func (st *stream) cut() bool { return st.size > st.limit }

// load opens the files and brings the index in step with the data.
func (st *stream) load(create bool) error {
	data, finished, err := st.openData(create)
	if err != nil {
		return err
	}
	err = st.measure(data, finished)
	if err != nil {
		return errors.Join(storageError("open", st.name, err), data.Close())
	}
	st.data, st.finished = data, finished
	return nil
}

func (st *stream) openData(create bool) (f *os.File, finished bool, err error) {
	if f, err = st.root.Open(st.name + doneSuffix); err == nil {
		return f, true, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		f, err = st.root.OpenFile(st.name+partSuffix, os.O_RDWR, 0)
	}
	if errors.Is(err, fs.ErrNotExist) && !create {
		return nil, false, notFound(st.name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err = st.root.MkdirAll(path.Dir(st.name), 0o700); err == nil {
			f, err = st.root.OpenFile(st.name+partSuffix, os.O_CREATE|os.O_RDWR, 0o600)
		}
	}
	if err != nil {
		return nil, false, storageError("open", st.name, err)
	}
	return f, false, nil
}

// measure finds how many lines there are: by the index, and behind its last entry by reading.
func (st *stream) measure(data *os.File, finished bool) error {
	fi, err := data.Stat()
	if err != nil {
		return err
	}
	st.index = &index{root: st.root, path: st.name + indexSuffix}
	last, err := st.index.repair(fi.Size())
	if err != nil {
		return err
	}
	st.size, st.newlines, st.partial = last.offset, last.line, false
	buf := make([]byte, min(scanBuffer, fi.Size()-st.size))
	for st.size < fi.Size() {
		n, err := data.ReadAt(buf[:min(int64(len(buf)), fi.Size()-st.size)], st.size)
		if n == 0 {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		if err := st.count(buf[:n], fi.ModTime()); err != nil {
			return err
		}
	}
	return nil
}

// scanBuffer is how much of a log is in memory at a time while its lines are counted.
const scanBuffer = 256 << 10

// count takes note of bytes that are in the file behind what was counted, and indexes them.
func (st *stream) count(p []byte, at time.Time) error {
	if len(p) == 0 {
		return nil
	}
	done, lines := 0, st.newlines
	for {
		// The next entry is for the first line that begins at or behind the index's next mark.
		from := max(0, int(min(st.index.nextMark-st.size-1, int64(len(p)))))
		i := bytes.IndexByte(p[from:], '\n')
		if i < 0 {
			break
		}
		begin := from + i + 1
		lines += int64(bytes.Count(p[done:begin], newline))
		done = begin
		if err := st.index.add(mark{offset: st.size + int64(begin), line: lines, at: at.UnixMilli()}); err != nil {
			return err
		}
	}
	st.newlines = lines + int64(bytes.Count(p[done:], newline))
	st.partial = p[len(p)-1] != '\n'
	st.size += int64(len(p))
	return nil
}

var newline = []byte{'\n'}

func (st *stream) close() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.data == nil {
		return nil
	}
	return errors.Join(st.data.Close(), st.index.close())
}
