package proxy

import (
	"bufio"
	"net"
	"sync"
	"time"
)

// An upstreamConn is a connection to a copy that speaks HTTP/1.1.
type upstreamConn struct {
	net.Conn
	reader   *bufio.Reader
	idleAt   time.Duration // by the clock, when it was put into the pool
	reused   bool
	doubtful bool // it was idle for so long before this request that the copy may just have closed it
}

const (
	maxIdle      = 256              // connections kept for one copy
	idleLimit    = 60 * time.Second // then an unused connection is closed
	doubtfulIdle = 2 * time.Second  // then the copy may just be closing it
)

// An idlePool holds the connections to one copy that carry no request. The latest is used
// first, so that the others grow old and are closed.
type idlePool struct {
	mu    sync.Mutex
	conns []*upstreamConn
}

// take returns an idle connection, or nil. With fresh set it passes over those that the copy
// may be about to close: a request that may not be repeated cannot afford one.
func (p *idlePool) take(fresh bool) *upstreamConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.conns)
	if n == 0 {
		return nil
	}
	c := p.conns[n-1]
	c.doubtful = clock()-c.idleAt > doubtfulIdle
	if fresh && c.doubtful {
		return nil
	}
	p.conns[n-1] = nil
	p.conns = p.conns[:n-1]
	c.reused = true
	return c
}

// put keeps the connection for later, or closes it.
func (p *idlePool) put(c *upstreamConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.conns) >= maxIdle {
		c.Close()
		return
	}
	c.idleAt = clock()
	p.conns = append(p.conns, c)
}

func (p *idlePool) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// closeOld closes what nobody has used for idleLimit.
func (p *idlePool) closeOld(now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep := 0
	for keep < len(p.conns) && now-p.conns[keep].idleAt > idleLimit {
		p.conns[keep].Close()
		keep++
	}
	p.conns = append(p.conns[:0], p.conns[keep:]...)
}
