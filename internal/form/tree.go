package form

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

// ReadTree reads the text into nodes. It returns nil when a problem leaves nothing to check.
func ReadTree(src []byte, found *Problems) *Node {
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
	t := tree{found: found, anchors: map[string]*Node{}}
	body := t.document(file)
	if body == nil {
		return nil
	}
	root := t.convert(body, Position{1, 1}, 0)
	if t.refused {
		return nil
	}
	return root
}

// parseText returns the syntax tree, or nil when a problem was found or an error is
// returned. A panic of the YAML library is an error: it reads what strangers push.
func parseText(text string, found *Problems) (file *ast.File, err error) {
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
func checkTokens(tokens token.Tokens, found *Problems) bool {
	depth, run, line := 0, 0, 0
	for _, tk := range tokens {
		if at := positionOf(tk); at.Line != line {
			run, line = 0, at.Line
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth = max(depth-1, 0)
		case token.SequenceEntryType:
			run++
		case token.TagType:
			found.Add(positionOf(tk), "write the value alone; put it in quotes to make it a text", "YAML tags like %s are not used here", Quoted(tk.Value))
			return false
		case token.MappingKeyType:
			found.Add(positionOf(tk), "write KEY: VALUE", `keys that begin with "? " are not used here`)
			return false
		case token.DirectiveType:
			found.Add(positionOf(tk), "remove this line", "YAML directives are not used here")
			return false
		}
		if depth > maxDepth || run > maxDepth {
			found.Add(positionOf(tk), "nothing in andon.yaml needs more than eight levels", "this is nested deeper than %d levels", maxDepth)
			return false
		}
	}
	return true
}

// tree turns the syntax tree of the YAML library into nodes.
type tree struct {
	found   *Problems
	anchors map[string]*Node // nil while the anchored value itself is read
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
			t.found.Add(Position{firstPosition(doc.Body).Line, 1}, "keep one, and remove the line --- between them", "the file has more than one YAML document")
			return nil
		}
		body = doc.Body
	}
	if body == nil {
		t.found.Add(Position{1, 1}, t.found.words.Empty, "the file is empty")
	}
	return body
}

// convert returns the node of n. at is where the value belongs when it has no text of its own.
func (t *tree) convert(n ast.Node, at Position, depth int) *Node {
	if t.refused {
		return &Node{At: at}
	}
	if depth > maxDepth {
		t.refuse(firstPosition(n), "nothing in andon.yaml needs more than eight levels", "this is nested deeper than %d levels", maxDepth)
		return &Node{At: at}
	}
	out := &Node{At: firstPosition(n), size: 1}
	switch n := n.(type) {
	case *ast.MappingNode:
		t.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		t.mapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out.Kind = listNode
		for i, v := range n.Values {
			entryAt := out.At
			if i < len(n.Entries) && n.Entries[i].Start != nil {
				entryAt = positionOf(n.Entries[i].Start)
			}
			item := t.convert(v, entryAt, depth+1)
			out.Items = append(out.Items, item)
			out.size += item.size
		}
	case *ast.StringNode:
		out.Kind, out.Text = textNode, n.Value
	case *ast.LiteralNode:
		out.Kind, out.Text = textNode, n.Value.Value
	case *ast.IntegerNode:
		out.Kind, out.Text = integerNode, n.Token.Value
	case *ast.FloatNode:
		out.Kind, out.Text = floatNode, n.Token.Value
	case *ast.InfinityNode:
		out.Kind, out.Text = floatNode, n.Token.Value
	case *ast.NanNode:
		out.Kind, out.Text = floatNode, n.Token.Value
	case *ast.BoolNode:
		out.Kind, out.Text = booleanNode, n.Token.Value
	case *ast.NullNode:
		out.Kind = nullNode
		if n.Token.Type == token.ImplicitNullType {
			out.At = at
		}
	case *ast.AnchorNode:
		return t.anchor(n, depth)
	case *ast.AliasNode:
		return t.alias(n)
	default:
		t.found.Add(out.At, "write a plain value here", "this kind of YAML value is not used here")
	}
	out.size += len(out.Text) / bytesPerSize
	t.count(1+len(out.Text)/bytesPerSize, out.At)
	return out
}

// anchor reads a value that has a name, and keeps it for aliases.
func (t *tree) anchor(n *ast.AnchorNode, depth int) *Node {
	name := n.Name.GetToken().Value
	t.anchors[name] = nil
	value := t.convert(n.Value, firstPosition(n), depth+1)
	t.anchors[name] = value
	return value
}

// alias returns the value that was named before.
func (t *tree) alias(n *ast.AliasNode) *Node {
	at, name := firstPosition(n), n.Value.GetToken().Value
	value, ok := t.anchors[name]
	switch {
	case !ok:
		t.found.Add(at, t.found.HintNearest(at, name, keysOf(t.anchors), "name a value with &"+name+" before it is used"), "there is no anchor &%s above", name)
		return &Node{At: at}
	case value == nil:
		t.found.Add(at, "an alias stands for a whole value that ended before it", "the anchor &%s contains itself", name)
		return &Node{At: at}
	}
	t.count(value.size, at)
	return value
}

// mapping reads the entries into out: keys written here first, then what << brings.
func (t *tree) mapping(out *Node, values []*ast.MappingValueNode, depth int) {
	out.Kind = MappingNode
	var merged []*Node
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
			t.found.Add(at, "write a plain word before the colon", "a key must be a plain word")
			continue
		}
		if first := out.Entry(key); first != nil {
			t.found.Add(at, fmt.Sprintf("the first is on line %d; keep one", first.At.Line), "the key %s is written twice", Quoted(key))
			continue
		}
		out.Entries = append(out.Entries, Entry{Key: key, At: at, Value: value})
		if len(out.Entries) > maxKeys {
			t.refuse(at, "write fewer", "this mapping has more than %d keys", maxKeys)
			return
		}
	}
	for _, m := range merged {
		for _, e := range m.Entries {
			if out.Entry(e.Key) == nil && len(out.Entries) < maxKeys {
				out.Entries = append(out.Entries, e)
			}
		}
	}
}

// mergeSources returns the mappings that the value of a << key stands for.
func (t *tree) mergeSources(value *Node) []*Node {
	sources := []*Node{value}
	if value.Kind == listNode {
		sources = value.Items
	}
	for _, s := range sources {
		if s.Kind != MappingNode {
			if s.Kind != brokenNode {
				t.found.Add(s.At, "write <<: *NAME, with &NAME at a mapping above", "<< takes a mapping, not %s", s.Kind)
			}
			return nil
		}
	}
	return sources
}

func (t *tree) count(n int, at Position) {
	if t.size += n; t.size > maxCount {
		t.refuse(at, "write fewer values, and fewer aliases of big ones", "the file is too big, counting all that its aliases repeat")
	}
}

func (t *tree) refuse(at Position, hint, format string, args ...any) {
	if !t.refused {
		t.found.Add(at, hint, format, args...)
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
func firstPosition(n ast.Node) Position {
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

func positionOf(tk *token.Token) Position {
	if tk == nil || tk.Position == nil {
		return Position{1, 1}
	}
	return Position{max(tk.Position.Line, 1), max(tk.Position.Column, 1)}
}
