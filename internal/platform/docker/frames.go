package docker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxFrame bounds one entry of a container's log. The engines cut what is written into entries
// of at most 16 KiB.
const maxFrame = 1 << 20

// An entry is what a container wrote at one time: usually a line with its end.
type entry struct {
	time string // as the Engine has it; empty: not known
	text []byte // valid until the next entry is read
}

// frames reads the log of a container as the Engine sends it: a head of eight bytes, of which
// the last four are the length of what follows: the time, a blank and the text.
type frames struct {
	from *bufio.Reader
	buf  []byte
}

func newFrames(from io.Reader) *frames { return &frames{from: bufio.NewReaderSize(from, 64<<10)} }

// idle reports whether the next entry has to be waited for.
func (f *frames) idle() bool { return f.from.Buffered() == 0 }

// next returns the next entry. At the end of the log its error is io.EOF.
func (f *frames) next() (entry, error) {
	var head [8]byte
	if _, err := io.ReadFull(f.from, head[:]); err != nil {
		return entry{}, err
	}
	n := int(binary.BigEndian.Uint32(head[4:]))
	if n > maxFrame {
		return entry{}, fmt.Errorf("docker: the engine sends an entry of %d bytes in a log", n)
	}
	if cap(f.buf) < n {
		f.buf = make([]byte, max(n, 32<<10))
	}
	f.buf = f.buf[:n]
	if _, err := io.ReadFull(f.from, f.buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return entry{}, err
	}
	const longest = len("2006-01-02T15:04:05.000000000+00:00")
	for i, b := range f.buf[:min(n, longest+1)] {
		if b == ' ' {
			return entry{time: string(f.buf[:i]), text: f.buf[i+1:]}, nil
		}
	}
	return entry{text: f.buf}, nil
}
