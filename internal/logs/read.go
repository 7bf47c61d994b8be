package logs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"
)

const (
	// MaxRead bounds the bytes of one answer.
	MaxRead = 4 << 20
	// MaxLines bounds the lines of one answer.
	MaxLines = 10_000
	// MaxLine bounds the bytes of one line in an answer; the rest of a longer one is left out.
	MaxLine = 64 << 10
)

// Info returns how long a stream is; andon.KindNotFound when there is none of that name.
func (s *Store) Info(name string) (Info, error) {
	var info Info
	release, err := s.use(name, false, func(st *stream) (err error) {
		info, err = st.info()
		return err
	})
	release()
	return info, err
}

// Read returns up to limit bytes (at most MaxRead; 0: MaxRead) from an offset on. At or behind
// the end it returns none.
func (s *Store) Read(name string, offset int64, limit int) ([]byte, error) {
	info, err := s.Info(name)
	if err != nil {
		return nil, err
	}
	if limit <= 0 || limit > MaxRead {
		limit = MaxRead
	}
	offset = max(0, offset)
	p := make([]byte, max(0, min(int64(limit), info.Size-offset)))
	n, err := s.ReadAt(name, p, offset)
	return p[:n], err
}

// ReadAt fills p with the bytes of a log from an offset on, and returns how many there were.
func (s *Store) ReadAt(name string, p []byte, offset int64) (int, error) {
	var (
		data *os.File
		size int64
	)
	release, err := s.use(name, false, func(st *stream) error {
		data, size = st.data, st.size
		return nil
	})
	defer release()
	if err != nil || offset >= size {
		return 0, err
	}
	n, err := data.ReadAt(p[:min(int64(len(p)), size-offset)], offset)
	if n == 0 && err != nil {
		return 0, storageError("read", name, err)
	}
	return n, nil
}

// A Line is one line of a log, without its newline.
type Line struct {
	Number int64 // from 1
	Offset int64 // of its first byte
	Text   []byte
	Cut    bool      // it is longer: Text is its beginning
	At     time.Time // when it was appended, to about 100 ms; zero where that is not known
}

// Lines are some lines of a log.
type Lines struct {
	Info  Info // of the log, when it was read
	Lines []Line
	Next  int64 // number of the line to go on with
}

// ReadLines returns up to count lines (at most MaxLines; 0: MaxLines) from line first on, which
// counts from 1; fewer when they exceed MaxRead bytes, but at least one where there is one.
// A negative first counts from the end: -10 means the last ten.
func (s *Store) ReadLines(name string, first int64, count int) (Lines, error) {
	return s.Window(name, first, count, MaxLine)
}

// Window is ReadLines with lines cut at longest bytes (at most MaxLine).
func (s *Store) Window(name string, first int64, count, longest int) (Lines, error) {
	var (
		l     Lines
		from  mark
		later []mark
		data  *os.File
	)
	if count <= 0 || count > MaxLines {
		count = MaxLines
	}
	release, err := s.use(name, false, func(st *stream) (err error) {
		if l.Info, err = st.info(); err != nil {
			return err
		}
		if first < 0 {
			first = l.Info.Lines + first + 1
		}
		first = max(1, first)
		data = st.data
		from, later, err = st.index.around(first-1, int64(count))
		return err
	})
	defer release()
	if err != nil {
		return Lines{}, err
	}
	l.Next = first
	if first > l.Info.Lines {
		return l, nil
	}
	r := lineReader{data: data, size: l.Info.Size, offset: from.offset, line: from.line, longest: min(longest, MaxLine)}
	if l.Lines, err = r.read(first-1, count); err != nil {
		return Lines{}, storageError("read", name, err)
	}
	date(l.Lines, from, later)
	l.Next = first + int64(len(l.Lines))
	return l, nil
}

// date gives each line the time of the last mark that is not behind it.
func date(lines []Line, from mark, later []mark) {
	for i := range lines {
		for len(later) > 0 && later[0].line < lines[i].Number {
			from, later = later[0], later[1:]
		}
		lines[i].At = moment(from.at)
	}
}

// A lineReader goes through a log from the beginning of a line on.
type lineReader struct {
	data   *os.File
	size   int64
	offset int64 // of the next byte
	line   int64 // lines before it
	buf    []byte
	rest   []byte // bytes in buf that come next

	longest int // bytes of a line that are kept
}

// read skips to the line that has skip lines before it and returns up to count lines.
func (r *lineReader) read(skip int64, count int) ([]Line, error) {
	r.buf = make([]byte, min(scanBuffer, r.size-r.offset))
	for r.line < skip {
		if _, err := r.next(false); err != nil {
			return nil, err
		}
	}
	var lines []Line
	for total := 0; len(lines) < count && total < MaxRead; {
		line, err := r.next(true)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		total += len(line.Text) + 1
		lines = append(lines, line)
	}
	return lines, nil
}

// next reads one line, and keeps its text when it is asked to. It returns io.EOF at the end.
func (r *lineReader) next(keep bool) (Line, error) {
	l := Line{Number: r.line + 1, Offset: r.offset}
	for {
		if len(r.rest) == 0 {
			if err := r.fill(); err != nil {
				if errors.Is(err, io.EOF) && r.offset > l.Offset {
					break // the last line has no newline yet
				}
				return Line{}, err
			}
		}
		part, _, ended := bytes.Cut(r.rest, newline)
		if keep {
			room := r.longest - len(l.Text)
			l.Cut = l.Cut || len(part) > room
			l.Text = append(l.Text, part[:min(room, len(part))]...)
		}
		used := len(part)
		if ended {
			used++
		}
		r.rest, r.offset = r.rest[used:], r.offset+int64(used)
		if ended {
			break
		}
	}
	r.line++
	return l, nil
}

func (r *lineReader) fill() error {
	want := min(int64(len(r.buf)), r.size-r.offset)
	if want <= 0 {
		return io.EOF
	}
	n, err := r.data.ReadAt(r.buf[:want], r.offset)
	if n == 0 {
		return errors.Join(err, io.ErrUnexpectedEOF)
	}
	r.rest = r.buf[:n]
	return nil
}
