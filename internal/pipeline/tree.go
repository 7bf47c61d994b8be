package pipeline

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxDepth = 32     // of nested mappings and lists; the format needs 8
	maxKeys  = 1000   // of one mapping; the format needs 500
	maxCount = 50_000 // in values and texts, with everything that aliases repeat

	bytesPerSize = 16 // of text that count as one value
)

// readTree reads the text into nodes. It returns nil when a problem leaves nothing to check.
func readTree(src []byte, found *problems) *node {
	text, ok := readText(src, found)
	if !ok {
		return nil
	}
	file, err := parseText(text, found)
	if err != nil {
		addSyntaxError(err, found)
	}
	if file == nil {
		return nil
	}
	t := tree{found: found, anchors: map[string]*node{}}
	body := t.document(file)
	if body == nil {
		return nil
	}
	root := t.convert(body, position{1, 1}, 0)
	if t.refused {
		return nil
	}
	return root
}

// parseText returns the syntax tree, or nil when a problem was found or an error is
// returned. A panic of the YAML library is an error: it reads what strangers push.
func parseText(text string, found *problems) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			file, err = nil, fmt.Errorf("the YAML library failed: %v", r)
		}
	}()
	tokens := lexer.Tokenize(text)
	if !checkTokens(tokens, found) {
		return nil, nil
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// checkTokens refuses what the format has no use for, and nesting so deep that parsing it
// would cost much.
func checkTokens(tokens token.Tokens, found *problems) bool {
	depth, run, line := 0, 0, 0
	for _, tk := range tokens {
		if at := positionOf(tk); at.line != line {
			run, line = 0, at.line
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth = max(depth-1, 0)
		case token.SequenceEntryType:
			run++
		case token.TagType:
			found.add(positionOf(tk), "write the value alone; put it in quotes to make it a text", "YAML tags like %s are not used here", quoted(tk.Value))
			return false
		case token.MappingKeyType:
			found.add(positionOf(tk), "write KEY: VALUE", `keys that begin with "? " are not used here`)
			return false
		case token.DirectiveType:
			found.add(positionOf(tk), "remove this line", "YAML directives are not used here")
			return false
		}
		if depth > maxDepth || run > maxDepth {
			found.add(positionOf(tk), "nothing in andon.yaml needs more than eight levels", "this is nested deeper than %d levels", maxDepth)
			return false
		}
	}
	return true
}

// tree turns the syntax tree of the YAML library into nodes.
type tree struct {
	found   *problems
	anchors map[string]*node // nil while the anchored value itself is read
	size    int
	refused bool // too big or too deep: stop
}

// document returns the one document of the file.
func (t *tree) document(file *ast.File) ast.Node {
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			t.found.add(position{firstPosition(doc.Body).line, 1}, "keep one, and remove the line --- between them", "the file has more than one YAML document")
			return nil
		}
		body = doc.Body
	}
	if body == nil {
		t.found.add(position{1, 1}, "run `andon init` to write one that works for this repository", "the file is empty")
	}
	return body
}

// convert returns the node of n. at is where the value belongs when it has no text of its own.
func (t *tree) convert(n ast.Node, at position, depth int) *node {
	if t.refused {
		return &node{at: at}
	}
	if depth > maxDepth {
		t.refuse(firstPosition(n), "nothing in andon.yaml needs more than eight levels", "this is nested deeper than %d levels", maxDepth)
		return &node{at: at}
	}
	out := &node{at: firstPosition(n), size: 1}
	switch n := n.(type) {
	case *ast.MappingNode:
		t.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		t.mapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out.kind = listNode
		for i, v := range n.Values {
			entryAt := out.at
			if i < len(n.Entries) && n.Entries[i].Start != nil {
				entryAt = positionOf(n.Entries[i].Start)
			}
			item := t.convert(v, entryAt, depth+1)
			out.items = append(out.items, item)
			out.size += item.size
		}
	case *ast.StringNode:
		out.kind, out.text = textNode, n.Value
	case *ast.LiteralNode:
		out.kind, out.text = textNode, n.Value.Value
	case *ast.IntegerNode:
		out.kind, out.text = integerNode, n.Token.Value
	case *ast.FloatNode:
		out.kind, out.text = floatNode, n.Token.Value
	case *ast.InfinityNode:
		out.kind, out.text = floatNode, n.Token.Value
	case *ast.NanNode:
		out.kind, out.text = floatNode, n.Token.Value
	case *ast.BoolNode:
		out.kind, out.text = booleanNode, n.Token.Value
	case *ast.NullNode:
		out.kind = nullNode
		if n.Token.Type == token.ImplicitNullType {
			out.at = at
		}
	case *ast.AnchorNode:
		return t.anchor(n, depth)
	case *ast.AliasNode:
		return t.alias(n)
	default:
		t.found.add(out.at, "write a plain value here", "this kind of YAML value is not used here")
	}
	out.size += len(out.text) / bytesPerSize
	t.count(1+len(out.text)/bytesPerSize, out.at)
	return out
}

// anchor reads a value that has a name, and keeps it for aliases.
func (t *tree) anchor(n *ast.AnchorNode, depth int) *node {
	name := n.Name.GetToken().Value
	t.anchors[name] = nil
	value := t.convert(n.Value, firstPosition(n), depth+1)
	t.anchors[name] = value
	return value
}

// alias returns the value that was named before.
func (t *tree) alias(n *ast.AliasNode) *node {
	at, name := firstPosition(n), n.Value.GetToken().Value
	value, ok := t.anchors[name]
	switch {
	case !ok:
		t.found.add(at, t.found.hintNearest(at, name, keysOf(t.anchors), "name a value with &"+name+" before it is used"), "there is no anchor &%s above", name)
		return &node{at: at}
	case value == nil:
		t.found.add(at, "an alias stands for a whole value that ended before it", "the anchor &%s contains itself", name)
		return &node{at: at}
	}
	t.count(value.size, at)
	return value
}

// mapping reads the entries into out: keys written here first, then what << brings.
func (t *tree) mapping(out *node, values []*ast.MappingValueNode, depth int) {
	out.kind = mappingNode
	var merged []*node
	for _, v := range values {
		at := firstPosition(v.Key)
		value := t.convert(v.Value, at, depth+1)
		out.size += value.size
		if _, merge := v.Key.(*ast.MergeKeyNode); merge {
			merged = append(merged, t.mergeSources(value)...)
			continue
		}
		key, ok := keyText(v.Key)
		if !ok {
			t.found.add(at, "write a plain word before the colon", "a key must be a plain word")
			continue
		}
		if first := out.entry(key); first != nil {
			t.found.add(at, fmt.Sprintf("the first is on line %d; keep one", first.at.line), "the key %s is written twice", quoted(key))
			continue
		}
		out.entries = append(out.entries, entry{key: key, at: at, value: value})
		if len(out.entries) > maxKeys {
			t.refuse(at, "write fewer", "this mapping has more than %d keys", maxKeys)
			return
		}
	}
	for _, m := range merged {
		for _, e := range m.entries {
			if out.entry(e.key) == nil && len(out.entries) < maxKeys {
				out.entries = append(out.entries, e)
			}
		}
	}
}

// mergeSources returns the mappings that the value of a << key stands for.
func (t *tree) mergeSources(value *node) []*node {
	sources := []*node{value}
	if value.kind == listNode {
		sources = value.items
	}
	for _, s := range sources {
		if s.kind != mappingNode {
			if s.kind != brokenNode {
				t.found.add(s.at, "write <<: *NAME, with &NAME at a mapping above", "<< takes a mapping, not %s", s.kind)
			}
			return nil
		}
	}
	return sources
}

func (t *tree) count(n int, at position) {
	if t.size += n; t.size > maxCount {
		t.refuse(at, "write fewer values, and fewer aliases of big ones", "the file is too big, counting all that its aliases repeat")
	}
}

func (t *tree) refuse(at position, hint, format string, args ...any) {
	if !t.refused {
		t.found.add(at, hint, format, args...)
	}
	t.refused = true
}

// keyText returns the text of a plain key.
func keyText(key ast.MapKeyNode) (string, bool) {
	switch k := key.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return k.GetToken().Value, true
	default:
		return "", false
	}
}

// firstPosition returns where the text of n begins.
func firstPosition(n ast.Node) position {
	switch x := n.(type) {
	case *ast.MappingNode:
		if !x.IsFlowStyle && len(x.Values) > 0 {
			return firstPosition(x.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return firstPosition(x.Key)
	}
	return positionOf(n.GetToken())
}

func positionOf(tk *token.Token) position {
	if tk == nil || tk.Position == nil {
		return position{1, 1}
	}
	return position{max(tk.Position.Line, 1), max(tk.Position.Column, 1)}
}
