package server

import (
	"net"
	"net/http"
	"sync"
)

// connections are those on which no request has come yet: clients open some to have them ready.
type connections struct {
	mu  sync.Mutex
	all map[net.Conn]struct{}
}

// note is for http.Server.ConnState.
func (c *connections) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state != http.StateNew {
		delete(c.all, conn)
		return
	}
	if c.all == nil {
		c.all = make(map[net.Conn]struct{})
	}
	c.all[conn] = struct{}{}
}

// close ends them: their clients have asked for nothing.
func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.all {
		conn.Close()
	}
}
