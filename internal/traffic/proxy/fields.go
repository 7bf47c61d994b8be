package proxy

import (
	"net/http"
	"strings"
)

// cutLine returns the first line without its end, and the rest.
func cutLine(s string) (line, rest string) {
	i := strings.IndexByte(s, '\n')
	if i < 0 {
		return s, ""
	}
	line, rest = s[:i], s[i+1:]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, rest
}

// tokenBytes has the bytes that the name of a field may have (RFC 9110, 5.6.2).
var tokenBytes = func() (t [256]bool) {
	for _, b := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[b] = true
	}
	return t
}()

func isToken(s string) bool {
	for i := range len(s) {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

// isFieldValue reports whether s has no control characters but tabs.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if b := s[i]; b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}

// parseLength parses a Content-Length: digits and nothing else, below 10^18.
func parseLength(s string) (n int64, ok bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		d := s[i]
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + int64(d-'0')
	}
	return n, true
}

// canonicalName returns the name as http.Header keys it. Names that come in that form, as
// most do, cost nothing.
func canonicalName(name string) string { return http.CanonicalHeaderKey(name) }

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// isHopByHop reports whether a field, by its canonical name, is for one connection only.
func isHopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings":
		return true
	}
	return false
}

// hyphened returns the canonical name with hyphens for underscores: some servers read one as the
// other, so a field of the one name must not pass for the other.
func hyphened(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return name
	}
	return http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
}

// isFraming reports whether a request's field is the proxy's own to say.
func isFraming(name string) bool {
	switch name[0] {
	case 'C', 'H', 'T':
		name = hyphened(name)
		return name == "Content-Length" || name == "Host" || name == "Transfer-Encoding"
	}
	return false
}

// isEdge reports whether a request's field says what only the first proxy can know: a client
// that sends it lies.
func isEdge(name string) bool {
	if name[0] != 'X' && name[0] != 'F' {
		return false
	}
	name = hyphened(name)
	return strings.HasPrefix(name, "X-Forwarded-") || name == "Forwarded" || name == "X-Real-Ip"
}

// replacesEdge reports whether the proxy says a field of the edge itself, or whether the name is
// one of those with an underscore, which nobody sends with good intent.
func replacesEdge(name string) bool {
	switch name {
	case "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded":
		return true
	}
	return strings.IndexByte(name, '_') >= 0
}

// mayTrail reports whether a field may come after a request's body: not those that frame,
// route or authorize, or tell who the client is (RFC 9110, 6.5.1). Some servers put trailers
// among the fields of the head.
func mayTrail(name string) bool {
	if !isToken(name) || isHopByHop(name) || isFraming(name) || isEdge(name) {
		return false
	}
	switch hyphened(name) {
	case "Authorization", "Cookie", "Expect", "Range", "Max-Forwards", "Content-Type", "Content-Encoding", "Content-Range", "Cache-Control":
		return false
	}
	return true
}

// mentions reports whether one of the comma-separated lists has the option.
func mentions(lists []string, option string) bool {
	for _, list := range lists {
		for one := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.Trim(one, " \t"), option) {
				return true
			}
		}
	}
	return false
}
