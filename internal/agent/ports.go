package agent

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"

	"github.com/andon-cd/andon/internal/andon"
)

// A PortRange is the ports that copies on this host are given, both ends included.
type PortRange struct{ First, Last int }

// DefaultPorts lies below the ports that Linux gives to outgoing connections, so none of
// those takes the port of a copy that is being restarted.
var DefaultPorts = PortRange{First: 20000, Last: 32767}

// DefaultAddress is where copies listen that only the proxy of their own host is to reach.
const DefaultAddress = "127.0.0.1"

// checkAddress refuses an address at which copies could not listen.
func checkAddress(address string) error {
	ip := net.ParseIP(address)
	if ip == nil || ip.IsUnspecified() {
		return andon.Errorf(andon.KindInvalid, "%q is not an IP address at which other hosts reach this one", address).
			WithHint("give --address the address of one of this host's network interfaces")
	}
	if !free(net.JoinHostPort(address, "0")) {
		return andon.Errorf(andon.KindInvalid, "nothing can listen on %s: it is no address of this host", address).
			WithHint("give --address the address of one of this host's network interfaces")
	}
	return nil
}

func (r PortRange) check() error {
	if r.First < 1 || r.Last > 65535 || r.First > r.Last {
		return andon.Errorf(andon.KindInvalid, "%d-%d is not a range of ports", r.First, r.Last)
	}
	return nil
}

// ports gives each copy a port of its own. Who gets which one is kept by the platform, as
// part of the copies' addresses.
type ports struct {
	host   string
	within PortRange

	mu    sync.Mutex
	taken map[int]andon.InstanceID
}

func newPorts(host string, within PortRange) *ports {
	return &ports{host: host, within: within, taken: make(map[int]andon.InstanceID)}
}

// give returns an address on a port that no copy has and on which nothing listens. It begins
// to look at a random one, so that two agents on one machine seldom meet.
func (p *ports) give(id andon.InstanceID) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.within.Last - p.within.First + 1
	first := rand.IntN(n) //nolint:gosec // no secret
	for i := range n {
		port := p.within.First + (first+i)%n
		address := net.JoinHostPort(p.host, strconv.Itoa(port))
		if _, taken := p.taken[port]; !taken && free(address) {
			p.taken[port] = id
			return address, nil
		}
	}
	return "", andon.Errorf(andon.KindUnavailable, "all ports from %d to %d of this host are in use", p.within.First, p.within.Last)
}

// reserve notes that a copy has the port of its address already.
func (p *ports) reserve(id andon.InstanceID, address string) {
	if port := portOf(address); port > 0 {
		p.mu.Lock()
		p.taken[port] = id
		p.mu.Unlock()
	}
}

// release gives the port of a copy's address back.
func (p *ports) release(id andon.InstanceID, address string) {
	port := portOf(address)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[port] == id {
		delete(p.taken, port)
	}
}

// free reports whether nothing listens on an address.
func free(address string) bool {
	l, err := net.Listen("tcp", address) //nolint:noctx // it waits for nobody
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// portOf returns the port of an address, 0 if it has none.
func portOf(address string) int {
	_, s, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	port, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return port
}

// hostOf returns the host of an address, empty if it has none.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return host
}
