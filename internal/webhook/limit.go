package webhook

import (
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	// eachService is how often webhooks without a signature may wake one service.
	eachService = time.Second
	// perSecond bounds them for all services together.
	perSecond = 20
	// mostServices bounds what is remembered; names are anybody's to choose.
	mostServices = 1000
)

// A limit bounds webhooks without a signature.
type limit struct {
	mu     sync.Mutex
	last   map[andon.ServiceName]time.Time
	second time.Time
	count  int
}

func newLimit() *limit { return &limit{last: map[andon.ServiceName]time.Time{}} }

// take reports whether one more may pass now.
func (l *limit) take(service andon.ServiceName, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.second).Abs() >= time.Second {
		l.second, l.count = now, 0
	}
	if l.count >= perSecond || now.Sub(l.last[service]).Abs() < eachService {
		return false
	}
	if len(l.last) >= mostServices {
		clear(l.last)
	}
	l.count++
	l.last[service] = now
	return true
}
