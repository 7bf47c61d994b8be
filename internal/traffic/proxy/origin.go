package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// An origin is who sends a request, as far as the proxy knows.
type origin struct {
	address string // of the peer, without port
	secure  bool   // the peer speaks TLS
	trusted bool   // the peer is a proxy whose word counts
}

func originOf(r *http.Request) origin {
	if c := clientFrom(r); c != nil {
		return origin{address: c.address, secure: c.secure != nil, trusted: c.trusted}
	}
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	return origin{address: address}
}

func (o origin) proto() string {
	if o.secure {
		return "https"
	}
	return "http"
}

// append appends the fields that tell a copy who its client is.
func (o origin) append(b []byte, r *http.Request) []byte {
	b = append(b, "X-Forwarded-For: "...)
	if o.trusted {
		b = appendChain(b, r.Header["X-Forwarded-For"])
	}
	b = append(b, o.address...)
	b = append(b, "\r\nX-Forwarded-Host: "...)
	b = append(b, o.told(r, "X-Forwarded-Host", r.Host)...)
	b = append(b, "\r\nX-Forwarded-Proto: "...)
	b = append(b, o.scheme(r)...)
	b = append(b, "\r\nForwarded: "...)
	if o.trusted {
		b = appendChain(b, r.Header["Forwarded"])
	}
	b = append(b, "for="...)
	b = appendNode(b, o.address)
	b = append(b, ";host="...)
	b = appendQuoted(b, r.Host)
	b = append(b, ";proto="...)
	b = append(b, o.proto()...)
	return append(b, "\r\n"...)
}

// scheme returns what the client itself speaks.
func (o origin) scheme(r *http.Request) string {
	if s := o.told(r, "X-Forwarded-Proto", ""); s == "http" || s == "https" {
		return s
	}
	return o.proto()
}

// told returns what a trusted proxy says in the field, or else what the proxy itself knows.
func (o origin) told(r *http.Request, name, known string) string {
	if !o.trusted || len(r.Header[name]) != 1 {
		return known
	}
	if s := r.Header[name][0]; s != "" && isFieldValue(s) {
		return s
	}
	return known
}

// client returns the address of the client itself: the last one in X-Forwarded-For that no
// trusted proxy has.
func (o origin) client(r *http.Request, trusted []netip.Prefix) string {
	if !o.trusted {
		return o.address
	}
	client := o.address
	lists := r.Header["X-Forwarded-For"]
	for i := len(lists) - 1; i >= 0; i-- {
		for list := lists[i]; list != ""; {
			var last string
			if comma := strings.LastIndexByte(list, ','); comma >= 0 {
				list, last = list[:comma], list[comma+1:]
			} else {
				list, last = "", list
			}
			a, err := netip.ParseAddr(strings.Trim(last, " \t"))
			if err != nil {
				return client
			}
			client = a.String()
			known := false
			for _, p := range trusted {
				known = known || p.Contains(a.Unmap())
			}
			if !known {
				return client
			}
		}
	}
	return client
}

// appendChain appends what proxies before this one said, as the begin of a list.
func appendChain(b []byte, values []string) []byte {
	for _, v := range values {
		if v = strings.Trim(v, " \t,"); v != "" && isFieldValue(v) {
			b = append(b, v...)
			b = append(b, ", "...)
		}
	}
	return b
}

// appendNode appends an address as RFC 7239 has it: those of IPv6 in brackets and quotes.
func appendNode(b []byte, address string) []byte {
	if strings.IndexByte(address, ':') < 0 {
		return append(b, address...)
	}
	b = append(b, `"[`...)
	b = append(b, address...)
	return append(b, `]"`...)
}

// appendQuoted appends a token as it is, and anything else quoted.
func appendQuoted(b []byte, s string) []byte {
	if isToken(s) {
		return append(b, s...)
	}
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
