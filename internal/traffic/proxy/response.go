package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
)

// maxHead bounds the head of a copy's answer.
const maxHead = 256 << 10

// An answer is the head of a copy's response, and how its body ends.
type answer struct {
	status   int
	length   int64 // of the body; untilClose or chunked otherwise
	reusable bool  // the connection carries another request afterwards
	upgrade  string
	events   bool // a stream of server-sent events: it has no end
}

// Values of answer.length that are no length.
const (
	untilClose = -1
	chunked    = -2
)

var errMalformed = errors.New("malformed answer")

// readHead reads the head of the next answer on the connection, without its hop-by-hop fields,
// into header. None of header's maps is touched before the whole head is there. started
// reports whether anything arrived.
func (f *flight) readHead(r *bufio.Reader, method string, header http.Header) (a answer, started bool, err error) {
	f.head = f.head[:0]
	lines := 0
	for lineStart := 0; ; {
		part, err := r.ReadSlice('\n')
		f.head = append(f.head, part...)
		if len(f.head) > maxHead {
			return a, true, fmt.Errorf("%w: its head is longer than %d bytes", errMalformed, maxHead)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return a, len(f.head) > 0, err
		}
		line := f.head[lineStart:]
		lineStart = len(f.head)
		if len(line) == 1 || len(line) == 2 && line[0] == '\r' {
			break
		}
		lines++
	}
	a, err = parseHead(string(f.head), lines, method, header)
	return a, true, err
}

// parseHead parses a status line and lines-1 fields. What could be understood in two ways is
// an error: a proxy that guesses can be made to mix up answers.
func parseHead(head string, lines int, method string, header http.Header) (a answer, err error) {
	line, rest := cutLine(head)
	if len(line) < 12 || line[:7] != "HTTP/1." || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return a, fmt.Errorf("%w: status line %.40q", errMalformed, line)
	}
	for _, d := range []byte(line[9:12]) {
		if d < '0' || d > '9' {
			return a, fmt.Errorf("%w: status line %.40q", errMalformed, line)
		}
		a.status = a.status*10 + int(d-'0')
	}
	if a.status < 100 {
		return a, fmt.Errorf("%w: status %d", errMalformed, a.status)
	}
	a.reusable = line[7] != '0'
	a.length = untilClose
	var isChunked, twoLengths bool
	var connection []string
	values := make([]string, 0, lines)
	for {
		line, rest = cutLine(rest)
		if line == "" {
			break
		}
		colon := strings.IndexByte(line, ':')
		if colon <= 0 || !isToken(line[:colon]) {
			return a, fmt.Errorf("%w: field %.40q", errMalformed, line)
		}
		value := strings.Trim(line[colon+1:], " \t")
		if !isFieldValue(value) {
			return a, fmt.Errorf("%w: value of field %.40q", errMalformed, line[:colon])
		}
		name := canonicalName(line[:colon])
		switch name {
		case "Content-Length":
			n, ok := parseLength(value)
			if !ok {
				return a, fmt.Errorf("%w: Content-Length %.40q", errMalformed, value)
			}
			if a.length != untilClose {
				if a.length != n {
					return a, fmt.Errorf("%w: two lengths", errMalformed)
				}
				continue
			}
			a.length = n
			twoLengths = isChunked
		case "Transfer-Encoding":
			if isChunked || !a.reusable || !strings.EqualFold(value, "chunked") {
				return a, fmt.Errorf("%w: Transfer-Encoding %.40q", errMalformed, value)
			}
			isChunked = true
			twoLengths = a.length >= 0
			continue
		case "Connection":
			connection = append(connection, value)
			continue
		case "Upgrade":
			a.upgrade = value
			continue
		case "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate":
			continue
		case "Content-Type":
			a.events = hasPrefixFold(value, "text/event-stream")
		}
		values = append(values, value)
		if have, ok := header[name]; ok {
			header[name] = append(have, value)
		} else {
			n := len(values)
			header[name] = values[n-1 : n : n]
		}
	}
	a.applyConnection(connection, header)
	if twoLengths {
		// The encoding counts, and the length may be somebody's attempt at a second answer.
		a.reusable = false
		delete(header, "Content-Length")
	}
	if isChunked {
		a.length = chunked
	}
	if method == http.MethodHead || a.status < 200 || a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		a.length = 0
	}
	if a.length == untilClose {
		a.reusable = false
	}
	return a, nil
}

// applyConnection drops the fields that the Connection field names.
func (a *answer) applyConnection(connection []string, header http.Header) {
	for _, value := range connection {
		for option := range strings.SplitSeq(value, ",") {
			option = strings.Trim(option, " \t")
			switch {
			case option == "":
			case strings.EqualFold(option, "close"):
				a.reusable = false
			case strings.EqualFold(option, "keep-alive"), strings.EqualFold(option, "upgrade"):
			case strings.EqualFold(option, "content-length"):
			default:
				delete(header, http.CanonicalHeaderKey(option))
			}
		}
	}
}

// body returns a reader of the answer's body, nil if it has none.
func (a *answer) body(r *bufio.Reader) io.Reader {
	switch a.length {
	case 0:
		return nil
	case chunked:
		return httputil.NewChunkedReader(r)
	case untilClose:
		return r
	default:
		return &exactly{r: r, left: a.length}
	}
}

// exactly reads that many bytes; fewer are an error.
type exactly struct {
	r    *bufio.Reader
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.r.Read(p)
	e.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if e.left == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// readTrailers reads what follows the last chunk.
func readTrailers(r *bufio.Reader, each func(name, value string)) error {
	for total := 0; total <= maxHead; {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		total += len(line)
		field := strings.TrimRight(string(line), "\r\n")
		if field == "" {
			return nil
		}
		name, value, ok := strings.Cut(field, ":")
		value = strings.Trim(value, " \t")
		if !ok || !isToken(name) || !isFieldValue(value) {
			return fmt.Errorf("%w: trailer %.40q", errMalformed, field)
		}
		if name = canonicalName(name); !isHopByHop(name) && name != "Content-Length" {
			each(name, value)
		}
	}
	return fmt.Errorf("%w: its trailers are longer than %d bytes", errMalformed, maxHead)
}
