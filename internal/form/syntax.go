package form

import (
	"errors"
	"strings"

	"github.com/goccy/go-yaml/token"
)

// addSyntaxError reports an error of the YAML library in our form.
func addSyntaxError(err error, found *Problems) {
	var at Position
	message := unreadable
	if e, ok := errors.AsType[interface {
		error
		GetMessage() string
		GetToken() *token.Token
	}](err); ok {
		at, message = positionOf(e.GetToken()), e.GetMessage()
	}
	if deeper, ok := indentedBelow(at, message, found); ok {
		found.Add(deeper, "indent it like the keys that it belongs to", "this key is indented more than the line before allows")
		return
	}
	sentence, hint := explainSyntax(message)
	found.Add(at, hint, "%s", strings.ToValidUTF8(sentence, "\uFFFD"))
}

const unreadable = "this is not YAML that Andon can read"

// indentedBelow returns where the next line begins, when that is where a misplaced key is:
// the library reports the value before it.
func indentedBelow(at Position, message string, found *Problems) (Position, bool) {
	if !strings.Contains(message, "mapping value is not allowed") {
		return at, false
	}
	if chars := []rune(found.line(at.Line)); at.column > len(chars) || strings.Contains(string(chars[at.column-1:])+" ", ": ") {
		return at, false
	}
	const farthest = 100 // lines of comments and blanks between
	for line := at.Line + 1; line <= at.Line+farthest; line++ {
		text := found.line(line)
		written := strings.TrimLeft(text, " ")
		if written == "" || written[0] == '#' {
			continue
		}
		return Position{line, len(text) - len(written) + 1}, true
	}
	return at, false
}

// explainSyntax returns our sentence and hint for a message of the YAML library.
func explainSyntax(message string) (sentence, hint string) {
	for _, known := range []struct{ part, sentence, hint string }{
		{"character '\t'", "a tab indents this line", "indent with spaces; YAML does not allow tabs"},
		{"found a tab character", "a tab indents this line", "indent with spaces; YAML does not allow tabs"},
		{"mapping value is not allowed", "a second key is not allowed here", "put a text that contains \": \" in quotes"},
		{"',' or ']' must be specified", "a list in [ ] is not closed before this", "end it with ], and separate its values with commas"},
		{"sequence end token ']'", "a list in [ ] is never closed", "end it with ]"},
		{"',' or '}' must be specified", "a mapping in { } is not closed before this", "end it with }, and separate its keys with commas"},
		{"flow mapping end token '}'", "a mapping in { } is never closed", "end it with }"},
		{"corresponding to ']'", "this ] closes nothing", "remove it, or put the text in quotes"},
		{"corresponding to '}'", "this } closes nothing", "remove it, or put the text in quotes"},
		{"double-quoted text", "a text in double quotes is never closed", `end it with "`},
		{"single-quoted text", "a text in single quotes is never closed", "end it with '"},
		{"is a reserved character", "a text cannot begin with this character", "put the text in quotes"},
		{"non-map value is specified", "a key without a value, or a text at the wrong indentation", "write KEY: VALUE, indented like the keys around it"},
		{"unexpected key name", "this is not a key: a colon is missing", "write KEY: VALUE, with a blank after the colon"},
		{"value is not allowed in this context", "a value is not allowed here", "check the indentation; put a text that contains special characters in quotes"},
		{unreadable, unreadable, "check the line, and the quotes and brackets before it"},
	} {
		if strings.Contains(message, known.part) {
			return known.sentence, known.hint
		}
	}
	return "this is not valid YAML: " + oneLine(message), "check the indentation, quotes and brackets of this line and the one before"
}

// oneLine returns a text without line breaks and tabs.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
