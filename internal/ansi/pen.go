package ansi

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Span is text of one style. It holds no control characters but tabs.
type Span struct {
	Text  string
	Style Style
}

// A Pen goes through the lines of a log. The style that one line ends in is the style that the next
// begins in. The zero value is a pen at the beginning of a log.
type Pen struct{ style Style }

// A cell is one character with its style.
type cell struct {
	char  rune
	style Style
}

// maxParameters bounds the parameters of one sequence that are looked at; a style needs fewer.
const maxParameters = 32

// Line returns what is seen of a line, which has no newline, and moves the pen behind it.
func (p *Pen) Line(line []byte) []Span {
	if simple(line) {
		if len(line) == 0 {
			return nil
		}
		return []Span{{Text: valid(line), Style: p.style.seen()}}
	}
	return spans(p.cells(line))
}

// Skip moves the pen behind lines that are not shown.
func (p *Pen) Skip(lines []byte) {
	for {
		i := bytes.IndexByte(lines, escape)
		if i < 0 {
			return
		}
		lines = lines[i:]
		n, final, parameters := sequence(lines)
		if final == 'm' {
			p.style.set(parameters)
		}
		lines = lines[n:]
	}
}

// Plain returns what is seen of a line as text without styles.
func Plain(line []byte) []byte {
	if simple(line) {
		return line
	}
	plain, ok := strip(line)
	if ok {
		return plain
	}
	var p Pen
	plain = plain[:0]
	for _, c := range p.cells(line) {
		plain = utf8.AppendRune(plain, c.char)
	}
	return plain
}

// strip takes the sequences out of a line; ok is false when it is not enough, since something was
// written over.
func strip(line []byte) (plain []byte, ok bool) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	plain = make([]byte, 0, len(line))
	for {
		i := bytes.IndexByte(line, escape)
		if i < 0 {
			return append(plain, line...), simple(line) && utf8.Valid(line)
		}
		if !simple(line[:i]) || !utf8.Valid(line[:i]) {
			return plain, false
		}
		plain = append(plain, line[:i]...)
		n, final, parameters := sequence(line[i:])
		// Nothing is behind the end that would be erased.
		if final == 'G' || final == 'K' && first(parameters) != 0 {
			return plain, false
		}
		line = line[i+n:]
	}
}

// Steers reports whether what is seen of some bytes may differ from them.
func Steers(p []byte) bool {
	return bytes.IndexByte(p, escape) >= 0 || bytes.IndexByte(p, '\r') >= 0 || bytes.IndexByte(p, '\b') >= 0
}

// simple reports whether a line is nothing but text.
func simple(line []byte) bool {
	for _, b := range line {
		if b < ' ' && b != '\t' || b == 0x7f || b == 0xc2 { // 0xc2 begins the control characters of C1
			return false
		}
	}
	return true
}

func valid(text []byte) string { return strings.ToValidUTF8(string(text), "\uFFFD") }

// cells writes a line as a terminal would on a row that is wide enough.
func (p *Pen) cells(line []byte) []cell {
	row := make([]cell, 0, len(line))
	at := 0 // where the next character is written; never behind the end
	for len(line) > 0 {
		switch line[0] {
		case escape:
			n, final, parameters := sequence(line)
			line = line[n:]
			switch final {
			case 'm':
				p.style.set(parameters)
			case 'K':
				row, at = erase(row, at, parameters)
			case 'G': // to a column
				at = min(max(first(parameters)-1, 0), len(row))
			}
			continue
		case '\r':
			at = 0
		case '\b':
			at = max(0, at-1)
		default:
			char, n := utf8.DecodeRune(line)
			line = line[n:]
			if char != '\t' && unicode.IsControl(char) {
				continue
			}
			written := cell{char, p.style.seen()}
			if at < len(row) {
				row[at] = written
			} else {
				row = append(row, written)
			}
			at++
			continue
		}
		line = line[1:]
	}
	return row
}

// erase empties the row from a position to its end (0), from its beginning on (1), or all (2).
func erase(row []cell, at int, parameters []int) ([]cell, int) {
	switch first(parameters) {
	case 0:
		return row[:at], at
	case 1:
		for i := range min(at+1, len(row)) {
			row[i] = cell{char: ' '}
		}
		return row, at
	case 2:
		// The cursor stays where it is; what is written next follows the blanks.
		for i := range row[:at] {
			row[i] = cell{char: ' '}
		}
		return row[:at], at
	default:
		return row, at
	}
}

func first(parameters []int) int {
	if len(parameters) == 0 {
		return 0
	}
	return parameters[0]
}

func spans(row []cell) (all []Span) {
	var text strings.Builder
	for i, c := range row {
		text.WriteRune(c.char)
		if i+1 == len(row) || row[i+1].style != c.style {
			all = append(all, Span{text.String(), c.style})
			text.Reset()
		}
	}
	return all
}
