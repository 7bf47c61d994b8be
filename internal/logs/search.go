package logs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

const (
	// searchBuffer is how much of a log is searched at a time, and how much of one line at all.
	searchBuffer = 1 << 20
	// maxSearches bounds the searches that run at the same time; others wait.
	maxSearches = 2
	// hitLength bounds the bytes of a line that was found.
	hitLength = 8 << 10
)

// Found is what a search found.
type Found struct {
	Info  Info
	Lines []Line // those that match; their text as it is in the log
	Next  int64  // number of the line to go on with; 0: the search came to the end
	Done  int64  // bytes of the log before Next
}

// Search looks for lines that match, from line first on. It ends at the log's end, with most
// lines, or when it has taken that long, whichever comes first. Of a line longer than 1 MiB it
// looks at the beginning. It fails when ctx is done.
func (s *Store) Search(ctx context.Context, name string, p *Pattern, first int64, most int, long time.Duration) (Found, error) {
	select {
	case s.searches <- struct{}{}:
		defer func() { <-s.searches }()
	case <-ctx.Done():
		return Found{}, ctx.Err()
	}
	var (
		f    Found
		from mark
		data *os.File
	)
	first = max(1, first)
	release, err := s.use(name, false, func(st *stream) (err error) {
		if f.Info, err = st.info(); err != nil {
			return err
		}
		data = st.data
		from, _, err = st.index.before(first - 1)
		return err
	})
	defer release()
	if err != nil {
		return Found{}, err
	}
	search := searching{data: data, size: f.Info.Size, offset: from.offset, line: from.line, pattern: p, first: first, most: most}
	err = search.run(ctx, time.Now().Add(long))
	if err != nil {
		if ctx.Err() == nil {
			err = storageError("search", name, err)
		}
		return Found{}, err
	}
	f.Lines, f.Done = search.found, search.offset
	if search.offset < f.Info.Size {
		f.Next = search.line + 1
	}
	return f, s.date(name, f.Lines)
}

// date gives lines that are not next to each other their times.
func (s *Store) date(name string, lines []Line) error {
	release, err := s.use(name, false, func(st *stream) error {
		for i := range lines {
			m, _, err := st.index.before(lines[i].Number - 1)
			if err != nil {
				return err
			}
			lines[i].At = moment(m.at)
		}
		return nil
	})
	release()
	return err
}

// A searching goes through a log piece by piece, each of whole lines.
type searching struct {
	data    *os.File
	size    int64
	offset  int64 // of the next line
	line    int64 // lines before it
	pattern *Pattern
	first   int64 // line to begin with
	most    int
	found   []Line
}

func (s *searching) run(ctx context.Context, until time.Time) error {
	buffer, lowered := make([]byte, min(searchBuffer, s.size-s.offset)), []byte(nil)
	if s.pattern.fold {
		lowered = make([]byte, len(buffer))
	}
	for s.offset < s.size && len(s.found) < s.most {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := buffer[:min(int64(len(buffer)), s.size-s.offset)]
		if n, err := s.data.ReadAt(p, s.offset); n < len(p) {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		whole := bytes.LastIndexByte(p, '\n') + 1
		atEnd := s.offset+int64(len(p)) == s.size
		if whole > 0 && !atEnd {
			p = p[:whole]
		}
		s.piece(p, lowered)
		if whole == 0 && !atEnd {
			if err := s.skipLine(buffer); err != nil {
				return err
			}
		}
		if s.line >= s.first && time.Now().After(until) {
			return nil
		}
	}
	return nil
}

// piece searches lines that begin at offset, and moves offset and line behind those that it has
// searched.
func (s *searching) piece(p, lowered []byte) {
	skip := nthLine(p, s.first-1-s.line)
	s.advance(p[:skip])
	p = p[skip:]
	compared, quick := s.pattern.quick(p, lowered)
	for len(p) > 0 && len(s.found) < s.most {
		var begin, end int
		if quick {
			begin, end = s.pattern.nextQuick(compared)
			compared = compared[end:]
		} else {
			begin, end = s.pattern.next(p, lowered)
		}
		if begin >= 0 {
			s.advance(p[:begin])
			s.found = append(s.found, s.hit(p[begin:end]))
			s.advance(p[begin:end])
		} else {
			s.advance(p)
		}
		p = p[end:]
	}
}

// nthLine returns where the line begins that has n lines of p before it; the end of p if it has
// fewer.
func nthLine(p []byte, n int64) int {
	at := 0
	for ; n > 0 && at < len(p); n-- {
		at = lineEnd(p, at)
	}
	return at
}

func (s *searching) advance(p []byte) {
	s.offset += int64(len(p))
	s.line += int64(bytes.Count(p, newline))
}

func (s *searching) hit(line []byte) Line {
	line = bytes.TrimSuffix(line, newline)
	return Line{Number: s.line + 1, Offset: s.offset, Text: slices.Clone(line[:min(len(line), hitLength)]), Cut: len(line) > hitLength}
}

// skipLine moves behind the rest of a line whose beginning has been searched.
func (s *searching) skipLine(buffer []byte) error {
	for s.offset < s.size {
		p := buffer[:min(int64(len(buffer)), s.size-s.offset)]
		if n, err := s.data.ReadAt(p, s.offset); n < len(p) {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			s.advance(p[:i+1])
			return nil
		}
		s.advance(p)
	}
	return nil
}
