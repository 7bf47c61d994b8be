package copylog

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// A Reader reads one log while it is written and trimmed. It implements platform.LogReader.
type Reader struct {
	dir  string
	file *os.File
	base int64 // of the file's first byte in the log
	next int64 // of the next byte, in the log
}

// Open opens the log of a directory at an offset, or at the first whole line that is left of
// it. Without a log its error is os.ErrNotExist.
func Open(dir string, offset int64) (*Reader, error) {
	f, err := os.Open(filepath.Join(dir, logFile))
	if err != nil {
		return nil, err
	}
	r := &Reader{dir: dir, file: f, next: max(offset, 0)}
	if err := r.settle(); err != nil {
		f.Close()
		return nil, err
	}
	return r, nil
}

// settle moves on to where there still is something to read.
func (r *Reader) settle() error {
	base, err := readBase(r.dir)
	if err != nil {
		return err
	}
	r.base = base
	start := base + firstData(r.file)
	if r.next >= start {
		return nil
	}
	r.next = start
	if start == base {
		return nil
	}
	// The hole ends within a line: begin with the next whole one.
	buf := make([]byte, trimUnit)
	n, err := r.file.ReadAt(buf, start-base)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	r.next += int64(bytes.IndexByte(buf[:n], '\n') + 1)
	return nil
}

// Read implements platform.LogReader.
func (r *Reader) Read(p []byte) (int, error) {
	info, err := r.file.Stat()
	if err != nil {
		return 0, err
	}
	if r.next-r.base > info.Size() { // it was emptied meanwhile, or the offset lies ahead
		if err := r.settle(); err != nil {
			return 0, err
		}
	} else if behind := info.Size() - (r.next - r.base); behind > trimUnit {
		// Far enough behind that what comes next may have been freed.
		if err := r.settle(); err != nil {
			return 0, err
		}
	}
	if r.next-r.base >= info.Size() {
		return 0, io.EOF
	}
	n, err := r.file.ReadAt(p, r.next-r.base)
	r.next += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// Offset implements platform.LogReader.
func (r *Reader) Offset() int64 { return r.next }

// Close implements platform.LogReader.
func (r *Reader) Close() error { return r.file.Close() }
