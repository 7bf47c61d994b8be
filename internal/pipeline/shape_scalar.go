package pipeline

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A text is a scalar.
type text struct {
	noun    string         // what it is: "a command"
	pattern *regexp.Regexp // nil: anything; RE2 that is also ECMA 262, for the schema
	refused *regexp.Regexp // what pattern allows, and is refused all the same; nil: nothing
	rule    string         // in words: what pattern accepts
	why     func(s string) string
	most    int      // characters; 0: no limit of its own
	empty   bool     // may be empty
	plain   bool     // numbers and booleans are taken as written, too
	boolean bool     // booleans are taken as written, too: true and false are commands
	example []string // for editors
}

func (t text) want() string { return t.noun }

func (t text) check(n *node, path string, found *problems) {
	switch {
	case n.kind == brokenNode:
	case n.kind == textNode, t.plain && n.scalar(), t.boolean && n.kind == booleanNode:
		t.checkText(n.text, n.at, path, found)
	case n.scalar():
		found.add(n.at, "put it in quotes: "+strconv.Quote(oneLine(n.text)), "%s must be %s, not %s", path, t.noun, describe(n))
	case n.kind == nullNode && t.empty:
		found.add(n.at, `write "" for an empty one`, "%s has no value", path)
	default:
		isKind(n, textNode, t.noun, "", path, found)
	}
}

// checkText checks what the text says; subject is where it is written.
func (t text) checkText(s string, at position, subject string, found *problems) bool {
	switch {
	case strings.TrimSpace(s) == "" && !t.empty:
		found.add(at, "write "+t.noun+" here", "%s is empty", subject)
	case strings.ContainsRune(s, 0):
		found.add(at, `remove the \0`, "%s contains a zero byte", subject)
	case t.most > 0 && utf8.RuneCountInString(s) > t.most:
		found.add(at, "write a shorter one", "%s: %s is longer than %d characters", subject, quoted(s), t.most)
	case t.pattern != nil && !t.pattern.MatchString(s), t.refused != nil && t.refused.MatchString(s):
		reason := "is not " + t.noun
		if t.why != nil {
			reason = t.why(s)
		}
		found.add(at, t.rule, "%s: %s %s", subject, quoted(s), reason)
	default:
		return true
	}
	return false
}

func (t text) schema() schemaObject {
	s := schemaObject{"type": "string"}
	switch {
	case t.plain:
		s["type"] = []string{"string", "number", "boolean"}
	case t.boolean:
		s["type"] = []string{"string", "boolean"}
	}
	if t.pattern != nil {
		s["pattern"] = t.pattern.String()
	} else if !t.empty {
		s["pattern"] = `\S`
	}
	if t.refused != nil {
		s["not"] = schemaObject{"pattern": t.refused.String()}
	}
	if t.most > 0 {
		s["maxLength"] = t.most
	}
	if len(t.example) > 0 {
		s["examples"] = t.example
	}
	return s
}

// A choice is one of a few words.
type choice struct{ words []string }

func (c choice) want() string { return strings.Join(c.words, " or ") }

func (c choice) check(n *node, path string, found *problems) {
	if n.kind == brokenNode || n.kind == textNode && slices.Contains(c.words, n.text) {
		return
	}
	found.add(n.at, found.hintNearest(n.at, n.str(), c.words, "write "+c.want()), "%s must be %s, not %s", path, c.want(), describe(n))
}

func (c choice) schema() schemaObject { return schemaObject{"enum": c.words} }

// A whole is a whole number.
type whole struct{ least, most int }

func (w whole) want() string {
	return "a whole number from " + strconv.Itoa(w.least) + " to " + strconv.Itoa(w.most)
}

var decimal = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)$`)

func (w whole) check(n *node, path string, found *problems) {
	if n.kind == brokenNode {
		return
	}
	if n.kind == integerNode && decimal.MatchString(n.text) {
		if i, err := strconv.Atoi(n.text); err == nil && i >= w.least && i <= w.most {
			return
		}
	}
	hint := "write " + w.want()
	if n.kind == textNode && decimal.MatchString(n.text) {
		hint = "write it without quotes"
	}
	found.add(n.at, hint, "%s must be %s, not %s", path, w.want(), describe(n))
}

func (w whole) schema() schemaObject {
	return schemaObject{"type": "integer", "minimum": w.least, "maximum": w.most}
}

// A span is a duration as Go writes it. The bounds are beyond JSON Schema: there, only
// the form is checked.
type span struct{ least, most time.Duration }

func (s span) want() string { return "a duration such as 10s or 5m" }

var spanPattern = regexp.MustCompile(`^(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+$`)

func (s span) check(n *node, path string, found *problems) {
	switch {
	case n.kind == brokenNode:
		return
	case n.kind == integerNode || n.kind == floatNode || n.kind == textNode && decimal.MatchString(n.text):
		found.add(n.at, "write "+oneLine(n.text)+"s for seconds, "+oneLine(n.text)+"m for minutes", "%s needs a unit: %s", path, oneLine(n.text))
		return
	case n.kind != textNode || !spanPattern.MatchString(n.text):
		found.add(n.at, "the units are ms, s, m and h, as in 500ms, 10s, 5m or 1h30m", "%s must be %s, not %s", path, s.want(), describe(n))
		return
	}
	if d, err := time.ParseDuration(n.text); err != nil || d < s.least || d > s.most {
		found.add(n.at, "write a duration from "+short(s.least)+" to "+short(s.most), "%s must be from %s to %s, not %s", path, short(s.least), short(s.most), quoted(n.text))
	}
}

func (s span) schema() schemaObject {
	return schemaObject{"type": "string", "pattern": spanPattern.String(), "examples": []string{"10s", "5m"}}
}

// short writes a duration without its zero parts: 24h, not 24h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
