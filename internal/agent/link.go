package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// A link is the present connection to the server.
type link struct {
	mu    sync.Mutex
	epoch int64         // 0: not connected
	up    chan struct{} // closed while connected
	over  chan struct{} // closed when the present connection is lost
	ended func()        // ends the present connection
}

func newLink() *link { return &link{up: make(chan struct{})} }

// await returns the epoch of the connection once there is one.
func (l *link) await(ctx context.Context) (int64, error) {
	for {
		l.mu.Lock()
		epoch, up := l.epoch, l.up
		l.mu.Unlock()
		if epoch != 0 {
			return epoch, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-up:
		}
	}
}

// present returns the epoch of the connection, 0 if there is none.
func (l *link) present() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch
}

// begin notes a new connection; ended is called when somebody finds that it is lost.
func (l *link) begin(epoch int64, ended func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch, l.ended, l.over = epoch, ended, make(chan struct{})
	close(l.up)
}

// lose ends the connection of that epoch if it is still the present one.
func (l *link) lose(epoch int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch != epoch || epoch == 0 {
		return
	}
	l.ended()
	close(l.over)
	l.epoch, l.ended, l.up = 0, nil, make(chan struct{})
}

// outlives reports whether the connection of that epoch is still the present one after a time
// in which the server was certainly asked for work with it.
func (l *link) outlives(ctx context.Context, epoch int64, wait time.Duration) bool {
	l.mu.Lock()
	present, over := l.epoch == epoch, l.over
	l.mu.Unlock()
	if !present {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-over:
		return false
	case <-timer.C:
		return true
	}
}

// connect keeps the agent connected and hands out the work, until ctx ends. It returns an
// error only if the agent must not work for this server, or if the server never took it. One
// that took it before may be mended: meanwhile the agent keeps its copies.
func (a *Agent) connect(ctx context.Context) error {
	pause, refusal := towardsPlant(), towardsRefusal()
	var known andon.Kind // of the trouble that is logged already
	taken := false
	for ctx.Err() == nil {
		most := 0
		if limited, ok := a.config.Traffic.(traffic.Limited); ok {
			most = limited.MostTargets()
		}
		welcome, err := a.config.Plant.Hello(ctx, andon.Hello{
			Agent: a.config.Name, Slots: a.config.Slots, Labels: a.config.Labels, Build: a.config.Build,
			Protocol: andon.Protocol, Platforms: slices.Sorted(maps.Keys(a.config.Platforms)), Address: a.config.Address, Proxy: a.config.Proxy,
			MostTargets: most,
		})
		if err != nil && refused(err) && !taken {
			return notTaken(a.config.Name, err, a.hint())
		}
		if err != nil {
			if kind := andon.KindOf(err); kind != known && ctx.Err() == nil {
				a.logTrouble(err)
				known = kind
			}
			if refused(err) {
				sleep(ctx, refusal.pause())
			} else {
				sleep(ctx, pause.pause())
			}
			continue
		}
		if err := a.belongsTo(welcome.Plant); err != nil {
			return err
		}
		a.config.Log.Info("connected", "plant", welcome.Plant, "epoch", welcome.Epoch, "protocol", cmp.Or(welcome.Protocol, 1))
		if known = ""; !taken && a.config.Welcomed != nil {
			a.config.Welcomed()
		}
		taken = true
		refusal.reset()
		began := time.Now()
		a.stay(ctx, welcome)
		if time.Since(began) > pause.most {
			pause.reset()
		}
		sleep(ctx, pause.pause())
	}
	return nil
}

// notTaken says that the server does not take an agent that it never took.
func notTaken(name andon.AgentName, err error, hint string) error {
	reason := err.Error()
	if e, ok := errors.AsType[*andon.Error](err); ok {
		reason = e.Message
	}
	return andon.Errorf(andon.KindOf(err), "the server does not take agent %s: %s", name, reason).
		WithHint("%s", hint).Because(err)
}

// tokenHint says where an agent's token comes from.
func tokenHint(name andon.AgentName) string {
	return fmt.Sprintf("On the server's machine, `andon agent token %s` prints the agent's token; start the agent with that.", name)
}

// hint says what lets the agent in.
func (a *Agent) hint() string {
	if a.config.Joined {
		return fmt.Sprintf("On the server's machine, `andon host` lists the hosts of the plant; `andon host add %s` lets one in again that was removed.", a.config.Name)
	}
	return tokenHint(a.config.Name)
}

func (a *Agent) logTrouble(err error) {
	if refused(err) {
		a.config.Log.Error("the server does not take this agent any more: copies are kept as they should be, nothing new is begun",
			"agent", a.config.Name, "error", err, "hint", a.hint())
		return
	}
	a.config.Log.Warn("cannot connect to the server; copies are kept as they should be", "error", err)
}

// stay asks for work again and again until the connection is lost.
func (a *Agent) stay(parent context.Context, welcome andon.Welcome) {
	ctx, end := context.WithCancel(parent)
	defer end()
	a.link.begin(welcome.Epoch, end)
	defer func() {
		if parent.Err() == nil { // an agent that ends still says its last words
			a.link.lose(welcome.Epoch)
		}
	}()
	a.board.news.raise() // everything is told again
	pause := towardsPlant()
	revision, taken := int64(0), false
	for ctx.Err() == nil {
		asked := time.Now()
		work, err := a.config.Plant.Work(ctx, andon.WorkRequest{Epoch: welcome.Epoch, Revision: revision})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && refused(err):
			return // the next hello says more
		case err != nil && gone(err):
			a.config.Log.Info("the server does not know this connection any more", "epoch", welcome.Epoch, "error", err)
			return
		case err != nil:
			if pause.next <= pause.first {
				a.config.Log.Warn("cannot ask for work", "error", err)
			}
			sleep(ctx, pause.pause())
			continue
		case taken && work.Revision == revision:
			// Nothing new: usually after a long poll. A server that answers at once is not
			// asked in a loop.
			if time.Since(asked) < pause.first {
				sleep(ctx, pause.pause())
				continue
			}
		default:
			if err := a.accept(parent, work); err != nil {
				a.config.Log.Error("cannot keep what the server wants", "error", err)
				sleep(ctx, pause.pause())
				continue // the revision is not taken, so the work is given again
			}
			revision, taken = work.Revision, true
		}
		pause.reset()
	}
}

// accept makes work the agent's own.
func (a *Agent) accept(ctx context.Context, work andon.Work) error {
	// Tasks first: somebody waits for the first step of a push.
	a.tasks.assign(ctx, work.Leases)
	changed, err := a.store.accept(work.Desired, work.Addresses)
	a.refused = a.refuse(work.Desired, err)
	if changed {
		a.router.wake.raise()
	}
	return err
}
