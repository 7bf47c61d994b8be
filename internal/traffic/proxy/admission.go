package proxy

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// An admission bounds the clients' connections of all listeners together. Those over the limit
// wait in the kernel's queue. Those of one client over the limit for one are closed.
type admission struct {
	places    chan struct{}
	perClient int

	mu      sync.Mutex
	clients map[netip.Prefix]int
}

// newAdmission admits as many as the limit says, or fewer where the process may not have that
// many open files: each connection needs one of a copy, too.
func newAdmission(limit, perClient int) *admission {
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		limit = int(max(100, min(uint64(limit), max(files.Cur/2, 200)-100)))
	}
	return &admission{places: make(chan struct{}, limit), perClient: perClient, clients: map[netip.Prefix]int{}}
}

// enter counts one more connection of the client, and reports false if that is one too many.
func (a *admission) enter(client netip.Prefix) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.clients[client] >= a.perClient {
		return false
	}
	a.clients[client]++
	return true
}

func (a *admission) leave(client netip.Prefix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.clients[client]--; a.clients[client] <= 0 {
		delete(a.clients, client)
	}
}

// clientOf returns whom an address stands for: itself, or the network of one IPv6 customer.
func clientOf(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // of a valid address; another counts as one client
	return p
}

// waitEmpty returns when there is no connection, or after the limit, or when ctx ends.
func (a *admission) waitEmpty(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for len(a.places) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
