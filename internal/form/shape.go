package form

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Shape says what a value of a file may be. It checks a value of a file, and
// describes itself as JSON Schema; both read the same fields, so they agree.
type Shape interface {
	// Check reports what is wrong with n, which is written at path ("commit.jobs.test").
	Check(n *Node, path string, found *Problems)
	// Schema returns the shape as JSON Schema.
	Schema() SchemaObject
	// want says in words what is accepted: "a list", "a duration such as 10s".
	want() string
}

// A Field is one key of an object.
type Field struct {
	Key      string
	Doc      string // for editors: what it means, and its default
	Shape    Shape  // nil: known, but refused as instead says
	Required bool
	Instead  string // of a key that is not built yet: what to do instead
}

// An Object is a mapping with known keys.
type Object struct {
	Fields  []Field
	Example string // in hints: how to write one
	Some    []string
	One     []string // exactly one of these keys must be there; of some, at least one
	None    string   // the sentence when none of some or one is there, and its hint
	Hint    string
}

func (o Object) want() string { return "a mapping" }

// Check implements Shape.
func (o Object) Check(n *Node, path string, found *Problems) {
	if !isKind(n, MappingNode, o.want(), o.Example, path, found) {
		return
	}
	var misspelled []string // not also missing
	for i := range n.Entries {
		e := &n.Entries[i]
		f := o.field(e.Key)
		switch {
		case f == nil:
			meant, hint := o.meant(e, n, found)
			misspelled = append(misspelled, meant)
			found.Add(e.At, hint, "unknown key %s%s", Quoted(e.Key), within(path))
		case f.Shape == nil:
			found.Add(e.At, f.Instead, "the key %s%s is known, but this version of Andon does not support it yet", Quoted(e.Key), within(path))
		default:
			f.Shape.Check(e.Value, joinPath(path, e.Key), found)
		}
	}
	for _, f := range o.Fields {
		if f.Required && n.Entry(f.Key) == nil && !slices.Contains(misspelled, f.Key) {
			found.Add(n.At, "it is "+f.Doc, "the key %s is missing%s", Quoted(f.Key), within(path))
		}
	}
	o.checkChoice(n, path, found)
}

// checkChoice checks the keys of which one, or at least one, must be there.
func (o Object) checkChoice(n *Node, path string, found *Problems) {
	var there []Entry
	for _, e := range n.Entries {
		if slices.Contains(o.One, e.Key) || slices.Contains(o.Some, e.Key) {
			there = append(there, e)
		}
	}
	switch {
	case o.None == "":
	case len(there) == 0:
		found.Add(n.At, o.Hint, "%s %s", pathOr(path, "the file"), o.None)
	case len(o.One) > 0 && len(there) > 1:
		found.Add(there[1].At, "keep one of them, and write a second item for the other", "%s has both %s and %s", path, Quoted(there[0].Key), Quoted(there[1].Key))
	}
}

func (o Object) field(key string) *Field {
	for i := range o.Fields {
		if o.Fields[i].Key == key {
			return &o.Fields[i]
		}
	}
	return nil
}

// required returns the first key that must be there, or "".
func (o Object) required() string {
	for _, f := range o.Fields {
		if f.Required {
			return f.Key
		}
	}
	return ""
}

// meant returns the key of this object that was probably meant by an unknown one, or "",
// and a hint: it is spelled like it, others call it so, or it belongs elsewhere.
func (o Object) meant(e *Entry, n *Node, found *Problems) (key, hint string) {
	var open, all []string
	for _, f := range o.Fields {
		if f.Shape == nil {
			continue
		}
		all = append(all, f.Key)
		if n.Entry(f.Key) == nil {
			open = append(open, f.Key)
		}
	}
	if strings.ContainsAny(e.Key, " \t") { // no key has one: it is half of a text
		return o.required(), `put a text that contains ": " in quotes`
	}
	meant := found.words.Elsewhere[strings.ToLower(e.Key)]
	if !slices.Contains(all, meant) {
		meant = found.nearest(e.At, e.Key, open)
	}
	switch {
	case meant != "":
		return meant, didYouMean(meant)
	case found.words.Homes[e.Key] != "":
		return "", "the key " + strconv.Quote(e.Key) + " belongs in " + found.words.Homes[e.Key]
	case len(all) == 0:
		return "", "no key is accepted here"
	default:
		return "", "known here: " + Names(all)
	}
}

// Schema implements Shape.
func (o Object) Schema() SchemaObject {
	properties, required := SchemaObject{}, []string{}
	for _, f := range o.Fields {
		if f.Shape == nil {
			continue
		}
		property := f.Shape.Schema()
		property["description"] = f.Doc
		properties[f.Key] = property
		if f.Required {
			required = append(required, f.Key)
		}
	}
	s := SchemaObject{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	if len(o.One) > 0 {
		s["oneOf"] = requireEach(o.One)
	}
	if len(o.Some) > 0 {
		s["anyOf"] = requireEach(o.Some)
	}
	return s
}

func requireEach(keys []string) []SchemaObject {
	var each []SchemaObject
	for _, k := range keys {
		each = append(each, SchemaObject{"required": []string{k}})
	}
	return each
}

// A Mapping has keys that the user chooses.
type Mapping struct {
	Key     Text // what a key must be
	Value   Shape
	Least   int
	Most    int
	Noun    string // what one entry is: "job"
	Example string
}

func (m Mapping) want() string { return "a mapping" }

// Check implements Shape.
func (m Mapping) Check(n *Node, path string, found *Problems) {
	if !isKind(n, MappingNode, m.want(), m.Example, path, found) {
		return
	}
	if len(n.Entries) < m.Least {
		found.Add(n.At, m.Example, "%s has no %s", path, m.Noun)
	}
	if m.Most > 0 && len(n.Entries) > m.Most {
		found.TooMany = true
		found.Add(n.Entries[m.Most].At, "write fewer", "%s has %d entries and may have %d", path, len(n.Entries), m.Most)
	}
	for i := range n.Entries {
		e := &n.Entries[i]
		if !m.Key.checkText(e.Key, e.At, path, found) {
			continue
		}
		m.Value.Check(e.Value, joinPath(path, e.Key), found)
	}
}

// Schema implements Shape.
func (m Mapping) Schema() SchemaObject {
	keys := m.Key.Schema()
	delete(keys, "type")
	s := SchemaObject{"type": "object", "propertyNames": keys, "additionalProperties": m.Value.Schema()}
	if m.Least > 0 {
		s["minProperties"] = m.Least
	}
	if m.Most > 0 {
		s["maxProperties"] = m.Most
	}
	return s
}

// A List has items of one shape.
type List struct {
	Item    Shape
	Least   int
	Most    int
	Noun    string
	Example string
}

func (l List) want() string { return "a list" }

// Check implements Shape.
func (l List) Check(n *Node, path string, found *Problems) {
	if !isKind(n, listNode, l.want(), l.Example, path, found) {
		return
	}
	if len(n.Items) < l.Least {
		found.Add(n.At, l.Example, "%s has no %s", path, l.Noun)
	}
	if len(n.Items) > l.Most {
		found.TooMany = true
		found.Add(n.Items[l.Most].At, "write fewer", "%s has %d items and may have %d", path, len(n.Items), l.Most)
	}
	for i, item := range n.Items {
		l.Item.Check(item, fmt.Sprintf("%s[%d]", path, i), found)
	}
}

// Schema implements Shape.
func (l List) Schema() SchemaObject {
	s := SchemaObject{"type": "array", "items": l.Item.Schema(), "maxItems": l.Most}
	if l.Least > 0 {
		s["minItems"] = l.Least
	}
	return s
}

// An Either takes a scalar, a list or a mapping, each in its own shape; nil: not that one.
type Either struct{ Scalar, List, Mapping Shape }

func (e Either) want() string {
	var all []string
	for _, s := range []Shape{e.Scalar, e.List, e.Mapping} {
		if s != nil {
			all = append(all, s.want())
		}
	}
	return strings.Join(all, " or ")
}

// Check implements Shape.
func (e Either) Check(n *Node, path string, found *Problems) {
	switch {
	case n.Kind == brokenNode:
	case e.List != nil && n.Kind == listNode:
		e.List.Check(n, path, found)
	case e.Mapping != nil && n.Kind == MappingNode:
		e.Mapping.Check(n, path, found)
	case n.Scalar():
		e.Scalar.Check(n, path, found)
	default:
		isKind(n, brokenNode, e.want(), "", path, found)
	}
}

// Schema implements Shape.
func (e Either) Schema() SchemaObject {
	var all []SchemaObject
	for _, s := range []Shape{e.Scalar, e.List, e.Mapping} {
		if s != nil {
			all = append(all, s.Schema())
		}
	}
	return SchemaObject{"oneOf": all}
}

// isKind reports whether n is of a kind, and records the problem if not. What a problem
// was reported for already is nothing, silently.
func isKind(n *Node, kind nodeKind, want, example, path string, found *Problems) bool {
	if n.Kind == kind {
		return true
	}
	switch n.Kind {
	case brokenNode:
	case nullNode:
		found.Add(n.At, hintOr(example, want), "%s has no value, and must be %s", pathOr(path, "the file"), want)
	default:
		found.Add(n.At, hintOr(example, want), "%s must be %s, not %s", pathOr(path, "the file"), want, describe(n))
	}
	return false
}

func hintOr(example, want string) string {
	if example != "" {
		return example
	}
	return "write " + want + " here"
}

// describe says what was written.
func describe(n *Node) string {
	switch n.Kind {
	case textNode:
		return "the text " + Quoted(n.Text)
	case integerNode, floatNode, booleanNode:
		return oneLine(n.Text)
	default:
		return n.Kind.String()
	}
}

func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func pathOr(path, otherwise string) string {
	if path == "" {
		return otherwise
	}
	return path
}

func within(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}
