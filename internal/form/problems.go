package form

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/andon-cd/andon/internal/andon"
)

// MaxSize is how many bytes a file may have.
const MaxSize = 256 << 10

// MaxProblems is how many problems are reported of one file.
const MaxProblems = 20

// maxSourceLine bounds the offending line that is kept with a problem, in bytes.
const maxSourceLine = 400

// Words help to say what was probably meant by an unknown key.
type Words struct {
	Elsewhere map[string]string // what other systems call a key → our key
	Homes     map[string]string // a key → where it belongs, in words
	Empty     string            // what to do about a file with nothing in it
}

// A Position is a place in the file: line and column from 1, the column in characters.
type Position struct{ Line, column int }

// Problems collects what is wrong with one file.
type Problems struct {
	name    string
	src     []byte
	words   Words
	list    []*andon.Error
	TooMany bool // something is longer than the format allows: rules between its parts are not checked
}

// NewProblems returns no problems yet of the file src, called name in them.
func NewProblems(name string, src []byte, words Words) *Problems {
	return &Problems{name: name, src: src, words: words}
}

// None reports whether nothing was found.
func (p *Problems) None() bool { return len(p.list) == 0 }

// Add records a problem, unless there are enough already, or the same sentence about the
// same position (an alias repeats a text).
func (p *Problems) Add(at Position, hint, format string, args ...any) {
	if len(p.list) >= MaxProblems {
		return
	}
	at.Line, at.column = max(at.Line, 1), max(at.column, 1)
	e := andon.Errorf(andon.KindInvalid, format, args...)
	e.Hint = hint
	e.File, e.Line, e.Column = p.name, at.Line, at.column
	e.Source = p.line(at.Line)
	same := func(o *andon.Error) bool {
		return o.Line == e.Line && o.Column == e.Column && o.Message == e.Message
	}
	if !slices.ContainsFunc(p.list, same) {
		p.list = append(p.list, e)
	}
}

// nearest returns the candidate that is nearest to what was written at a position, or "".
// It looks only for problems that add will keep, so that a file cannot make it compare
// forever.
func (p *Problems) nearest(at Position, wrote string, candidates []string) string {
	known := func(e *andon.Error) bool { return e.Line == at.Line && e.Column == at.column }
	if len(p.list) >= MaxProblems || slices.ContainsFunc(p.list, known) {
		return ""
	}
	return Nearest(wrote, candidates)
}

// HintNearest returns "did you mean …?" when a candidate is near, and otherwise the other
// hint.
func (p *Problems) HintNearest(at Position, wrote string, candidates []string, otherwise string) string {
	if best := p.nearest(at, wrote, candidates); best != "" {
		return didYouMean(best)
	}
	return otherwise
}

func didYouMean(s string) string { return "did you mean " + strconv.Quote(s) + "?" }

// Sorted returns the problems in the order of the file.
func (p *Problems) Sorted() []*andon.Error {
	slices.SortStableFunc(p.list, func(a, b *andon.Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p.list
}

// line returns the nth line of the file without its end, as valid UTF-8, cut when it is
// very long.
func (p *Problems) line(n int) string {
	rest := p.src
	for ; n > 1; n-- {
		end := bytes.IndexAny(rest, "\r\n")
		if end < 0 {
			return ""
		}
		if rest[end] == '\r' && end+1 < len(rest) && rest[end+1] == '\n' {
			end++
		}
		rest = rest[end+1:]
	}
	if end := bytes.IndexAny(rest, "\r\n"); end >= 0 {
		rest = rest[:end]
	}
	rest = bytes.TrimPrefix(rest, byteOrderMark)
	if len(rest) > maxSourceLine {
		rest = rest[:maxSourceLine]
		for len(rest) > maxSourceLine-utf8.UTFMax && !utf8.Valid(rest) {
			rest = rest[:len(rest)-1]
		}
	}
	return strings.ToValidUTF8(string(rest), "\uFFFD")
}

// Format returns problems as text for a terminal: the position and the sentence, then the
// line with a caret under the column, then the hint. It ends with a line break, and is
// empty without problems.
func Format(problems []*andon.Error) string {
	var b strings.Builder
	for _, e := range problems {
		if e.File != "" {
			fmt.Fprintf(&b, "%s:%d:%d: ", e.File, e.Line, e.Column)
		}
		b.WriteString(e.Message + "\n")
		if strings.TrimSpace(e.Source) != "" {
			source, caret := window(e.Source, e.Column)
			fmt.Fprintf(&b, "  %s\n  %s^\n", source, caret)
		}
		if e.Hint != "" {
			fmt.Fprintf(&b, "  %s\n", e.Hint)
		}
	}
	return b.String()
}

// windowWidth is how many characters of a line Format shows.
const windowWidth = 100

// window returns the part of a line around a column that fits a terminal, and the blanks
// that bring a caret below the column. Control characters never reach the terminal.
func window(line string, column int) (shown, blanks string) {
	chars := []rune(line)
	at := min(max(column-1, 0), len(chars))
	from := 0
	if at > windowWidth*3/4 {
		from = at - windowWidth/2
	}
	to := min(from+windowWidth, len(chars))
	for i := range chars {
		if chars[i] < ' ' && chars[i] != '\t' || chars[i] == 0x7f {
			chars[i] = '\uFFFD'
		}
	}
	for _, c := range chars[from:at] {
		switch {
		case c == '\t':
			blanks += "\t"
		case wide(c):
			blanks += "  "
		default:
			blanks += " "
		}
	}
	shown = string(chars[from:to])
	if from > 0 {
		shown, blanks = "… "+shown, "  "+blanks
	}
	if to < len(chars) {
		shown += " …"
	}
	return shown, blanks
}

// wide reports whether a terminal shows c two columns wide: roughly, East Asian scripts
// and emoji.
func wide(c rune) bool {
	return c >= 0x1100 && c <= 0x115f || c >= 0x2e80 && c <= 0xa4cf || c >= 0xac00 && c <= 0xd7a3 ||
		c >= 0xf900 && c <= 0xfaff || c >= 0xfe30 && c <= 0xfe6f || c >= 0xff00 && c <= 0xff60 ||
		c >= 0x1f300 && c <= 0x1faff
}
