package form

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A Size is a number of bytes with its unit. The bounds are beyond JSON Schema: there, only the
// form is checked.
type Size struct{ Least, Most int64 }

func (s Size) want() string { return "a size such as 512KB, 50MB or 2GiB" }

var sizePattern = regexp.MustCompile(`^([1-9][0-9]*)(KB|MB|GB|KiB|MiB|GiB)$`)

// Check implements Shape.
func (s Size) Check(n *Node, path string, found *Problems) {
	switch {
	case n.Kind == brokenNode:
		return
	case n.Kind == integerNode:
		found.Add(n.At, "write "+oneLine(n.Text)+"KB, "+oneLine(n.Text)+"MB or "+oneLine(n.Text)+"GB", "%s needs a unit: %s", path, oneLine(n.Text))
		return
	case n.Kind != textNode || !sizePattern.MatchString(n.Text):
		found.Add(n.At, "the units are KB, MB and GB of 1000, and KiB, MiB and GiB of 1024", "%s must be %s, not %s", path, s.want(), describe(n))
		return
	}
	if size := n.Size(0); size < s.Least || size > s.Most {
		found.Add(n.At, "write a size from "+FormatSize(s.Least)+" to "+FormatSize(s.Most), "%s must be from %s to %s, not %s", path, FormatSize(s.Least), FormatSize(s.Most), Quoted(n.Text))
	}
}

// Schema implements Shape.
func (s Size) Schema() SchemaObject {
	return SchemaObject{"type": "string", "pattern": sizePattern.String(), "examples": []string{"512KB", "50MB", "2GiB"}}
}

// A sizeUnit is how many bytes a unit stands for.
type sizeUnit struct {
	name  string
	bytes int64
}

func sizeUnits() []sizeUnit {
	return []sizeUnit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}}
}

// FormatSize returns a size with the largest unit of which it is a multiple.
func FormatSize(size int64) string {
	for _, u := range sizeUnits() {
		if size > 0 && size%u.bytes == 0 {
			return strconv.FormatInt(size/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(size, 10) + " bytes"
}

// Size returns the bytes of a size, or otherwise. One that is too large for its type is the largest.
func (n *Node) Size(otherwise int64) int64 {
	text := n.Str()
	for _, u := range sizeUnits() {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		count, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || count > math.MaxInt64/u.bytes {
			return math.MaxInt64
		}
		return count * u.bytes
	}
	return otherwise
}
