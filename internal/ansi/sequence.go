package ansi

import "bytes"

const escape = 0x1b

// sequence returns the length of the escape sequence that p begins with, and for a control
// sequence (CSI) its final byte and parameters. What is not complete is taken as far as it goes.
func sequence(p []byte) (n int, final byte, parameters []int) {
	if len(p) < 2 {
		return len(p), 0, nil
	}
	switch kind := p[1]; {
	case kind == '[':
		return control(p)
	case kind == ']' || kind == 'P' || kind == '^' || kind == '_' || kind == 'X':
		return 2 + text(p[2:]), 0, nil
	case kind >= 0x20 && kind <= 0x2f: // intermediate bytes, and one that ends it
		for n = 2; n < len(p) && p[n] >= 0x20 && p[n] <= 0x2f; n++ {
		}
		if n < len(p) && p[n] >= 0x30 && p[n] <= 0x7e {
			n++
		}
		return n, 0, nil
	case kind >= 0x30 && kind <= 0x7e:
		return 2, 0, nil
	default: // no sequence: the escape alone goes
		return 1, 0, nil
	}
}

// control reads ESC [ parameters intermediates final. A byte that belongs to none of them ends it,
// as in a terminal, and is left.
func control(p []byte) (n int, final byte, parameters []int) {
	private, value, given := false, 0, false
	for n = 2; n < len(p); n++ {
		switch b := p[n]; {
		case b >= '0' && b <= '9':
			value, given = min(value*10+int(b-'0'), 1<<16), true
		case b == ';' || b == ':':
			parameters, value, given = take(parameters, value), 0, true
		case b >= '<' && b <= '?':
			private = true
		case b >= 0x20 && b <= 0x2f:
			private = true // none of those that are known has one
		case b >= 0x40 && b <= 0x7e:
			if given {
				parameters = take(parameters, value)
			}
			if private {
				b = 0
			}
			return n + 1, b, parameters
		default:
			return n, 0, nil
		}
	}
	return n, 0, nil
}

func take(parameters []int, value int) []int {
	if len(parameters) == maxParameters {
		return parameters
	}
	return append(parameters, value)
}

// text returns the length of a string for the terminal (a title, a link) with what ends it: BEL,
// or ESC \.
func text(p []byte) int {
	end := bytes.IndexAny(p, "\a\x1b\n")
	switch {
	case end < 0:
		return len(p)
	case p[end] == '\a':
		return end + 1
	case p[end] == escape && end+1 < len(p) && p[end+1] == '\\':
		return end + 2
	default:
		return end
	}
}
