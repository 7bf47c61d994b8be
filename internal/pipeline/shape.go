package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A shape says what a value of andon.yaml may be. It checks a value of a file, and
// describes itself as JSON Schema; both read the same fields, so they agree.
type shape interface {
	// check reports what is wrong with n, which is written at path ("commit.jobs.test").
	check(n *node, path string, found *problems)
	// schema returns the shape as JSON Schema.
	schema() schemaObject
	// want says in words what is accepted: "a list", "a duration such as 10s".
	want() string
}

// A field is one key of an object.
type field struct {
	key      string
	doc      string // for editors: what it means, and its default
	shape    shape  // nil: known, but refused as instead says
	required bool
	instead  string // of a key that is not built yet: what to do instead
}

// An object is a mapping with known keys.
type object struct {
	fields  []field
	example string // in hints: how to write one
	some    []string
	one     []string // exactly one of these keys must be there; of some, at least one
	none    string   // the sentence when none of some or one is there, and its hint
	hint    string
}

func (o object) want() string { return "a mapping" }

func (o object) check(n *node, path string, found *problems) {
	if !isKind(n, mappingNode, o.want(), o.example, path, found) {
		return
	}
	var misspelled []string // not also missing
	for i := range n.entries {
		e := &n.entries[i]
		f := o.field(e.key)
		switch {
		case f == nil:
			meant, hint := o.meant(e, n, found)
			misspelled = append(misspelled, meant)
			found.add(e.at, hint, "unknown key %s%s", quoted(e.key), within(path))
		case f.shape == nil:
			found.add(e.at, f.instead, "the key %s%s is known, but this version of Andon does not support it yet", quoted(e.key), within(path))
		default:
			f.shape.check(e.value, joinPath(path, e.key), found)
		}
	}
	for _, f := range o.fields {
		if f.required && n.entry(f.key) == nil && !slices.Contains(misspelled, f.key) {
			found.add(n.at, "it is "+f.doc, "the key %s is missing%s", quoted(f.key), within(path))
		}
	}
	o.checkChoice(n, path, found)
}

// checkChoice checks the keys of which one, or at least one, must be there.
func (o object) checkChoice(n *node, path string, found *problems) {
	var there []entry
	for _, e := range n.entries {
		if slices.Contains(o.one, e.key) || slices.Contains(o.some, e.key) {
			there = append(there, e)
		}
	}
	switch {
	case o.none == "":
	case len(there) == 0:
		found.add(n.at, o.hint, "%s %s", pathOr(path, "the file"), o.none)
	case len(o.one) > 0 && len(there) > 1:
		found.add(there[1].at, "keep one of them, and write a second item for the other", "%s has both %s and %s", path, quoted(there[0].key), quoted(there[1].key))
	}
}

func (o object) field(key string) *field {
	for i := range o.fields {
		if o.fields[i].key == key {
			return &o.fields[i]
		}
	}
	return nil
}

// meant returns the key of this object that was probably meant by an unknown one, or "",
// and a hint: it is spelled like it, others call it so, or it belongs elsewhere.
func (o object) meant(e *entry, n *node, found *problems) (key, hint string) {
	var open, all []string
	for _, f := range o.fields {
		if f.shape == nil {
			continue
		}
		all = append(all, f.key)
		if n.entry(f.key) == nil {
			open = append(open, f.key)
		}
	}
	meant := elsewhere[strings.ToLower(e.key)]
	if !slices.Contains(all, meant) {
		meant = found.nearest(e.at, e.key, open)
	}
	switch {
	case meant != "":
		return meant, didYouMean(meant)
	case homes[e.key] != "":
		return "", "the key " + strconv.Quote(e.key) + " belongs in " + homes[e.key]
	case len(all) == 0:
		return "", "no key is accepted here"
	default:
		return "", "known here: " + names(all)
	}
}

func (o object) schema() schemaObject {
	properties, required := schemaObject{}, []string{}
	for _, f := range o.fields {
		if f.shape == nil {
			continue
		}
		property := f.shape.schema()
		property["description"] = f.doc
		properties[f.key] = property
		if f.required {
			required = append(required, f.key)
		}
	}
	s := schemaObject{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	if len(o.one) > 0 {
		s["oneOf"] = requireEach(o.one)
	}
	if len(o.some) > 0 {
		s["anyOf"] = requireEach(o.some)
	}
	return s
}

func requireEach(keys []string) []schemaObject {
	var each []schemaObject
	for _, k := range keys {
		each = append(each, schemaObject{"required": []string{k}})
	}
	return each
}

// A mapping has keys that the user chooses.
type mapping struct {
	key     text // what a key must be
	value   shape
	least   int
	most    int
	noun    string // what one entry is: "job"
	example string
}

func (m mapping) want() string { return "a mapping" }

func (m mapping) check(n *node, path string, found *problems) {
	if !isKind(n, mappingNode, m.want(), m.example, path, found) {
		return
	}
	if len(n.entries) < m.least {
		found.add(n.at, m.example, "%s has no %s", path, m.noun)
	}
	if m.most > 0 && len(n.entries) > m.most {
		found.tooMany = true
		found.add(n.entries[m.most].at, "write fewer", "%s has %d entries and may have %d", path, len(n.entries), m.most)
	}
	for i := range n.entries {
		e := &n.entries[i]
		if !m.key.checkText(e.key, e.at, path, found) {
			continue
		}
		m.value.check(e.value, joinPath(path, e.key), found)
	}
}

func (m mapping) schema() schemaObject {
	keys := m.key.schema()
	delete(keys, "type")
	s := schemaObject{"type": "object", "propertyNames": keys, "additionalProperties": m.value.schema()}
	if m.least > 0 {
		s["minProperties"] = m.least
	}
	if m.most > 0 {
		s["maxProperties"] = m.most
	}
	return s
}

// A list has items of one shape.
type list struct {
	item    shape
	least   int
	most    int
	noun    string
	example string
}

func (l list) want() string { return "a list" }

func (l list) check(n *node, path string, found *problems) {
	if !isKind(n, listNode, l.want(), l.example, path, found) {
		return
	}
	if len(n.items) < l.least {
		found.add(n.at, l.example, "%s has no %s", path, l.noun)
	}
	if len(n.items) > l.most {
		found.tooMany = true
		found.add(n.items[l.most].at, "write fewer", "%s has %d items and may have %d", path, len(n.items), l.most)
	}
	for i, item := range n.items {
		l.item.check(item, fmt.Sprintf("%s[%d]", path, i), found)
	}
}

func (l list) schema() schemaObject {
	s := schemaObject{"type": "array", "items": l.item.schema(), "maxItems": l.most}
	if l.least > 0 {
		s["minItems"] = l.least
	}
	return s
}

// An either takes a scalar, a list or a mapping, each in its own shape; nil: not that one.
type either struct{ scalar, list, mapping shape }

func (e either) want() string {
	var all []string
	for _, s := range []shape{e.scalar, e.list, e.mapping} {
		if s != nil {
			all = append(all, s.want())
		}
	}
	return strings.Join(all, " or ")
}

func (e either) check(n *node, path string, found *problems) {
	switch {
	case n.kind == brokenNode:
	case e.list != nil && n.kind == listNode:
		e.list.check(n, path, found)
	case e.mapping != nil && n.kind == mappingNode:
		e.mapping.check(n, path, found)
	case n.scalar():
		e.scalar.check(n, path, found)
	default:
		isKind(n, brokenNode, e.want(), "", path, found)
	}
}

func (e either) schema() schemaObject {
	var all []schemaObject
	for _, s := range []shape{e.scalar, e.list, e.mapping} {
		if s != nil {
			all = append(all, s.schema())
		}
	}
	return schemaObject{"oneOf": all}
}

// isKind reports whether n is of a kind, and records the problem if not. What a problem
// was reported for already is nothing, silently.
func isKind(n *node, kind nodeKind, want, example, path string, found *problems) bool {
	if n.kind == kind {
		return true
	}
	switch n.kind {
	case brokenNode:
	case nullNode:
		found.add(n.at, hintOr(example, want), "%s has no value, and must be %s", pathOr(path, "the file"), want)
	default:
		found.add(n.at, hintOr(example, want), "%s must be %s, not %s", pathOr(path, "the file"), want, describe(n))
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
func describe(n *node) string {
	switch n.kind {
	case textNode:
		return "the text " + quoted(n.text)
	case integerNode, floatNode, booleanNode:
		return oneLine(n.text)
	default:
		return n.kind.String()
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
