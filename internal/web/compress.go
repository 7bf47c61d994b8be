package web

import (
	"bytes"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// Compression shows how long a page is, and so whether what somebody else chose of it, as a search,
// resembles what is secret in it (BREACH, 2013). No page has a secret in it: the session is a cookie that
// no page repeats, and forms carry no token against forgery, because Sec-Fetch-Site and Origin say
// where a request comes from (see ours, and the guard in front).

// takesGzip reports whether a browser takes compressed answers.
func takesGzip(r *http.Request) bool {
	for _, offers := range r.Header.Values("Accept-Encoding") {
		for one := range strings.SplitSeq(offers, ",") {
			coding, weight, _ := strings.Cut(strings.TrimSpace(one), ";")
			if strings.TrimSpace(coding) == "gzip" && !refuses(weight) {
				return true
			}
		}
	}
	return false
}

// refuses reports whether the weight of a coding is 0: "q=0" (RFC 9110, 12.4.2).
func refuses(weight string) bool {
	q, found := strings.CutPrefix(strings.TrimSpace(weight), "q=")
	return found && strings.Trim(q, "0.") == "" && q != ""
}

// compressed compresses the pages of a handler for who takes that. What says itself how it is
// encoded stays as it is, and so does what is no page: streams of events, and files.
func compressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &compressor{ResponseWriter: w, takes: takesGzip(r) && r.Method != http.MethodHead}
		next.ServeHTTP(out, r)
		out.end() // not if it panics: then its reader must notice that the answer is incomplete
	})
}

// A compressor is the writer of one answer.
type compressor struct {
	http.ResponseWriter
	takes bool
	began bool
	gzip  *gzip.Writer // nil: the answer is sent as it is
}

// writers are reused: each has some hundred kilobytes.
var writers = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic("web: " + err.Error())
	}
	return w
}}

// WriteHeader implements http.ResponseWriter.
func (c *compressor) WriteHeader(status int) {
	if status >= 200 && !c.began {
		c.begin(status)
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *compressor) begin(status int) {
	c.began = true
	h := c.Header()
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	if h.Get("Content-Encoding") != "" || kind != "text/html" && kind != "application/json" {
		return
	}
	h.Add("Vary", "Accept-Encoding")
	if !c.takes || status == http.StatusNoContent || status == http.StatusNotModified || h.Get("Content-Range") != "" {
		return
	}
	h.Set("Content-Encoding", "gzip")
	h.Del("Content-Length")
	c.gzip = writers.Get().(*gzip.Writer)
	c.gzip.Reset(c.ResponseWriter)
}

// Write implements http.ResponseWriter.
func (c *compressor) Write(b []byte) (int, error) {
	if !c.began {
		c.begin(http.StatusOK)
	}
	if c.gzip != nil {
		return c.gzip.Write(b)
	}
	return c.ResponseWriter.Write(b)
}

// FlushError sends what was written so far; see http.ResponseController.
func (c *compressor) FlushError() error {
	if !c.began {
		c.begin(http.StatusOK)
	}
	if c.gzip != nil {
		if err := c.gzip.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(c.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (c *compressor) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// end completes the answer.
func (c *compressor) end() {
	if c.gzip == nil {
		return
	}
	// The browser may be gone; there is nobody else to tell.
	_ = c.gzip.Close()
	c.gzip.Reset(nil)
	writers.Put(c.gzip)
}

// pack compresses a whole body.
func pack(body []byte, level int) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err == nil {
		_, err = z.Write(body)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		panic("web: memory takes what is written to it: " + err.Error())
	}
	return b.Bytes()
}

// gzipHeader begins a stream of gzip (RFC 1952, 2.3) without a name or a time.
var gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255} // never changes

// packEvent compresses a piece of a stream on its own: the piece is complete without those before
// it, so that all readers of a stream get the same bytes, and none needs a compressor.
func packEvent(text []byte) []byte {
	var b bytes.Buffer
	if err := flate.StatelessDeflate(&b, text, false, nil); err != nil {
		panic("web: memory takes what is written to it: " + err.Error())
	}
	return b.Bytes()
}
