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
	partial  bool   // the last byte is not a newline
	head     []byte // of the last line, as long as it may still be found to begin or end a group
	headAt   time.Time
	dropped  int64 // bytes beyond the limit
	finished bool
	removed  bool
}

// Info says how long a stream is.
type Info struct {
	Size     int64     // bytes
	Lines    int64     // the last one counts also when it has no newline yet
	Dropped  int64     // bytes beyond the limit, as far as this process knows
	Partial  bool      // the last line has no newline yet
	Finished bool      // nothing will be appended
	Began    time.Time // when its first byte was appended; zero where that is not known
	Modified time.Time
}

func (st *stream) info() (Info, error) {
	fi, err := st.data.Stat()
	if err != nil {
		return Info{}, storageError("look at", st.name, err)
	}
	i := Info{Size: st.size, Lines: st.newlines, Dropped: st.dropped, Finished: st.finished, Modified: fi.ModTime()}
	if i.Partial = st.partial; i.Partial {
		i.Lines++
	}
	i.Began = moment(st.index.began)
	return i, nil
}

// moment returns the time of a mark; zero where there is none.
func moment(milliseconds int64) time.Time {
	if milliseconds == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds).UTC()
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
	st.index = &index{root: st.root, path: st.name + indexSuffix}
	if err := st.measure(data); err != nil {
		return errors.Join(storageError("open", st.name, err), data.Close(), st.index.close())
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
func (st *stream) measure(data *os.File) error {
	fi, err := data.Stat()
	if err != nil {
		return err
	}
	last, err := st.index.repair(fi.Size())
	if err != nil {
		return err
	}
	st.size, st.newlines, st.partial, st.head = last.offset, last.line, false, nil
	at := fi.ModTime()
	if st.index.marks > 0 {
		at = time.UnixMilli(last.at) // what came in later would have a mark
	}
	buf := make([]byte, min(scanBuffer, fi.Size()-st.size))
	for st.size < fi.Size() {
		n, err := data.ReadAt(buf[:min(int64(len(buf)), fi.Size()-st.size)], st.size)
		if n == 0 {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		if err := st.count(buf[:n], at); err != nil {
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
	if err := st.finishHead(p); err != nil {
		return err
	}
	done, lines := 0, st.newlines
	group, groupKind := st.nextGroup(p, 0)
	for {
		begin, k := st.lineStart(p, int(min(st.index.due(at.UnixMilli())-st.size, int64(len(p))))), plain
		if group >= 0 && (begin < 0 || group <= begin) {
			begin, k = group, groupKind
			group, groupKind = st.nextGroup(p, group+1)
		}
		if begin < 0 {
			break
		}
		lines += int64(bytes.Count(p[done:begin], newline))
		done = begin
		m := mark{offset: st.size + int64(begin), line: lines, at: at.UnixMilli(), kind: k}
		if k != plain && !st.index.wants(k, m.offset) {
			continue
		}
		if err := st.index.add(m); err != nil {
			return err
		}
	}
	st.newlines = lines + int64(bytes.Count(p[done:], newline))
	st.keepHead(p, at)
	st.partial = p[len(p)-1] != '\n'
	st.size += int64(len(p))
	return nil
}

// lineStart returns where the first line begins whose first byte is in p, at from or behind it;
// -1: nowhere.
func (st *stream) lineStart(p []byte, from int) int {
	if from <= 0 && !st.partial {
		return 0
	}
	from = max(from, 1)
	if from >= len(p) {
		return -1
	}
	i := bytes.IndexByte(p[from-1:len(p)-1], '\n')
	if i < 0 {
		return -1
	}
	return from + i
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
