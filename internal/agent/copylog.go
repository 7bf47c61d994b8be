package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
)

// How the logs of copies are sent. A copy that writes more than these allow is shown with a
// delay, and with a gap once the platform has dropped what was not sent in time.
const (
	copyLogEvery  = 500 * time.Millisecond
	copyLogChunks = 8 // at most, of one copy at a time
	copyLogCall   = 5 * time.Second
)

// shipLogs sends what the copies write to the server, until ctx ends.
func (f *fleet) shipLogs(ctx context.Context) {
	for sleep(ctx, copyLogEvery) {
		for _, k := range f.all() {
			if err := k.log.ship(ctx); err != nil {
				break // the server is away: none of the others will get through
			}
		}
	}
}

// A copyLog sends the log of one copy. Where it was is known by the server: it is as far as
// the log is long there.
type copyLog struct {
	agent *Agent
	on    platform.Platform
	id    andon.InstanceID

	mu     sync.Mutex
	reader platform.LogReader // nil: not asked yet how much the server has
	skew   int64              // what the server's positions are ahead; negative where bytes were lost
	over   bool               // the server does not take it
	buffer []byte
}

// ship sends what is new, as far as the server is there. An error means that it is not.
func (l *copyLog) ship(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.agent.link.present() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, copyLogCall)
	defer cancel()
	err := l.send(ctx)
	if err == nil {
		return nil
	}
	l.close()
	switch andon.KindOf(err) {
	case andon.KindInvalid, andon.KindRefused:
		l.over = true
		l.agent.config.Log.Warn("the server does not take the log of a copy", "copy", l.id, "error", err)
		return nil
	case andon.KindNotFound: // it has not been started yet, or is gone already
		return nil
	}
	return err
}

func (l *copyLog) send(ctx context.Context) error {
	stream := andon.InstanceLogStream(l.id)
	if l.reader == nil {
		next, err := l.agent.config.Plant.AppendLog(ctx, stream, 0, nil)
		if err != nil {
			return err
		}
		if err := l.open(ctx, next); err != nil {
			return err
		}
	}
	if l.buffer == nil {
		l.buffer = make([]byte, 32<<10)
	}
	for range copyLogChunks {
		at := l.reader.Offset()
		n, err := l.reader.Read(l.buffer)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		// What was dropped before it could be read shows as a step of the offset.
		start := l.reader.Offset() - int64(n)
		if start != at {
			if err := l.note(ctx, at+l.skew, start); err != nil {
				return err
			}
		}
		next, err := l.agent.config.Plant.AppendLog(ctx, stream, start+l.skew, l.buffer[:n])
		if err != nil {
			return err
		}
		if next != start+l.skew+int64(n) {
			return l.open(ctx, next)
		}
		if n == len(l.buffer) && len(l.buffer) < chunkLimit {
			l.buffer = make([]byte, chunkLimit)
		}
	}
	return nil
}

// open goes on where the server's log ends.
func (l *copyLog) open(ctx context.Context, next int64) error {
	l.close()
	reader, err := l.on.Log(ctx, l.id, next-l.skew)
	if err != nil {
		return err
	}
	l.reader = reader
	if start := reader.Offset(); start > next-l.skew {
		return l.note(ctx, next, start)
	}
	return nil
}

// note says in the log, at the server's position, that bytes are missing up to start.
func (l *copyLog) note(ctx context.Context, position, start int64) error {
	text := fmt.Sprintf("[%d bytes of this log are gone]\n", start+l.skew-position)
	next, err := l.agent.config.Plant.AppendLog(ctx, andon.InstanceLogStream(l.id), position, []byte(text))
	if err != nil {
		return err
	}
	l.skew = next - start
	return nil
}

// close lets go of the local log. The next call asks the server again how much it has.
func (l *copyLog) close() {
	if l.reader != nil {
		_ = l.reader.Close() // it was only read
		l.reader = nil
	}
}

// end frees what the log holds, for good.
func (l *copyLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close()
	l.over = true
}
