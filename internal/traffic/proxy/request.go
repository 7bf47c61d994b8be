package proxy

import (
	"net/http"
	"strconv"
	"strings"
)

// appendHead appends the head of the request as the copy gets it: its target and fields as
// the client sent them, without what is for one connection only, and with who the client is.
// What a client says about that is replaced, not believed, unless it is a trusted proxy. The
// framing is always the proxy's own (length, or chunked if length is negative).
func appendHead(b []byte, r *http.Request, from origin, length int64, upgrade string) []byte {
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, requestTarget(r)...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, r.Host...)
	b = append(b, "\r\n"...)
	connection := r.Header["Connection"]
	for name, values := range r.Header {
		if isHopByHop(name) || isFraming(name) || isEdge(name) && (!from.trusted || replacesEdge(name)) {
			continue
		}
		if len(connection) > 0 && mentions(connection, name) {
			continue
		}
		for _, v := range values {
			b = appendField(b, name, v)
		}
	}
	if r.ContentLength != 0 || length != 0 || methodHasBody(r.Method) {
		if length < 0 {
			b = append(b, "Transfer-Encoding: chunked\r\n"...)
		} else {
			b = append(b, "Content-Length: "...)
			b = strconv.AppendInt(b, length, 10)
			b = append(b, "\r\n"...)
		}
	}
	if upgrade != "" {
		b = append(b, "Connection: Upgrade\r\n"...)
		b = appendField(b, "Upgrade", upgrade)
	}
	if mentions(r.Header["Te"], "trailers") {
		b = append(b, "Te: trailers\r\n"...)
	}
	for name := range r.Trailer {
		if mayTrail(name) {
			b = appendField(b, "Trailer", name)
		}
	}
	b = from.append(b, r)
	return append(b, "\r\n"...)
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// requestTarget returns the target in origin form, byte for byte as the client wrote it.
func requestTarget(r *http.Request) string {
	if r.RequestURI == "*" || strings.HasPrefix(r.RequestURI, "/") && strings.IndexByte(r.RequestURI, ' ') < 0 {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// sayable reports whether the method and host of an HTTP/2 request can be parts of the lines
// of HTTP/1.1. Of HTTP/1.1 requests net/http has made sure.
func sayable(r *http.Request) bool {
	return isToken(r.Method) && isFieldValue(r.Host) && !strings.ContainsAny(r.Host, " \t")
}

// methodHasBody reports whether a request of that method without a body says so.
func methodHasBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// isIdempotent reports whether sending the request twice does what sending it once does.
func isIdempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// upgradeOf returns what the request wants to upgrade to, if anything.
func upgradeOf(r *http.Request) string {
	if r.ProtoMajor != 1 || len(r.Header["Upgrade"]) == 0 || !mentions(r.Header["Connection"], "upgrade") {
		return ""
	}
	to := r.Header.Get("Upgrade")
	if len(r.Header["Upgrade"]) > 1 || !isFieldValue(to) || mentions(r.Header["Upgrade"], "h2c") {
		return "" // by h2c a client would talk to the copy past the proxy, and say who it is itself
	}
	return to
}
