package proxy

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// A connection to a copy on another host ends when that host has said nothing at all for
// deadAfter, not even that it got what was sent: it is away, or cut off. A copy that only takes
// its time with an answer is not meant: its host says that the connection is there.
const (
	deadAfter  = 6 * time.Second
	askIdle    = 3 * time.Second // of silence, before the host is asked
	askAgain   = time.Second
	askedTimes = 3
)

// dial connects to a copy.
func dial(ctx context.Context, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().IsLoopback() {
		dialer.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: askIdle, Interval: askAgain, Count: askedTimes}
		dialer.Control = limitSilence
	}
	return dialer.DialContext(ctx, "tcp", address)
}
