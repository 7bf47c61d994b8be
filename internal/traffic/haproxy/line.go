package haproxy

import (
	"strconv"
	"strings"
	"time"
)

// logFormat is the line that HAProxy writes into its ring when a request has ended.
const logFormat = `%rt %b %s %ST %ts %rc %[var(txn.live)] %Tr`

// A line is how one request ended.
type line struct {
	id      int64 // the request's number in this process
	backend string
	slot    int // 0: no copy had it
	status  int
	end     byte // who ended it, the first letter of HAProxy's termination state
	moved   bool // it was sent to another copy
	live    live
	latency time.Duration // until the answer began, in whole milliseconds; negative: it did not
}

// live says whether an answer has no end of its own, so that it counts when it begins.
type live int

const (
	notLive  live = iota
	upgraded      // a websocket or another protocol
	stream        // server-sent events
)

// parseLine understands a line of the ring. It is false for other events.
func parseLine(text string) (l line, ok bool) {
	f := strings.Fields(text)
	if len(f) != 8 || f[4] == "" {
		return l, false
	}
	id, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return l, false
	}
	l = line{id: id, backend: f[1], slot: slotNumber(f[2]), status: int(number(f[3])), end: f[4][0], moved: strings.HasPrefix(f[5], "+")}
	if f[6] != "-" {
		l.live = live(number(f[6]))
	}
	l.latency = -1
	if ms := number(f[7]); ms >= 0 {
		l.latency = time.Duration(ms) * time.Millisecond
	}
	return l, true
}

// An outcome is how a request ended, for its ledger.
type outcome int

const (
	served outcome = iota
	failed
	gone
	counted // already, when its answer began
)

func (l line) outcome() outcome {
	switch {
	case l.live != notLive:
		return counted
	case l.end == '-':
		return served
	case l.end == 'C' || l.end == 'c':
		return gone
	}
	return failed
}
