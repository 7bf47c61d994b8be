package screen

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Width returns how many cells of a terminal a line takes. Escape sequences that set colours
// (ESC [ … m) take none; no others may be in it.
func Width(line string) int {
	cells := 0
	for len(line) > 0 {
		n, w := step(line)
		cells += w
		line = line[n:]
	}
	return cells
}

// Cut returns as much of a line as fits into so many cells; what was cut off ends in an ellipsis.
// Colours end with it.
func Cut(line string, cells int) string {
	if Width(line) <= cells {
		return line
	}
	var b strings.Builder
	coloured := false
	for room := cells - 1; len(line) > 0; {
		n, w := step(line)
		if w > room {
			break
		}
		coloured = coloured || line[0] == escape
		b.WriteString(line[:n])
		room -= w
		line = line[n:]
	}
	if cells > 0 {
		b.WriteString("…")
	}
	if coloured {
		b.WriteString(plain)
	}
	return b.String()
}

// Pad returns a line that takes exactly so many cells: cut, or with spaces behind it.
func Pad(line string, cells int) string {
	line = Cut(line, cells)
	return line + strings.Repeat(" ", cells-Width(line))
}

const (
	escape = 0x1b
	plain  = "\x1b[0m"
)

// step returns the length in bytes of what comes first in a line, and how many cells it takes.
func step(line string) (bytes, cells int) {
	if line[0] == escape {
		if end := strings.IndexByte(line, 'm'); end > 0 {
			return end + 1, 0
		}
		return len(line), 0
	}
	r, n := utf8.DecodeRuneInString(line)
	return n, runeCells(r)
}

// runeCells returns how many cells a rune takes: by Unicode's East Asian Width (UAX #11), and none
// if it only changes the one before it.
func runeCells(r rune) int {
	switch {
	case r < ' ' || unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r < 0x300:
		return 1
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}
