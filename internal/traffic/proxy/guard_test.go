package proxy

import (
	"bytes"
	"testing"
)

const browserHead = "GET /catalogue/items?page=2 HTTP/1.1\r\nHost: shop.localhost\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Connection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n\r\n"

// BenchmarkGuard is the head of a browser's request.
func BenchmarkGuard(b *testing.B) {
	g, head := newGuard(), []byte(browserHead)
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		g.look(head)
	}
}

// spoils reports whether a guard spoils the text when it comes in pieces of that size.
func spoils(text []byte, piece int) bool {
	g := newGuard()
	seen := bytes.Clone(text)
	for from := 0; from < len(seen); from += piece {
		g.look(seen[from:min(from+piece, len(seen))])
	}
	return !bytes.Equal(seen, text)
}

// FuzzGuard finds that it makes no difference in which pieces a request comes.
func FuzzGuard(f *testing.F) {
	f.Add([]byte(browserHead + browserHead))
	f.Add([]byte("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\nGET / HTTP/1.1\r\nA\n\r\n"))
	f.Add([]byte("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\na"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.IndexByte(text, 0) >= 0 {
			return // spoiling it may change nothing; net/http refuses it by itself
		}
		whole := spoils(text, len(text)+1)
		for _, piece := range []int{1, 2, 7, 128} {
			if spoils(text, piece) != whole {
				t.Fatalf("%q: spoilt whole %v, in pieces of %d %v", text, whole, piece, !whole)
			}
		}
	})
}
