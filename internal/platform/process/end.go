package process

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// groupPoll is how often End looks whether the children of a copy that has ended itself are
// still there: the system does not tell.
const groupPoll = 20 * time.Millisecond

// End implements platform.Platform.
func (d *Driver) End(ctx context.Context, id andon.InstanceID, grace time.Duration) error {
	s, release, err := d.take(ctx, id, false)
	if s == nil {
		return err
	}
	defer release()
	return d.end(ctx, s, grace)
}

// Stop implements platform.Platform.
func (d *Driver) Stop(ctx context.Context, id andon.InstanceID, grace time.Duration) error {
	s, release, err := d.take(ctx, id, false)
	if s == nil {
		return err
	}
	defer release()
	if err := d.end(ctx, s, grace); err != nil {
		return err
	}
	home := d.home(id)
	if s.record != nil {
		if err := removeRecord(home); err != nil {
			return fmt.Errorf("process: copy %s is stopped but cannot be forgotten: %w", id, err)
		}
	}
	d.forget(s)
	if err := os.RemoveAll(home); err != nil {
		// It has no record any more: the next Open removes it.
		d.config.Log.Warn("cannot remove the directory of a stopped copy", "copy", id, "error", err)
	}
	return nil
}

// end ends all processes of a copy. The caller has its turn.
func (d *Driver) end(ctx context.Context, s *supervised, grace time.Duration) error {
	s.mu.Lock()
	p, ended, cell := s.process, s.ended, s.cell
	s.ending = p != nil
	s.mu.Unlock()
	session := 0
	if p != nil {
		session = p.PID
		if err := d.terminate(ctx, s, p, ended, grace); err != nil {
			return err
		}
	}
	defer cell.Remove()
	if left := max(cell.Kill(), killAll(session, d.mark(s.id))); left > 0 {
		return andon.Errorf(andon.KindUnavailable, "%d processes of copy %s do not end", left, s.id)
	}
	return nil
}

// terminate asks the copy's group to end, and kills its session after grace. When it returns
// nil, the copy's own process has ended.
func (d *Driver) terminate(ctx context.Context, s *supervised, p *proc, ended <-chan struct{}, grace time.Duration) error {
	p.signalGroup(syscall.SIGTERM)
	overdue, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	select {
	case <-ended:
		// Its children were asked too and have the rest of the time.
		for sessionLives(p.PID) && sleep(overdue, groupPoll) {
		}
		return nil
	case <-overdue.Done():
	}
	if err := ctx.Err(); err != nil {
		s.mu.Lock()
		s.ending = false // if it ends after all, it ends by itself
		s.mu.Unlock()
		return err
	}
	p.signalGroup(syscall.SIGKILL)
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.done:
		return andon.Errorf(andon.KindUnavailable, "the agent is shutting down")
	}
}

// sleep waits for a time, and returns false if ctx ends before it is over.
func sleep(ctx context.Context, t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
