package pipeline

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// readText checks the encoding and returns the text with \n as its only line break.
func readText(src []byte, found *problems) (string, bool) {
	if len(src) > MaxSize {
		found.add(position{1, 1}, "move long scripts into files of the repository and run those", "the file has %d bytes and may have %d", len(src), MaxSize)
		return "", false
	}
	if bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")) {
		found.add(position{1, 1}, "save it as UTF-8", "the file is UTF-16, not UTF-8")
		return "", false
	}
	text := string(bytes.TrimPrefix(src, byteOrderMark))
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	at := position{1, 1}
	for i, c := range text {
		switch {
		case c == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			found.add(at, "save the file as UTF-8", "the byte 0x%02x here is not UTF-8", text[i])
			return "", false
		case c == '\n':
			at = position{at.line + 1, 1}
			continue
		case c < ' ' && c != '\t' || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff:
			found.add(at, "remove it; it may not be visible in your editor", "the character U+%04X is not allowed", c)
			return "", false
		}
		at.column++
	}
	return text, true
}

// explainSyntax returns our sentence and hint for a message of the YAML library.
func explainSyntax(message string) (sentence, hint string) {
	for _, known := range []struct{ part, sentence, hint string }{
		{"character '\t'", "a tab indents this line", "indent with spaces; YAML does not allow tabs"},
		{"found a tab character", "a tab indents this line", "indent with spaces; YAML does not allow tabs"},
		{"mapping value is not allowed", "a key is not allowed here", "check the indentation of this line and the next; put a text that contains \": \" in quotes"},
		{"',' or ']' must be specified", "a list in [ ] is not closed before this", "end it with ], and separate its values with commas"},
		{"sequence end token ']'", "a list in [ ] is never closed", "end it with ]"},
		{"',' or '}' must be specified", "a mapping in { } is not closed before this", "end it with }, and separate its keys with commas"},
		{"flow mapping end token '}'", "a mapping in { } is never closed", "end it with }"},
		{"double-quoted text", "a text in double quotes is never closed", `end it with "`},
		{"single-quoted text", "a text in single quotes is never closed", "end it with '"},
		{"is a reserved character", "a text cannot begin with this character", "put the text in quotes"},
		{"non-map value is specified", "a key without a value, or a text at the wrong indentation", "write KEY: VALUE, indented like the keys around it"},
		{"unexpected key name", "this is not a key: a colon is missing", "write KEY: VALUE"},
		{"value is not allowed in this context", "a value is not allowed here", "check the indentation; put a text that contains special characters in quotes"},
		{"this is not YAML that Andon can read", "this is not YAML that Andon can read", "check the line, and the quotes and brackets before it"},
	} {
		if strings.Contains(message, known.part) {
			return known.sentence, known.hint
		}
	}
	return "this is not valid YAML: " + oneLine(message), "check the indentation, quotes and brackets of this line and the one before"
}

// oneLine returns a text without line breaks and tabs.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
