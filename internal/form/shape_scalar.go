package form

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/andon-cd/andon/internal/andon"
)

// A Text is a scalar.
type Text struct {
	Noun    string         // what it is: "a command"
	Pattern *regexp.Regexp // nil: anything; RE2 that is also ECMA 262, for the schema
	Refused *regexp.Regexp // what pattern allows, and is refused all the same; nil: nothing
	Rule    string         // in words: what pattern accepts
	Why     func(s string) string
	Most    int      // characters; 0: no limit of its own
	Empty   bool     // may be empty
	Plain   bool     // numbers and booleans are taken as written, too
	Boolean bool     // booleans are taken as written, too: true and false are commands
	example []string // for editors
}

// Name is the name of a service, an environment, a host, a stage or a job.
var Name = Text{Noun: "a name", Rule: andon.NameRule, Most: andon.LongestName, Pattern: andon.NamePattern}

func (t Text) want() string { return t.Noun }

// Check implements Shape.
func (t Text) Check(n *Node, path string, found *Problems) {
	switch {
	case n.Kind == brokenNode:
	case n.Kind == textNode, t.Plain && n.Scalar(), t.Boolean && n.Kind == booleanNode:
		t.checkText(n.Text, n.At, path, found)
	case n.Scalar():
		found.Add(n.At, "put it in quotes: "+strconv.Quote(oneLine(n.Text)), "%s must be %s, not %s", path, t.Noun, describe(n))
	case n.Kind == nullNode && t.Empty:
		found.Add(n.At, `write "" for an empty one`, "%s has no value", path)
	default:
		isKind(n, textNode, t.Noun, "", path, found)
	}
}

// checkText checks what the text says; subject is where it is written.
func (t Text) checkText(s string, at Position, subject string, found *Problems) bool {
	switch {
	case strings.TrimSpace(s) == "" && !t.Empty:
		found.Add(at, "write "+t.Noun+" here", "%s is empty", subject)
	case strings.ContainsRune(s, 0):
		found.Add(at, `remove the \0`, "%s contains a zero byte", subject)
	case t.Most > 0 && utf8.RuneCountInString(s) > t.Most:
		found.Add(at, "write a shorter one", "%s: %s is longer than %d characters", subject, Quoted(s), t.Most)
	case t.Pattern != nil && !t.Pattern.MatchString(s), t.Refused != nil && t.Refused.MatchString(s):
		reason := "is not " + t.Noun
		if t.Why != nil {
			reason = t.Why(s)
		}
		found.Add(at, t.Rule, "%s: %s %s", subject, Quoted(s), reason)
	default:
		return true
	}
	return false
}

// Schema implements Shape.
func (t Text) Schema() SchemaObject {
	s := SchemaObject{"type": "string"}
	switch {
	case t.Plain:
		s["type"] = []string{"string", "number", "boolean"}
	case t.Boolean:
		s["type"] = []string{"string", "boolean"}
	}
	if t.Pattern != nil {
		s["pattern"] = t.Pattern.String()
	} else if !t.Empty {
		s["pattern"] = `\S`
	}
	if t.Refused != nil {
		s["not"] = SchemaObject{"pattern": t.Refused.String()}
	}
	if t.Most > 0 {
		s["maxLength"] = t.Most
	}
	if len(t.example) > 0 {
		s["examples"] = t.example
	}
	return s
}

// A Choice is one of a few words.
type Choice struct{ Words []string }

func (c Choice) want() string { return strings.Join(c.Words, " or ") }

// Check implements Shape.
func (c Choice) Check(n *Node, path string, found *Problems) {
	if n.Kind == brokenNode || n.Kind == textNode && slices.Contains(c.Words, n.Text) {
		return
	}
	found.Add(n.At, found.HintNearest(n.At, n.Str(), c.Words, "write "+c.want()), "%s must be %s, not %s", path, c.want(), describe(n))
}

// Schema implements Shape.
func (c Choice) Schema() SchemaObject { return SchemaObject{"enum": c.Words} }

// A Whole is a whole number.
type Whole struct{ Least, Most int }

func (w Whole) want() string {
	return "a whole number from " + strconv.Itoa(w.Least) + " to " + strconv.Itoa(w.Most)
}

var decimal = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)$`)

// Check implements Shape.
func (w Whole) Check(n *Node, path string, found *Problems) {
	if n.Kind == brokenNode {
		return
	}
	if n.Kind == integerNode && decimal.MatchString(n.Text) {
		if i, err := strconv.Atoi(n.Text); err == nil && i >= w.Least && i <= w.Most {
			return
		}
	}
	hint := "write " + w.want()
	if n.Kind == textNode && decimal.MatchString(n.Text) {
		hint = "write it without quotes"
	}
	found.Add(n.At, hint, "%s must be %s, not %s", path, w.want(), describe(n))
}

// Schema implements Shape.
func (w Whole) Schema() SchemaObject {
	return SchemaObject{"type": "integer", "minimum": w.Least, "maximum": w.Most}
}

// A Fraction is a number that may have decimals.
type Fraction struct{ Least, Most float64 }

func (f Fraction) want() string {
	return "a number from " + strconv.FormatFloat(f.Least, 'f', -1, 64) + " to " + strconv.FormatFloat(f.Most, 'f', -1, 64)
}

var fraction = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$`)

// Check implements Shape.
func (f Fraction) Check(n *Node, path string, found *Problems) {
	if n.Kind == brokenNode {
		return
	}
	if (n.Kind == integerNode || n.Kind == floatNode) && fraction.MatchString(n.Text) {
		if x, err := strconv.ParseFloat(n.Text, 64); err == nil && x >= f.Least && x <= f.Most {
			return
		}
	}
	found.Add(n.At, "write "+f.want(), "%s must be %s, not %s", path, f.want(), describe(n))
}

// Schema implements Shape.
func (f Fraction) Schema() SchemaObject {
	return SchemaObject{"type": "number", "minimum": f.Least, "maximum": f.Most}
}

// A Span is a duration as Go writes it. The bounds are beyond JSON Schema: there, only
// the form is checked.
type Span struct{ Least, Most time.Duration }

func (s Span) want() string { return "a duration such as 10s or 5m" }

var spanPattern = regexp.MustCompile(`^(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+$`)

// Check implements Shape.
func (s Span) Check(n *Node, path string, found *Problems) {
	switch {
	case n.Kind == brokenNode:
		return
	case n.Kind == integerNode || n.Kind == floatNode || n.Kind == textNode && decimal.MatchString(n.Text):
		found.Add(n.At, "write "+oneLine(n.Text)+"s for seconds, "+oneLine(n.Text)+"m for minutes", "%s needs a unit: %s", path, oneLine(n.Text))
		return
	case n.Kind != textNode || !spanPattern.MatchString(n.Text):
		found.Add(n.At, "the units are ms, s, m and h, as in 500ms, 10s, 5m or 1h30m", "%s must be %s, not %s", path, s.want(), describe(n))
		return
	}
	if d, err := time.ParseDuration(n.Text); err != nil || d < s.Least || d > s.Most {
		found.Add(n.At, "write a duration from "+andon.Brief(s.Least)+" to "+andon.Brief(s.Most), "%s must be from %s to %s, not %s", path, andon.Brief(s.Least), andon.Brief(s.Most), Quoted(n.Text))
	}
}

// Schema implements Shape.
func (s Span) Schema() SchemaObject {
	return SchemaObject{"type": "string", "pattern": spanPattern.String(), "examples": []string{"10s", "5m"}}
}
