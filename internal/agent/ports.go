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
	locks  *portLocks // shared with the other agents of this host; nil: it has none, or not yet

	mu    sync.Mutex
	taken map[int]andon.InstanceID
}

// outside is how many ports beyond the range are tried when all of it is taken.
const outside = 16

func newPorts(host string, within PortRange) *ports {
	return &ports{host: host, within: within, taken: make(map[int]andon.InstanceID)}
}

// give returns an address on a port that no copy has, of this agent or another of this host, and
// on which nothing listens. It begins to look at a random one, so that two agents seldom meet. A
// copy that takes ports that it was not given cannot keep others from starting: when nothing of
// the range is left, a port that the system gives will do.
func (p *ports) give(id andon.InstanceID) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.within.Last - p.within.First + 1
	first := rand.IntN(n) //nolint:gosec // no secret
	for i := range n {
		if address, ok := p.take(id, p.within.First+(first+i)%n); ok {
			return address, nil
		}
	}
	for range outside {
		if address, ok := p.take(id, anyPort(p.host)); ok {
			return address, nil
		}
	}
	return "", andon.Errorf(andon.KindUnavailable, "all ports from %d to %d of this host are in use", p.within.First, p.within.Last)
}

// take reserves a port for a copy if nobody has it. The caller holds mu.
func (p *ports) take(id andon.InstanceID, port int) (address string, ok bool) {
	if _, taken := p.taken[port]; taken || port == 0 || !p.locks.lock(port) {
		return "", false
	}
	address = net.JoinHostPort(p.host, strconv.Itoa(port))
	if !free(address) {
		p.locks.unlock(port)
		return "", false
	}
	p.taken[port] = id
	return address, true
}

// reserve notes that a copy has the port of its address already.
func (p *ports) reserve(id andon.InstanceID, address string) {
	if port := portOf(address); port > 0 {
		p.mu.Lock()
		p.taken[port] = id
		p.locks.lock(port)
		p.mu.Unlock()
	}
}

// hold makes the ports that are given from now on known to the other agents of this host.
func (p *ports) hold(locks *portLocks) {
	p.mu.Lock()
	p.locks = locks
	p.mu.Unlock()
}

// letGo ends the reservations. Copies that run go on listening, which keeps their ports.
func (p *ports) letGo() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.locks.Close() // nothing was written
	p.locks = nil
}

// release gives the port of a copy's address back.
func (p *ports) release(id andon.InstanceID, address string) {
	port := portOf(address)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[port] == id {
		delete(p.taken, port)
		p.locks.unlock(port)
	}
}

// free reports whether nothing listens on an address, nor on its port of any other address of
// this host: copies may listen on all of them.
func free(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	for _, at := range []string{address, ":" + port} {
		l, err := net.Listen("tcp", at) //nolint:noctx,gosec // it waits for nobody, and takes no connection
		if err != nil || l.Close() != nil {
			return false
		}
	}
	return true
}

// anyPort returns a port that is free now, 0 if there is none.
func anyPort(host string) int {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0")) //nolint:noctx // it waits for nobody
	if err != nil {
		return 0
	}
	defer l.Close()
	return portOf(l.Addr().String())
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
