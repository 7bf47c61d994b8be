package process

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// endPoll is how often a process is looked at.
const endPoll = 250 * time.Millisecond

// A proc is a process that runs, or ran, under a known identity.
type proc struct{ identity }

// openProc returns the process of that identity, which may have ended but is not reaped yet.
func openProc(id identity) (*proc, error) {
	now, err := identify(id.PID)
	if err != nil {
		return nil, err
	}
	if now != id {
		return nil, os.ErrProcessDone
	}
	return &proc{id}, nil
}

// identify returns the identity of a process that runs now.
func identify(pid int) (identity, error) {
	boot, err := bootID()
	if err != nil {
		return identity{}, err
	}
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return identity{}, err
	}
	t := info.Proc.P_starttime
	return identity{PID: pid, Start: fmt.Sprintf("%d.%06d", t.Sec, t.Usec), Boot: boot}, nil
}

// wait returns true when the process has ended, and false when done is closed before.
func (p *proc) wait(done <-chan struct{}) bool {
	tick := time.NewTicker(endPoll)
	defer tick.Stop()
	for !p.hasEnded() {
		select {
		case <-done:
			return false
		case <-tick.C:
		}
	}
	return true
}

// zombie is the state of a process that has ended and waits for its parent (SZOMB).
const zombie = 5

// hasEnded reports whether the process has ended, without waiting.
func (p *proc) hasEnded() bool {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", p.PID)
	if err != nil || info.Proc.P_stat == zombie {
		return true
	}
	t := info.Proc.P_starttime
	return fmt.Sprintf("%d.%06d", t.Sec, t.Usec) != p.Start
}

// reap returns in words how the process ended, which it must have.
func (p *proc) reap() string {
	if text, ok := reapChild(p.PID); ok {
		return text
	}
	return exitUnknown
}

// signalGroup sends a signal to the process group that the process leads.
func (p *proc) signalGroup(sig syscall.Signal) {
	if !p.hasEnded() {
		_ = syscall.Kill(-p.PID, sig)
	}
}

// release ends a wait. The process goes on.
func (p *proc) release() {}

// close frees the handle.
func (p *proc) close() {}

// killAll kills the process group of a session's leader (0: nothing). A process that left the
// group is not found here. It returns how many are left.
func killAll(session int, mark string) int {
	if session > 0 {
		_ = syscall.Kill(-session, syscall.SIGKILL)
	}
	return 0
}

// sessionLives reports whether any process of the group that the session's leader made runs.
func sessionLives(session int) bool { return syscall.Kill(-session, 0) == nil }

// bootID names the present life of the machine.
func bootID() (string, error) { return unix.Sysctl("kern.bootsessionuuid") }
