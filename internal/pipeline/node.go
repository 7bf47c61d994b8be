package pipeline

import (
	"strconv"
	"time"
)

// A kind says what a node of the file is.
type nodeKind int

const (
	brokenNode nodeKind = iota // what a problem was already reported for; every check passes over it
	mappingNode
	listNode
	textNode
	integerNode
	floatNode
	booleanNode
	nullNode
)

// String names the kind for messages.
func (k nodeKind) String() string {
	return [...]string{"unreadable", "a mapping", "a list", "a text", "a number", "a number", "a boolean", "empty"}[k]
}

// A node is one value of the file with its position. Aliases point to the node of their
// anchor, so nodes are shared and never changed once they are read. Every method works on
// nil, and answers the zero value where the node is something else: the shapes have
// reported that already.
type node struct {
	kind    nodeKind
	at      position
	text    string  // of a scalar: a text's meaning, or a number or boolean exactly as written
	entries []entry // of a mapping, in the order written; keys are unique
	items   []*node // of a list
	size    int     // what this one counts, with everything that aliases repeat
}

// An entry is one key of a mapping and its value.
type entry struct {
	key   string
	at    position
	value *node
}

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	if e := n.entry(key); e != nil {
		return e.value
	}
	return nil
}

// entry returns the entry of a key, or nil.
func (n *node) entry(key string) *entry {
	if n == nil {
		return nil
	}
	for i := range n.entries {
		if n.entries[i].key == key {
			return &n.entries[i]
		}
	}
	return nil
}

// all returns the entries of a mapping.
func (n *node) all() []entry {
	if n == nil {
		return nil
	}
	return n.entries
}

// list returns the items of a list.
func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

// scalar reports whether n is a text, a number or a boolean.
func (n *node) scalar() bool {
	if n == nil {
		return false
	}
	switch n.kind {
	case textNode, integerNode, floatNode, booleanNode:
		return true
	default:
		return false
	}
}

// str returns the text of a scalar.
func (n *node) str() string {
	if n.scalar() {
		return n.text
	}
	return ""
}

// integer returns the number, or otherwise.
func (n *node) integer(otherwise int) int {
	if i, err := strconv.Atoi(n.str()); err == nil {
		return i
	}
	return otherwise
}

// duration returns the duration, or otherwise.
func (n *node) duration(otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(n.str()); err == nil {
		return d
	}
	return otherwise
}

// strs returns the texts of a list, or the one text of a scalar.
func (n *node) strs() []string {
	if n.scalar() {
		return []string{n.text}
	}
	var all []string
	for _, item := range n.list() {
		if item.scalar() {
			all = append(all, item.text)
		}
	}
	return all
}
