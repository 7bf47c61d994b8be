package form

import (
	"strconv"
	"time"
)

// A kind says what a node of the file is.
type nodeKind int

const (
	brokenNode nodeKind = iota // what a problem was already reported for; every check passes over it
	// MappingNode is one with keys: a file as a whole is one.
	MappingNode
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

// A Node is one value of the file with its position. Aliases point to the node of their
// anchor, so nodes are shared and never changed once they are read. Every method works on
// nil, and answers the zero value where the node is something else: the shapes have
// reported that already.
type Node struct {
	Kind    nodeKind
	At      Position
	Text    string  // of a scalar: a text's meaning, or a number or boolean exactly as written
	Entries []Entry // of a mapping, in the order written; keys are unique
	Items   []*Node // of a list
	size    int     // what this one counts, with everything that aliases repeat
}

// An Entry is one key of a mapping and its value.
type Entry struct {
	Key   string
	At    Position
	Value *Node
}

// Get returns the value of a key, or nil.
func (n *Node) Get(key string) *Node {
	if e := n.Entry(key); e != nil {
		return e.Value
	}
	return nil
}

// Entry returns the entry of a key, or nil.
func (n *Node) Entry(key string) *Entry {
	if n == nil {
		return nil
	}
	for i := range n.Entries {
		if n.Entries[i].Key == key {
			return &n.Entries[i]
		}
	}
	return nil
}

// All returns the entries of a mapping.
func (n *Node) All() []Entry {
	if n == nil {
		return nil
	}
	return n.Entries
}

// List returns the items of a list.
func (n *Node) List() []*Node {
	if n == nil {
		return nil
	}
	return n.Items
}

// Scalar reports whether n is a text, a number or a boolean.
func (n *Node) Scalar() bool {
	if n == nil {
		return false
	}
	switch n.Kind {
	case textNode, integerNode, floatNode, booleanNode:
		return true
	default:
		return false
	}
}

// Str returns the text of a scalar.
func (n *Node) Str() string {
	if n.Scalar() {
		return n.Text
	}
	return ""
}

// Integer returns the number, or otherwise.
func (n *Node) Integer(otherwise int) int {
	if i, err := strconv.Atoi(n.Str()); err == nil {
		return i
	}
	return otherwise
}

// Fraction returns the number, or otherwise.
func (n *Node) Fraction(otherwise float64) float64 {
	if f, err := strconv.ParseFloat(n.Str(), 64); err == nil {
		return f
	}
	return otherwise
}

// Duration returns the duration, or otherwise.
func (n *Node) Duration(otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(n.Str()); err == nil {
		return d
	}
	return otherwise
}

// Strs returns the texts of a list, or the one text of a scalar.
func (n *Node) Strs() []string {
	if n.Scalar() {
		return []string{n.Text}
	}
	var all []string
	for _, item := range n.List() {
		if item.Scalar() {
			all = append(all, item.Text)
		}
	}
	return all
}
