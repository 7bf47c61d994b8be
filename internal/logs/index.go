package logs

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
)

// A mark says where a line begins.
type mark struct {
	offset int64 // of its first byte
	line   int64 // lines before it
	at     int64 // Unix milliseconds at which the line's beginning was appended
}

const (
	markEvery = 64 << 10 // bytes of log for one mark
	markSize  = 28       // offset, line, at: 64-bit each; CRC-32C of them; all big-endian
)

func (m mark) encode() []byte {
	b := make([]byte, 0, markSize)
	b = binary.BigEndian.AppendUint64(b, uint64(m.offset))
	b = binary.BigEndian.AppendUint64(b, uint64(m.line))
	b = binary.BigEndian.AppendUint64(b, uint64(m.at))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func decodeMark(b []byte) (mark, bool) {
	if crc32.Checksum(b[:24], crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(b[24:]) {
		return mark{}, false
	}
	return mark{
		offset: int64(binary.BigEndian.Uint64(b)),
		line:   int64(binary.BigEndian.Uint64(b[8:])),
		at:     int64(binary.BigEndian.Uint64(b[16:])),
	}, true
}

// An index is the marks of one stream in a file, which exists only once there is a mark.
type index struct {
	root     *os.Root
	path     string
	file     *os.File // nil: no mark yet
	marks    int64    // in the file
	nextMark int64    // the next line that begins at this offset or behind it gets a mark
}

// repair opens the index of a log of that size, drops what does not fit the log, and returns the
// last mark that remains; without one, the mark of the log's beginning.
func (x *index) repair(size int64) (mark, error) {
	x.nextMark = markEvery
	f, err := x.root.OpenFile(x.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return mark{}, nil
	}
	if err != nil {
		return mark{}, err
	}
	b, err := io.ReadAll(io.LimitReader(f, (size/markEvery+1)*markSize))
	if err != nil {
		return mark{}, errors.Join(err, f.Close())
	}
	var last mark
	for ; len(b) >= markSize; b = b[markSize:] {
		m, ok := decodeMark(b)
		if !ok || m.offset > size || m.offset <= last.offset || m.line <= last.line {
			break
		}
		last = m
		x.marks++
	}
	if err := f.Truncate(x.marks * markSize); err != nil {
		return mark{}, errors.Join(err, f.Close())
	}
	x.file = f
	x.nextMark = after(last)
	return last, nil
}

// after returns the offset from which on the mark behind m is due.
func after(m mark) int64 { return (m.offset/markEvery + 1) * markEvery }

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
	x.marks++
	x.nextMark = after(m)
	return nil
}

// before returns the last of the first n marks that has at most so many lines before it; without
// one, the mark of the log's beginning.
func (x *index) before(lines, n int64) (mark, error) {
	var best mark
	buf := make([]byte, markSize)
	for low, high := int64(0), n; low < high; {
		middle := (low + high) / 2
		if _, err := x.file.ReadAt(buf, middle*markSize); err != nil {
			return mark{}, err
		}
		m, ok := decodeMark(buf)
		if !ok {
			return mark{}, errors.New("the index of lines is damaged")
		}
		if m.line <= lines {
			best, low = m, middle+1
		} else {
			high = middle
		}
	}
	return best, nil
}

func (x *index) close() error {
	if x.file == nil {
		return nil
	}
	return x.file.Close()
}
