package proxy

import (
	"errors"
	"io"
	"net/http"
)

var errAborted = errors.New("aborted")

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// flushFrom is the length of a body from which its pieces are sent on as they come. A shorter
// one of known length is sent when it is whole.
const flushFrom = 4 << 10

// deliver sends the answer to the client and counts the request. whole reports that the copy's
// answer was read to its end; broken, that the client's answer was begun and is not complete.
func (f *flight) deliver(w http.ResponseWriter, r *http.Request, c *upstreamConn, a answer, u *upload) (whole, broken bool) {
	header := w.Header()
	if _, ok := header["Content-Type"]; !ok {
		header["Content-Type"] = nil // or net/http guesses one
	}
	if r.ProtoMajor == 1 && u != nil && !u.whole.Load() {
		header["Connection"] = []string{"close"} // the rest of the body would look like the next request
	}
	w.WriteHeader(a.status)
	if a.events {
		f.count(served) // it has no end that it could be counted at
	}
	body := a.body(c.reader)
	if body == nil {
		f.count(served)
		return true, false
	}
	copyErr, clientErr := f.copyBody(w, r, c, a, body)
	if copyErr == nil && clientErr == nil && a.length == chunked {
		copyErr = readTrailers(c.reader, func(name, value string) {
			header.Add(http.TrailerPrefix+name, value)
		})
	}
	switch why := f.aborted(); {
	case copyErr == nil && clientErr == nil:
		f.count(served)
		return true, false
	case why == cutOff:
		f.count(failed)
	case clientErr != nil || why == clientGone:
		f.count(gone)
	default:
		f.count(failed)
	}
	return false, true
}

// copyBody moves the body. Before it waits for the copy it flushes what the client has not got yet.
func (f *flight) copyBody(w http.ResponseWriter, r *http.Request, c *upstreamConn, a answer, body io.Reader) (copyErr, clientErr error) {
	flush := a.length < 0 || a.length > flushFrom || a.events
	client := http.NewResponseController(w)
	buf := f.buf[:copySize]
	for pieces := 0; ; pieces++ {
		if flush && c.reader.Buffered() == 0 {
			if err := client.Flush(); err != nil {
				return nil, err
			}
		}
		n, err := body.Read(buf)
		if n > 0 {
			if pieces > 0 && r.ProtoMajor == 1 {
				if f.aborted() != notAborted {
					return errAborted, nil
				}
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return nil, err
			}
		}
		if isEOF(err) {
			return nil, nil
		}
		if err != nil {
			return err, nil
		}
	}
}
