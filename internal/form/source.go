package form

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// maxLines bounds the lines of a file. The YAML library takes minutes over a block of text
// with 200,000 empty lines.
const maxLines = 5000

var byteOrderMark = []byte("\xef\xbb\xbf")

// readText checks the encoding and returns the text with \n as its only line break.
func readText(src []byte, found *Problems) (string, bool) {
	if len(src) > MaxSize {
		found.Add(Position{1, 1}, "move long scripts into files of the repository and run those", "the file has %d bytes and may have %d", len(src), MaxSize)
		return "", false
	}
	if bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")) {
		found.Add(Position{1, 1}, "save it as UTF-8", "the file is UTF-16, not UTF-8")
		return "", false
	}
	text := string(bytes.TrimPrefix(src, byteOrderMark))
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	at := Position{1, 1}
	for i, c := range text {
		switch {
		case c == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			found.Add(at, "save the file as UTF-8", "the byte 0x%02x here is not UTF-8", text[i])
			return "", false
		case c == '\n' && at.Line > maxLines:
			found.Add(at, "move long scripts into files of the repository and run those", "the file has more than %d lines", maxLines)
			return "", false
		case c == '\n':
			at = Position{at.Line + 1, 1}
			continue
		case c < ' ' && c != '\t' || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff:
			found.Add(at, "remove it; it may not be visible in your editor", "the character U+%04X is not allowed", c)
			return "", false
		}
		at.column++
	}
	return text, true
}
