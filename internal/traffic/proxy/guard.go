package proxy

import (
	"bytes"
	"strings"
	"sync/atomic"
)

// A guard looks at the bytes that a client sends before net/http does, and spoils requests that
// two readers could understand in two ways, so that net/http refuses them with 400: net/http
// itself reads some of them in one way and does not tell. It spoils a request with
//
//   - both Content-Length and Transfer-Encoding, or one of them twice,
//   - a Transfer-Encoding in HTTP/1.0,
//   - a field that goes on in the next line (obs-fold),
//   - a line that ends without a carriage return.
//
// It follows the framing of HTTP/1 only as far as it takes to know where a head begins. What it
// does not understand it lets pass, from then on everything: net/http is at least as strict.
type guard struct {
	mode    guardMode
	left    int64 // bytes of the body or chunk that are to come
	request bool  // the next line is a request's first
	oldHTTP bool  // its version is 1.0
	chunked bool
	length  int64 // negative: none was given
	upgrade bool
	line    [guardLine]byte // the begin of a line of which the end has not come yet
	lineLen int             // of which at most guardLine bytes are kept
	tail    []byte          // its last bytes so far, at most guardTail
	lastCR  bool            // the last one is a carriage return
	unread  atomic.Bool     // in the middle of a body, or after a spoilt head
}

type guardMode uint8

const (
	guardHead guardMode = iota
	guardBody
	guardChunkSize
	guardChunk
	guardTrailer
	guardPass // everything passes
)

// guardLine is how much of a line is looked at. Framing fields are shorter.
const guardLine = 128

// guardTail is as long as a version.
const guardTail = len("HTTP/1.0\r")

func newGuard() guard { return guard{request: true, length: -1} }

// look follows what has come in, and may spoil it.
func (g *guard) look(p []byte) {
	for len(p) > 0 {
		switch g.mode {
		case guardPass:
			return
		case guardBody, guardChunk:
			n := min(int64(len(p)), g.left)
			p = p[n:]
			if g.left -= n; g.left == 0 {
				g.bodyEnds()
			}
		default:
			p = g.nextLine(p)
		}
	}
}

func (g *guard) bodyEnds() {
	if g.mode == guardChunk {
		g.mode = guardChunkSize
		return
	}
	g.headBegins()
}

func (g *guard) headBegins() {
	g.mode, g.request, g.oldHTTP, g.chunked, g.length, g.upgrade = guardHead, true, false, false, -1, false
	if g.unread.Load() {
		g.unread.Store(false)
	}
}

// nextLine looks at the line that p begins with, or keeps its begin, and returns what follows.
func (g *guard) nextLine(p []byte) []byte {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		g.keep(p)
		return nil
	}
	line, rest := p[:end+1], p[end+1:]
	ended := end > 0 && line[end-1] == '\r' || end == 0 && g.lineLen > 0 && g.lastCR
	text, tail, length := line[:end], line[:end], end
	if g.lineLen > 0 {
		g.keep(line[:end])
		text, tail, length = g.line[:min(g.lineLen, guardLine)], g.tail, g.lineLen
		g.lineLen, g.tail = 0, g.tail[:0]
	}
	whole := length <= guardLine
	if !whole {
		text = text[:guardLine]
	} else if ended {
		text = text[:length-1]
	}
	if g.request {
		g.oldHTTP = bytes.HasSuffix(bytes.TrimSuffix(tail, []byte("\r")), []byte("HTTP/1.0"))
	}
	if !ended && g.mode != guardChunkSize || !g.take(text, whole) {
		p[0] = 0 // no field, and no line of a request, may have that byte
		g.mode = guardPass
		g.unread.Store(true)
	}
	return rest
}

func (g *guard) keep(part []byte) {
	if g.lineLen < guardLine {
		copy(g.line[g.lineLen:], part)
	}
	if len(part) > 0 {
		g.lastCR = part[len(part)-1] == '\r'
	}
	g.lineLen += len(part)
	g.tail = append(g.tail, part[max(0, len(part)-guardTail):]...)
	g.tail = append(g.tail[:0], g.tail[max(0, len(g.tail)-guardTail):]...)
}

// take looks at a line without its end, and reports false if the request is to be spoilt.
func (g *guard) take(line []byte, whole bool) bool {
	switch {
	case g.mode == guardChunkSize:
		g.chunkSize(line)
	case g.mode == guardTrailer:
		if len(line) == 0 {
			g.headBegins()
			return true
		}
		return line[0] != ' ' && line[0] != '\t'
	case g.request:
		g.request = false
		if len(line) == 0 || bytes.HasPrefix(line, []byte("PRI ")) {
			g.mode = guardPass // HTTP/2, or nothing that net/http takes
		}
	case len(line) == 0:
		g.headEnds()
	default:
		return g.field(line, whole)
	}
	return true
}

// field looks at a field of a head.
func (g *guard) field(line []byte, whole bool) bool {
	switch line[0] {
	case ' ', '\t':
		return false
	case 'c', 'C':
		value, ok := valueOf(line, "Content-Length")
		if !ok {
			return true
		}
		length, ok := parseLength(string(bytes.Trim(value, " \t")))
		if !ok || !whole || g.length >= 0 || g.chunked {
			return false
		}
		g.length = length
	case 't', 'T':
		if _, ok := valueOf(line, "Transfer-Encoding"); !ok {
			return true
		}
		if !whole || g.chunked || g.length >= 0 || g.oldHTTP {
			return false
		}
		g.chunked = true // net/http refuses what is not exactly chunked
	case 'u', 'U':
		if _, ok := valueOf(line, "Upgrade"); ok {
			g.upgrade = true
		}
	}
	return true
}

// valueOf returns the value of a field if it has that name. White space before the colon is for
// net/http to refuse.
func valueOf(line []byte, name string) (value []byte, ok bool) {
	n := len(name)
	if len(line) <= n || line[n] != ':' || !strings.EqualFold(string(line[:n]), name) {
		return nil, false
	}
	return line[n+1:], true
}

func (g *guard) headEnds() {
	switch {
	case g.upgrade:
		g.mode = guardPass // what follows may be another protocol
	case g.chunked:
		g.mode = guardChunkSize
		g.unread.Store(true)
	case g.length > 0:
		g.mode, g.left = guardBody, g.length
		g.unread.Store(true)
	default:
		g.headBegins()
	}
}

// chunkSize reads a line before a chunk. What is not one net/http refuses, and with it the rest.
func (g *guard) chunkSize(line []byte) {
	size, _, _ := bytes.Cut(line, []byte(";"))
	size = bytes.TrimRight(size, " \t")
	var n int64
	for _, b := range size {
		d := strings.IndexByte("0123456789abcdef", b|0x20)
		if d < 0 || b < '0' || n >= 1<<56 {
			g.mode = guardPass
			return
		}
		n = n<<4 | int64(d)
	}
	switch {
	case len(size) == 0:
		g.mode = guardPass
	case n == 0:
		g.mode = guardTrailer
	default:
		g.mode, g.left = guardChunk, n+2
	}
}
