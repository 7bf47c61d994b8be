package proxy

import "time"

// limits bound what a client may cost by being slow.
type limits struct {
	header time.Duration // for the head of a request, and the TLS handshake
	stall  time.Duration // for the next piece of a body, and for taking the next piece of an answer
	grace  time.Duration // for a body of known length, beyond what it takes at the least rate
	rate   int64         // the least rate of a body of known length, bytes a second
}

// usual are the limits but in tests. A body without a known length may come as slowly as its
// pieces may: it can be a stream.
var usual = limits{header: 10 * time.Second, stall: 2 * time.Minute, grace: 30 * time.Second, rate: 1 << 10}

// bodyTime is how long a client may take to send so much of a body of known length.
func (l limits) bodyTime(length int64) time.Duration {
	return l.grace + time.Duration(length)*time.Second/time.Duration(l.rate)
}
