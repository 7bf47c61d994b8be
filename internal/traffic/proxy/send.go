package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	dialTimeout   = 2 * time.Second
	answerTimeout = 5 * time.Minute // for a copy to begin its answer
	maxAttempts   = 3
	smallBody     = 16 << 10 // a request's body up to this size is read whole before it is sent
	maxInterim    = 16       // 1xx answers to one request
)

var errClientBody = errors.New("the client's body ended early")

// An outgoing is a request as it is sent to a copy.
type outgoing struct {
	r       *http.Request
	from    origin
	upgrade string
	upload  *upload // nil: the body is in the flight, or there is none
}

// outgoing reads a small body, or prepares to stream a large one.
func (s *server) outgoing(f *flight, r *http.Request) (*outgoing, error) {
	out := &outgoing{r: r, from: originOf(r)}
	switch {
	case r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0:
		out.upgrade = upgradeOf(r)
	case r.ContentLength > 0 && r.ContentLength <= smallBody && len(r.Trailer) == 0 && r.Header.Get("Expect") == "":
		client := http.NewResponseController(f.client)
		client.SetReadDeadline(time.Now().Add(s.limits.bodyTime(r.ContentLength)))
		f.small = grow(f.small, int(r.ContentLength))
		if _, err := io.ReadFull(r.Body, f.small); err != nil {
			return nil, err
		}
		client.SetReadDeadline(time.Time{})
	default:
		out.upload = newUpload(s.limits, f, r)
	}
	return out, nil
}

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// send brings the request to a copy and reads the head of its answer into w's header. It is sent
// again, to another copy if there is one, when that cannot do what once would not do: when no
// connection could be made, and when the connection ended without a byte of the answer to a
// request that may be repeated. The latter only once if it need not be the fault of an idle
// connection: a request that kills copies must not get them all.
func (s *server) send(f *flight, w http.ResponseWriter, out *outgoing, find lookup) (*upstreamConn, answer, error) {
	repeatable := isIdempotent(out.r.Method) && out.upload == nil && out.upgrade == ""
	lost := 0
	for attempt := 1; ; attempt++ {
		c, err := f.connect(s, out.r.Context(), repeatable && attempt == 1)
		again, theirs := err != nil, true
		if err == nil {
			var a answer
			var started bool
			a, started, err = f.ask(w, c, out)
			if err == nil {
				return c, a, nil
			}
			// An idle connection may be closed: that is no fault of the copy.
			if theirs = started || !c.doubtful; theirs {
				lost++
			}
			again = repeatable && !started && lost < 2
			f.detach()
			c.Close()
			if out.upload != nil {
				f.abort(copyFailed) // net/http takes the end of the upload for the client's going
			}
			out.finish(f)
		}
		if !again || attempt == maxAttempts || f.aborted() != notAborted {
			return nil, answer{}, err
		}
		if theirs {
			f.attempt.end(true)
		}
		if !s.reassign(f, out.r, find) {
			return nil, answer{}, err
		}
	}
}

// reassign moves the flight to another target, or to the same if there is no other.
func (s *server) reassign(f *flight, r *http.Request, find lookup) bool {
	before := f.target
	f.leave()
	_, found := s.assign(f, r, find, before)
	if !found {
		_, found = s.assign(f, r, find, nil)
	}
	if found && !f.retried {
		f.retried = true
		f.ledger.slot.retried.Add(1)
	}
	return found
}

// connect returns a connection to the flight's target. An idle one that has not been used for
// a while may be just ending, so it serves only what may be sent again.
func (f *flight) connect(s *server, ctx context.Context, repeatable bool) (*upstreamConn, error) {
	t := f.target
	if c := t.idle.take(!repeatable); c != nil {
		f.attach(c)
		return c, nil
	}
	conn, err := dial(ctx, t.address)
	if err != nil {
		if ctx.Err() == nil {
			t.suspect.Store(int64(clock() + suspicion))
		}
		return nil, err
	}
	c := &upstreamConn{Conn: conn, reader: bufio.NewReaderSize(conn, 4<<10)}
	f.attach(c)
	return c, nil
}

// ask writes the request and reads the head of the final answer. started reports whether the
// copy has answered anything.
func (f *flight) ask(w http.ResponseWriter, c *upstreamConn, out *outgoing) (a answer, started bool, err error) {
	r := out.r
	length := r.ContentLength
	if out.upload != nil {
		length = out.upload.length()
	}
	f.buf = appendHead(f.buf[:0], r, out.from, length, out.upgrade)
	if out.upload == nil {
		f.buf = append(f.buf, f.small...)
	}
	if _, err := c.Write(f.buf); err != nil {
		return a, false, err
	}
	if out.upload != nil {
		out.upload.start(c)
	}
	f.waitingSince.Store(int64(clock()))
	defer f.waitingSince.Store(0)
	for range maxInterim {
		var some bool
		var began time.Duration
		if _, err := c.reader.Peek(1); err == nil {
			began = clock()
		}
		a, some, err = f.readHead(c.reader, r.Method, w.Header())
		started = started || some
		switch {
		case err != nil:
			if out.upload.failed() {
				err = errClientBody
			}
			return a, started, err
		case a.status == http.StatusContinue:
			clear(w.Header())
			if out.upload != nil {
				out.upload.proceed()
			}
		case a.status == http.StatusSwitchingProtocols:
			if out.upgrade == "" || a.upgrade == "" {
				return a, true, errMalformed
			}
			f.attempt.group = nil // upgraded connections say nothing of the group
			return a, true, nil
		case a.status < 200:
			w.WriteHeader(a.status)
			clear(w.Header())
		default:
			f.attempt.answered(a.status, began-time.Duration(f.waitingSince.Load()))
			return a, true, nil
		}
	}
	return a, true, errMalformed
}

// keep puts the connection into the pool unless the target takes no new requests.
func (t *target) keep(c *upstreamConn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.open {
		return false
	}
	t.idle.put(c)
	return true
}
