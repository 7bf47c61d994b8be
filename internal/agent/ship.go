package agent

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// How the log of a task is sent.
const (
	chunkLimit = 1 << 20                // of one call, and of what waits meanwhile
	chunkReady = 256 << 10              // so much is sent at once
	chunkDelay = 100 * time.Millisecond // and less after so long
)

// A shipper sends what a task writes to the server, in order, in large pieces. When the server
// is slower than the task, Write waits. It implements io.Writer; Write may be called by
// several goroutines.
type shipper struct {
	plant  Plant
	stream string
	log    *slog.Logger

	task   context.Context // of the task: when it ends, Write drops what it has no room for
	ctx    context.Context // ends when nothing more is to be sent
	cancel context.CancelFunc
	done   chan struct{} // closed when run has returned
	news   signal        // something is there to send
	ready  signal        // enough is there to send it at once

	writing sync.Mutex // held by the one who writes

	mu      sync.Mutex
	pending []byte
	closed  bool
	deaf    bool          // the server does not take this log: what is written is dropped
	room    chan struct{} // closed, and made anew, when pending was taken

	offset int64 // of the next byte, at the server; owned by run
}

// newShipper returns a shipper of a log that begins with offset 0, and starts sending. It ends
// with close.
func newShipper(ctx context.Context, plant Plant, stream string, log *slog.Logger) *shipper {
	s := &shipper{
		plant: plant, stream: stream, log: log, task: ctx,
		done: make(chan struct{}), news: newSignal(), ready: newSignal(), room: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go s.run()
	return s
}

// Write implements io.Writer. It never fails: a log that cannot be sent must not end a task.
func (s *shipper) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	n := len(p)
	for len(p) > 0 {
		s.mu.Lock()
		if s.deaf || s.closed {
			s.mu.Unlock()
			return n, nil
		}
		take := min(len(p), chunkLimit-len(s.pending))
		s.pending = append(s.pending, p[:take]...)
		p = p[take:]
		size, room := len(s.pending), s.room
		s.mu.Unlock()
		s.news.raise()
		if size >= chunkReady {
			s.ready.raise()
		}
		if len(p) == 0 {
			break
		}
		select {
		case <-room:
		case <-s.done:
			return n, nil
		case <-s.task.Done():
			return n, nil
		}
	}
	return n, nil
}

// close sends what is left and returns when the server has it, or when ctx ends, and then
// gives the rest up.
func (s *shipper) close(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.news.raise()
	s.ready.raise()
	select {
	case <-s.done:
	case <-ctx.Done():
		s.cancel()
		<-s.done
	}
	s.cancel()
}

// run sends until the shipper is closed and empty.
func (s *shipper) run() {
	defer close(s.done)
	var spare []byte
	timer := time.NewTimer(chunkDelay)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.news:
		}
		timer.Reset(chunkDelay)
		select {
		case <-s.ctx.Done():
			return
		case <-s.ready:
		case <-timer.C:
		}
		chunk, last := s.take(spare)
		if len(chunk) > 0 && !s.send(chunk) {
			return
		}
		if last {
			return
		}
		spare = chunk[:0]
	}
}

// take swaps the pending bytes for the spare buffer and lets writers go on.
func (s *shipper) take(spare []byte) (chunk []byte, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	chunk, s.pending = s.pending, spare
	close(s.room)
	s.room = make(chan struct{})
	return chunk, s.closed
}

// send sends a chunk until the server has all of it. It returns false when nothing more can
// be sent.
func (s *shipper) send(chunk []byte) bool {
	pause := towardsPlant()
	for len(chunk) > 0 {
		next, err := s.plant.AppendLog(s.ctx, s.stream, s.offset, chunk)
		if err != nil {
			if s.ctx.Err() != nil {
				return false
			}
			switch andon.KindOf(err) {
			case andon.KindInvalid, andon.KindNotFound, andon.KindRefused:
				s.log.Warn("the server does not take the log of a task", "stream", s.stream, "error", err)
				s.mu.Lock()
				s.deaf = true
				s.mu.Unlock()
				return false
			}
			sleep(s.ctx, pause.pause())
			continue
		}
		pause.reset()
		switch end := s.offset + int64(len(chunk)); {
		case next >= end:
			chunk = nil
		case next < s.offset:
			// The server lost what it had acknowledged: go on where it is, and say so.
			note := fmt.Sprintf("\n[%d bytes of this log are gone]\n", s.offset-next)
			chunk = append([]byte(note), chunk...)
		default:
			chunk = chunk[next-s.offset:]
		}
		s.offset = next
	}
	return true
}
