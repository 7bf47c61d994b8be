package logs

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"time"
)

// A mark says where a line begins.
type mark struct {
	offset int64 // of its first byte
	line   int64 // lines before it
	at     int64 // Unix milliseconds at which the line's beginning was appended
	kind   kind
}

// A kind says what a mark was made for.
type kind uint8

const (
	plain      kind = iota // to find lines and their times
	groupBegin             // the line begins a group of lines
	groupEnd               // the line ends one
	stepBegin              // the line begins a step
)

const (
	markEvery = 64 << 10 // bytes of log for one mark
	markSize  = 28       // offset; line, with the kind in its top byte; at: 64-bit each; CRC-32C of them; all big-endian
	kindShift = 56

	// timeEvery is how exact the times of lines are: a line that begins so much after the last
	// mark gets one of its own. The time doubles with each timeMarks marks, so that the index of a
	// log that grows for months stays small.
	timeEvery = 100 * time.Millisecond
	timeMarks = 1 << 16
	// maxGroupMarks bounds the marks of groups in one log. They are in memory while it is open.
	maxGroupMarks = 8192
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (m mark) encode() []byte {
	b := make([]byte, 0, markSize)
	b = binary.BigEndian.AppendUint64(b, uint64(m.offset))
	b = binary.BigEndian.AppendUint64(b, uint64(m.line)|uint64(m.kind)<<kindShift)
	b = binary.BigEndian.AppendUint64(b, uint64(m.at))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeMark(b []byte) (mark, bool) {
	if crc32.Checksum(b[:24], castagnoli) != binary.BigEndian.Uint32(b[24:]) {
		return mark{}, false
	}
	line := binary.BigEndian.Uint64(b[8:])
	return mark{
		offset: int64(binary.BigEndian.Uint64(b)),
		line:   int64(line & (1<<kindShift - 1)),
		at:     int64(binary.BigEndian.Uint64(b[16:])),
		kind:   kind(line >> kindShift),
	}, true
}

// follows reports whether a mark may come behind another one. A line has several marks when it got
// one for its time before it was known that it begins a group.
func (m mark) follows(last mark) bool {
	return m.kind <= stepBegin && m.offset >= last.offset && m.line >= last.line && (m.offset > last.offset) == (m.line > last.line)
}

// fits reports whether a log of that size has what the mark was made for.
func (m mark) fits(size int64) bool {
	if m.kind != plain {
		return m.offset+int64(longestMarker) <= size
	}
	return m.offset < size
}

// An index is the marks of one stream in a file, which exists only once there is a mark.
type index struct {
	root   *os.Root
	path   string
	file   *os.File // nil: no mark yet
	marks  int64    // in the file
	began  int64    // at of the first of them
	last   mark     // the last of them
	groups []mark   // those that begin or end groups and steps
}

// repair opens the index of a log of that size, drops what does not fit the log, and returns the
// last mark that remains; without one, the mark of the log's beginning.
func (x *index) repair(size int64) (mark, error) {
	f, err := x.root.OpenFile(x.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return mark{}, nil
	}
	if err != nil {
		return mark{}, err
	}
	in := bufio.NewReaderSize(f, scanBuffer)
	var b [markSize]byte
	for {
		_, err := io.ReadFull(in, b[:])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return mark{}, errors.Join(err, f.Close())
		}
		m, ok := decodeMark(b[:])
		if !ok || !m.fits(size) || !m.follows(x.last) {
			break
		}
		x.note(m)
	}
	if err := f.Truncate(x.marks * markSize); err != nil {
		return mark{}, errors.Join(err, f.Close())
	}
	x.file = f
	return x.last, nil
}

// note takes a mark into account that is in the file.
func (x *index) note(m mark) {
	if x.marks == 0 {
		x.began = m.at
	}
	x.marks++
	x.last = m
	if m.kind != plain {
		x.groups = append(x.groups, m)
	}
}

// due returns the offset from which on a line that is appended at some time gets a plain mark.
func (x *index) due(at int64) int64 {
	pause := timeEvery.Milliseconds() << min(x.marks/timeMarks, 30)
	switch {
	case x.marks == 0:
		return 0
	case at-x.last.at >= pause:
		return x.last.offset + 1
	default:
		return (x.last.offset/markEvery + 1) * markEvery
	}
}

// open reports whether a group has begun and not ended.
func (x *index) open() bool {
	return len(x.groups) > 0 && x.groups[len(x.groups)-1].kind == groupBegin
}

// wants reports whether a line that is a marker of groups, at an offset, gets a mark: not twice, and
// the end of none is none.
func (x *index) wants(k kind, offset int64) bool {
	n := len(x.groups)
	if n > 0 && x.groups[n-1].offset >= offset {
		return false
	}
	if k == groupEnd {
		return x.open() && n < maxGroupMarks
	}
	return n < maxGroupMarks-1 // the last one may end
}

func (x *index) add(m mark) error {
	if x.file == nil {
		f, err := x.root.OpenFile(x.path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		x.file = f
	}
	if _, err := x.file.WriteAt(m.encode(), x.marks*markSize); err != nil {
		return err
	}
	x.note(m)
	return nil
}

// before returns the last mark that has at most so many lines before it, and its number; without
// one, the mark of the log's beginning, and -1.
func (x *index) before(lines int64) (best mark, number int64, err error) {
	number = -1
	for low, high := int64(0), x.marks; low < high; {
		middle := (low + high) / 2
		m, err := x.read(middle)
		if err != nil {
			return mark{}, 0, err
		}
		if m.line <= lines {
			best, number, low = m, middle, middle+1
		} else {
			high = middle
		}
	}
	return best, number, nil
}

// around returns the mark before a line, and those of the count lines from it on.
func (x *index) around(line, count int64) (from mark, later []mark, err error) {
	from, number, err := x.before(line)
	if err != nil {
		return mark{}, nil, err
	}
	later, err = x.until(number, line+count)
	return from, later, err
}

// until returns the marks behind the one of that number that have less than so many lines before
// them.
func (x *index) until(number, lines int64) (marks []mark, err error) {
	for n := number + 1; n < x.marks; n++ {
		m, err := x.read(n)
		if err != nil {
			return nil, err
		}
		if m.line >= lines {
			break
		}
		marks = append(marks, m)
	}
	return marks, nil
}

func (x *index) read(number int64) (mark, error) {
	var b [markSize]byte
	if _, err := x.file.ReadAt(b[:], number*markSize); err != nil {
		return mark{}, err
	}
	m, ok := decodeMark(b[:])
	if !ok {
		return mark{}, errors.New("the index of lines is damaged")
	}
	return m, nil
}

func (x *index) close() error {
	if x.file == nil {
		return nil
	}
	return x.file.Close()
}
