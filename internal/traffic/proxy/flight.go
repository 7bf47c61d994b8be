package proxy

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A flight is one request on its way through the proxy, and the buffers that it needs. It
// belongs to the goroutine that carries it, but for what mu guards and for the links and the
// mark of a switch, which belong to its target.
type flight struct {
	ledger  *ledger
	counted bool // in the ledger, as ended
	retried bool
	maxBody int64  // 0: no limit
	buf     []byte // the request's head and a small body, then pieces of the answer's body
	small   []byte // a small body of the request
	head    []byte // the answer's head

	entry          *accessEntry // nil: there is no access log
	attempt        attempt      // at the target
	cookieName     string
	cookie         string // that the client is to get, so that it comes back to the target; empty: none
	target         *target
	next, previous *flight
	switched       *ledger       // set when the route was switched away under the flight
	switchedAt     time.Duration // by the clock

	waitingSince atomic.Int64 // by the clock, since when the copy owes an answer; 0: it does not

	mu       sync.Mutex
	why      reason
	conn     *upstreamConn       // closed on abort
	client   http.ResponseWriter // unblocked when cut off
	hijacked net.Conn            // the client's connection after an upgrade
}

// A reason says why somebody else ended a flight.
type reason int

const (
	notAborted reason = iota
	clientGone        // the client closed its connection
	cutOff            // the copy is out of the route and its drain time is over
	timedOut          // the copy has not begun to answer
	copyFailed        // the copy has failed in the middle of an upload
	tooLarge          // the client's body is larger than the route takes
)

// An outcome is how a request ended, for its ledger.
type outcome int

const (
	served outcome = iota
	failed
	gone
)

func (o outcome) String() string {
	switch o {
	case served:
		return "served"
	case failed:
		return "failed"
	}
	return "client gone"
}

// copySize is how much of a body is moved at a time.
const copySize = 32 << 10

var flights = sync.Pool{New: func() any { return &flight{buf: make([]byte, 0, copySize)} }}

func newFlight(client http.ResponseWriter) *flight {
	f := flights.Get().(*flight)
	f.client = client
	return f
}

// free gives the flight back. Nobody may know it any more.
func (f *flight) free() {
	*f = flight{buf: f.buf[:0], small: f.small[:0], head: f.head[:0]}
	flights.Put(f)
}

// count ends the request in its ledger, once.
func (f *flight) count(o outcome) {
	if f.counted {
		return
	}
	f.counted = true
	if f.entry != nil {
		f.entry.outcome, f.entry.retried = o.String(), f.retried
		if f.target != nil {
			f.entry.instance = f.target.instance
		}
	}
	switch lane := f.ledger.lane; o {
	case served:
		lane.served.Add(1)
		f.attempt.end(false)
	case failed:
		lane.failed.Add(1)
		if f.aborted() != cutOff { // that was the proxy's own doing
			f.attempt.end(true)
		}
	case gone:
		lane.clientGone.Add(1)
	}
}

// leave takes the flight off its target, if it is on one.
func (f *flight) leave() {
	if f.target != nil {
		f.target.end(f)
	}
}

// drain counts the flight in the ledger of the switch that it outlived, if there was one. Its
// target calls it, under its lock.
func (f *flight) drain() {
	if f.switched == nil {
		return
	}
	f.switched.drainedAfter((clock() - f.switchedAt).Milliseconds(), f.aborted() == cutOff)
	if f.hijacked != nil {
		f.switched.slot.moved.Add(1)
	}
	f.switched = nil
}

// progress says that the copy has good reason not to have answered yet: the request still comes.
func (f *flight) progress() {
	if since := f.waitingSince.Load(); since != 0 {
		f.waitingSince.CompareAndSwap(since, int64(clock()))
	}
}

var past = time.Unix(1, 0)

// abort ends the flight: whatever it waits for returns at once. The first reason counts.
func (f *flight) abort(why reason) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.why != notAborted {
		return
	}
	f.why = why
	if f.conn != nil {
		f.conn.SetDeadline(past)
	}
	if why != cutOff {
		return // a late copy leaves the client's connection able to carry the proxy's answer
	}
	if f.hijacked != nil {
		f.hijacked.SetDeadline(past)
		return
	}
	client := http.NewResponseController(f.client)
	client.SetReadDeadline(past)
	client.SetWriteDeadline(past)
}

// attach makes abort end the connection too.
func (f *flight) attach(c *upstreamConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn = c
	if f.why != notAborted {
		c.SetDeadline(past)
	}
}

// detach makes abort leave the connection alone, and returns why it was aborted, if it was.
func (f *flight) detach() reason {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn = nil
	return f.why
}

// upgraded makes abort end the client's connection, which net/http has let go of.
func (f *flight) upgraded(client net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hijacked = client
	if f.why != notAborted {
		client.SetDeadline(past)
	}
}

func (f *flight) aborted() reason {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.why
}

var epoch = time.Now()

// clock returns the monotonic time since the process started.
func clock() time.Duration { return time.Since(epoch) }
