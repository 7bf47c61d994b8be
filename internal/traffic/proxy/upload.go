package proxy

import (
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// continueWait is how long a copy that was asked (Expect: 100-continue) may say nothing before
// the body is sent nevertheless.
const continueWait = time.Second

// An upload streams the body of a request to a copy while the answer may already come back. It
// runs in a goroutine of its own, which finish ends.
type upload struct {
	limits  limits
	f       *flight
	r       *http.Request
	client  *http.ResponseController
	running bool
	done    chan struct{}
	goAhead chan struct{}
	stop    chan struct{}
	once    sync.Once

	whole    atomic.Bool // the client has sent its whole body
	clientOK atomic.Bool // false: reading from the client failed
	sentAll  bool        // the copy has got it all; valid after done
}

func newUpload(l limits, f *flight, r *http.Request) *upload {
	u := &upload{limits: l, f: f, r: r, client: http.NewResponseController(f.client),
		done: make(chan struct{}), goAhead: make(chan struct{}), stop: make(chan struct{})}
	u.clientOK.Store(true)
	if r.ProtoMajor == 1 {
		// The answer may come before the body's end; without this net/http reads the body first.
		_ = u.client.EnableFullDuplex()
	}
	return u
}

// length returns the length to announce to the copy, negative for chunked.
func (u *upload) length() int64 {
	if len(u.r.Trailer) > 0 {
		return -1
	}
	return u.r.ContentLength
}

func (u *upload) start(c net.Conn) {
	u.running = true
	go u.run(c)
}

// proceed lets a body that waits for it be sent.
func (u *upload) proceed() { u.once.Do(func() { close(u.goAhead) }) }

// failed reports whether the client did not send its whole body.
func (u *upload) failed() bool { return u != nil && !u.clientOK.Load() }

func (u *upload) run(c net.Conn) {
	defer close(u.done)
	if u.r.Header.Get("Expect") != "" {
		timer := time.NewTimer(continueWait)
		defer timer.Stop()
		select {
		case <-u.goAhead:
		case <-timer.C:
		case <-u.stop:
			return
		}
	}
	buf := uploads.Get().(*[uploadSize]byte)
	defer uploads.Put(buf)
	u.sentAll = u.copy(c, buf)
}

const (
	uploadSize = chunkHead + copySize + 2
	chunkHead  = 10 // room for the size of a chunk before it
)

var uploads = sync.Pool{New: func() any { return new([uploadSize]byte) }}

// copy moves the body piece by piece: what the copy does not take is not read from the client.
func (u *upload) copy(c net.Conn, buf *[uploadSize]byte) bool {
	total, chunks := int64(0), u.length() < 0
	var waited time.Duration // for the client
	for {
		now := time.Now()
		wait := u.limits.stall
		if !chunks {
			wait = min(wait, u.limits.bodyTime(total)-waited)
		}
		u.client.SetReadDeadline(now.Add(wait))
		if u.stopped() {
			return false
		}
		n, err := u.r.Body.Read(buf[chunkHead : chunkHead+copySize])
		total += int64(n)
		waited += time.Since(now)
		u.f.progress()
		if most := u.f.maxBody; most > 0 && total > most {
			u.f.abort(tooLarge)
			u.clientOK.Store(false)
			return false
		}
		if err == nil && total == u.r.ContentLength && u.r.ProtoMajor == 1 {
			// net/http must know that the body is at its end before the answer is: it would begin to
			// read ahead when it closes the body, and then read the next request at the same time.
			_, err = u.r.Body.Read(buf[:1])
		}
		// Known before the last piece is written, and so before the copy can answer to it.
		if isEOF(err) || !chunks && total == u.r.ContentLength {
			u.whole.Store(true)
		} else if err != nil {
			u.clientOK.Store(false)
			if !u.stopped() {
				u.f.abort(clientGone)
			}
			return false
		}
		piece := buf[chunkHead : chunkHead+n]
		if chunks && n > 0 {
			piece = asChunk(buf, n)
		}
		if n > 0 {
			if _, err := c.Write(piece); err != nil {
				return false
			}
		}
		if !isEOF(err) {
			continue
		}
		u.client.SetReadDeadline(time.Time{})
		if chunks {
			_, err = c.Write(u.lastChunk())
			return err == nil
		}
		return true
	}
}

// asChunk frames the n bytes behind the room for the head.
func asChunk(buf *[uploadSize]byte, n int) []byte {
	var size [chunkHead]byte
	head := append(strconv.AppendInt(size[:0], int64(n), 16), "\r\n"...)
	from := chunkHead - len(head)
	copy(buf[from:], head)
	return append(buf[from:chunkHead+n], "\r\n"...)
}

func (u *upload) lastChunk() []byte {
	last := []byte("0\r\n")
	for name, values := range u.r.Trailer {
		for _, v := range values {
			if mayTrail(name) && isFieldValue(v) {
				last = appendField(last, name, v)
			}
		}
	}
	return append(last, "\r\n"...)
}

func (u *upload) stopped() bool {
	select {
	case <-u.stop:
		return true
	default:
		return false
	}
}

// finish ends the upload and reports whether the copy got the whole request, so that its
// connection can carry another.
func (out *outgoing) finish(f *flight) bool {
	u := out.upload
	if u == nil {
		return true
	}
	if !u.running {
		return false
	}
	select {
	case <-u.done:
		return u.sentAll
	default:
	}
	if u.whole.Load() {
		// The client owes nothing more; only the last write is under way. It ends with the
		// copy's reading, or with the copy's connection.
		timer := time.NewTimer(time.Second)
		defer timer.Stop()
		select {
		case <-u.done:
			return u.sentAll
		case <-timer.C:
		}
	}
	close(u.stop)
	u.client.SetReadDeadline(past)
	f.mu.Lock()
	if f.conn != nil {
		f.conn.SetDeadline(past)
	}
	f.mu.Unlock()
	<-u.done
	return false
}
