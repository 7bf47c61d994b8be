package logs

import (
	"bytes"
	"regexp"
	"unicode/utf8"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/ansi"
)

// maxPattern bounds the bytes of a text that is searched for.
const maxPattern = 1000

// A Pattern is what lines are searched for.
type Pattern struct {
	text  []byte         // in lower case with fold; nil: expression says it
	fold  bool           // letters of ASCII are compared without their case
	regex *regexp.Regexp // finds the text, too, wherever speed does not matter
}

// NewPattern returns the pattern of a text, or of an expression (the syntax of RE2), with or
// without regard to the case of letters.
func NewPattern(text string, matchCase, expression bool) (*Pattern, error) {
	if text == "" || len(text) > maxPattern || !utf8.ValidString(text) {
		return nil, andon.Errorf(andon.KindInvalid, "a text to search for has 1 to %d bytes of UTF-8", maxPattern)
	}
	source := text
	if !expression {
		source = regexp.QuoteMeta(text)
	}
	if !matchCase {
		source = "(?i)" + source
	}
	regex, err := regexp.Compile(source)
	if err != nil {
		return nil, andon.Errorf(andon.KindInvalid, "%.100q is not a regular expression", text).
			WithHint("search for it as plain text, or see the syntax of RE2").Because(err)
	}
	p := &Pattern{fold: !matchCase, regex: regex}
	switch {
	case expression || p.fold && !ascii(text):
	case p.fold:
		p.text = bytes.ToLower([]byte(text))
	default:
		p.text = []byte(text)
	}
	return p, nil
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Find returns where a line as it is seen matches: at most n places, each from a byte to another.
func (p *Pattern) Find(line string, n int) [][]int { return p.regex.FindAllStringIndex(line, n) }

// match reports whether a line matches as it is seen. scratch is memory for it.
func (p *Pattern) match(line, scratch []byte) bool {
	line = ansi.Plain(line)
	switch {
	case p.text == nil:
		return p.regex.Match(line)
	case p.fold:
		return bytes.Contains(lower(scratch, line), p.text)
	default:
		return bytes.Contains(line, p.text)
	}
}

// quick reports whether whole lines can be searched at once, and returns what of them is compared.
// lowered is memory for as many bytes.
func (p *Pattern) quick(lines, lowered []byte) (compared []byte, ok bool) {
	switch {
	case p.text == nil || ansi.Steers(lines):
		return nil, false
	case p.fold:
		return lower(lowered, lines), true
	default:
		return lines, true
	}
}

// nextQuick returns where the first line begins that matches, and where it ends; -1: none does.
func (p *Pattern) nextQuick(compared []byte) (begin, end int) {
	i := bytes.Index(compared, p.text)
	if i < 0 {
		return -1, len(compared)
	}
	return bytes.LastIndexByte(compared[:i], '\n') + 1, lineEnd(compared, i)
}

// next is nextQuick for lines that are looked at one by one.
func (p *Pattern) next(lines, scratch []byte) (begin, end int) {
	for begin < len(lines) {
		end = lineEnd(lines, begin)
		if p.match(bytes.TrimSuffix(lines[begin:end], newline), scratch) {
			return begin, end
		}
		begin = end
	}
	return -1, len(lines)
}

// lineEnd returns where the line ends that has the byte at i, with its newline.
func lineEnd(lines []byte, i int) int {
	if n := bytes.IndexByte(lines[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(lines)
}

func lower(to, p []byte) []byte {
	to = append(to[:0], p...)
	for i, b := range to {
		if b-'A' < 26 {
			b += 'a' - 'A'
		}
		to[i] = b
	}
	return to
}
