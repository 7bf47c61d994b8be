package screen

import "strings"

// A Key is what a person pressed: a character, or one of those that are named here.
type Key string

// The keys that are no characters.
const (
	KeyUp       Key = "up"
	KeyDown     Key = "down"
	KeyLeft     Key = "left"
	KeyRight    Key = "right"
	KeyPageUp   Key = "page up"
	KeyPageDown Key = "page down"
	KeyHome     Key = "home"
	KeyEnd      Key = "end"
	KeyQuit     Key = "quit"    // Control-C, Control-D, Control-\
	KeySuspend  Key = "suspend" // Control-Z
)

// sequences are what terminals send for keys, in normal and in application mode.
var sequences = []struct {
	bytes string
	key   Key
}{
	{"\x1b[A", KeyUp}, {"\x1bOA", KeyUp}, {"\x1b[B", KeyDown}, {"\x1bOB", KeyDown},
	{"\x1b[C", KeyRight}, {"\x1bOC", KeyRight}, {"\x1b[D", KeyLeft}, {"\x1bOD", KeyLeft},
	{"\x1b[5~", KeyPageUp}, {"\x1b[6~", KeyPageDown},
	{"\x1b[H", KeyHome}, {"\x1bOH", KeyHome}, {"\x1b[1~", KeyHome}, {"\x1b[F", KeyEnd}, {"\x1bOF", KeyEnd}, {"\x1b[4~", KeyEnd},
	{"\x03", KeyQuit}, {"\x04", KeyQuit}, {"\x1c", KeyQuit}, {"\x1a", KeySuspend},
}

// longestSequence bounds the bytes of an escape sequence whose end is waited for.
const longestSequence = 32

// parseKeys returns the keys that bytes are, and what of them is the beginning of an escape sequence:
// over a network, its end may come later. Sequences that nobody knows are passed over as a whole.
func parseKeys(in string) (keys []Key, rest string) {
next:
	for len(in) > 0 {
		for _, s := range sequences {
			if after, ok := strings.CutPrefix(in, s.bytes); ok {
				keys, in = append(keys, s.key), after
				continue next
			}
		}
		switch {
		case in[0] == escape:
			after, whole := afterSequence(in)
			if !whole && len(in) <= longestSequence {
				return keys, in
			}
			in = after
		case in[0] >= ' ' && in[0] < 0x7f:
			keys, in = append(keys, Key(in[:1])), in[1:]
		default:
			in = in[1:]
		}
	}
	return keys, ""
}

// afterSequence returns what follows the escape sequence that in begins with (ECMA-48: parameters,
// then one final byte from @ to ~); false: it has not come to its end.
func afterSequence(in string) (after string, whole bool) {
	if len(in) < 2 {
		return "", false
	}
	if in[1] != '[' && in[1] != 'O' {
		return in[1:], true
	}
	for i := 2; i < len(in); i++ {
		if in[i] >= '@' && in[i] <= '~' {
			return in[i+1:], true
		}
	}
	return "", false
}
