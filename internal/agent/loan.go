package agent

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// A loan is of the bytes of a request's body to net/http, which may read them still after the
// server has answered or the call has failed: whoever wants to write over them waits for their
// return. See http.RoundTripper: it may close the body after RoundTrip has returned.
type loan struct{ readers sync.WaitGroup }

// lend makes the bytes the body of a request.
func (l *loan) lend(r *http.Request, body []byte) {
	if len(body) == 0 {
		r.Body = http.NoBody
		return
	}
	reader := func() (io.ReadCloser, error) {
		l.readers.Add(1)
		return &lentBody{Reader: bytes.NewReader(body), closed: sync.OnceFunc(l.readers.Done)}, nil
	}
	r.Body, _ = reader()
	r.GetBody, r.ContentLength = reader, int64(len(body)) // sent again on another connection when one was closed meanwhile
}

// returned waits until nobody reads the bytes any more. The request's context must have ended, or
// its answer have been read.
func (l *loan) returned() { l.readers.Wait() }

type lentBody struct {
	*bytes.Reader
	closed func()
}

// Close implements io.Closer.
func (b *lentBody) Close() error {
	b.closed()
	return nil
}
