package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A proc is a process that runs, or ran, under a known identity. Its handle is bound to the
// process itself, never to the next one of the same number.
type proc struct {
	identity
	handle *os.File // a pidfd that the Go runtime polls
}

// openProc returns the process of that identity, which may have ended but is not reaped yet.
func openProc(id identity) (*proc, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	if boot != id.Boot {
		return nil, os.ErrProcessDone
	}
	fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	handle := os.NewFile(uintptr(fd), "pidfd")
	// The start time is read after the handle is open: it is the handle's process's.
	if st, err := readStat(id.PID); err != nil || st.start != id.Start {
		handle.Close()
		return nil, os.ErrProcessDone
	}
	return &proc{identity: id, handle: handle}, nil
}

// identify returns the identity of a process that runs now.
func identify(pid int) (identity, error) {
	boot, err := bootID()
	if err != nil {
		return identity{}, err
	}
	st, err := readStat(pid)
	if err != nil {
		return identity{}, err
	}
	return identity{PID: pid, Start: st.start, Boot: boot}, nil
}

// wait returns true when the process has ended, and false when the handle was released.
func (p *proc) wait(<-chan struct{}) bool {
	conn, err := p.handle.SyscallConn()
	if err != nil {
		return false
	}
	ended := false
	err = conn.Read(func(fd uintptr) bool {
		ended = readable(int(fd))
		return ended
	})
	return err == nil && ended
}

// hasEnded reports whether the process has ended, without waiting.
func (p *proc) hasEnded() bool {
	ended := true // so it is when the handle is closed
	p.use(func(fd int) { ended = readable(fd) })
	return ended
}

// use calls f with the descriptor of the handle unless it is closed.
func (p *proc) use(f func(fd int)) {
	if conn, err := p.handle.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { f(int(fd)) })
	}
}

func readable(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if err == unix.EINTR {
			continue
		}
		return err == nil && n > 0
	}
}

// reapAttempts bounds the milliseconds that reap waits for another process's parent.
const reapAttempts = 20

// reap returns in words how the process ended, which it must have.
func (p *proc) reap() string {
	if text, ok := reapChild(p.PID); ok {
		return text
	}
	// Not a child of this process: the kernel (since 6.15) keeps the status with the handle
	// from the moment that its parent has reaped it.
	for range reapAttempts {
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		err := os.ErrClosed
		p.use(func(fd int) { err = unix.IoctlPidfdInfo(fd, &info) })
		if err == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
			return exitText(syscall.WaitStatus(info.Exit_code))
		}
		if err != nil && err != unix.ESRCH {
			break // an older kernel
		}
		time.Sleep(time.Millisecond)
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
func (p *proc) release() { p.handle.Close() }

// close frees the handle.
func (p *proc) close() { p.handle.Close() }

// killTime bounds how long killAll looks again for processes that it has killed: they may have
// made others meanwhile, and on a busy host each of them needs its turn to go.
const killTime = 10 * time.Second

// killAll kills every process of a session (0: of none), and every process that has the mark
// in its environment, until there is none. It returns how many are left all the same.
func killAll(session int, mark string) (left int) {
	killed := make(map[int]string) // when they started; their environment goes before their sockets do
	end := time.Now().Add(killTime)
	for round := 0; ; round++ {
		left = 0
		eachProcess(func(pid int) {
			if start, was := killed[pid]; was && lives(pid, start) {
				left++
				return
			}
			if !belongs(pid, session, mark) {
				return
			}
			left++
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				return
			}
			defer func() { _ = unix.Close(fd) }()
			// Still the same one, now that the handle holds it?
			if st, err := readStat(pid); err == nil && belongs(pid, session, mark) {
				_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
				killed[pid] = st.start
			}
		})
		if left == 0 || time.Now().After(end) {
			return left
		}
		time.Sleep(time.Duration(min(round, 20)) * time.Millisecond)
	}
}

// lives reports whether the process of that number that began at that time is not dead yet.
func lives(pid int, start string) bool {
	st, err := readStat(pid)
	return err == nil && !st.dead && st.start == start
}

// sessionLives reports whether any process of the session runs.
func sessionLives(session int) bool {
	lives := false
	eachProcess(func(pid int) {
		if st, err := readStat(pid); err == nil && st.session == session && !st.dead {
			lives = true
		}
	})
	return lives
}

func eachProcess(visit func(pid int)) {
	proc, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return
	}
	self := os.Getpid()
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid != self {
			visit(pid)
		}
	}
}

// belongs reports whether a living process is of the session or carries the mark.
func belongs(pid, session int, mark string) bool {
	st, err := readStat(pid)
	if err != nil || st.dead {
		return false
	}
	if session > 0 && st.session == session {
		return true
	}
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		if string(entry) == mark {
			return true
		}
	}
	return false
}

// A stat is what the driver needs of /proc/PID/stat.
type stat struct {
	session int
	start   string // in ticks since the machine booted
	dead    bool   // a zombie, or on its way out
}

func readStat(pid int) (stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	// The second field is the program's name in parentheses, which may contain both.
	_, rest, ok := strings.Cut(string(b[max(0, bytes.LastIndexByte(b, ')')):]), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return stat{}, fmt.Errorf("/proc/%d/stat has an unknown form", pid)
	}
	session, err := strconv.Atoi(fields[3])
	if err != nil {
		return stat{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	return stat{session: session, start: fields[19], dead: fields[0] == "Z" || fields[0] == "X"}, nil
}

// bootID names the present life of the machine.
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(b)), nil
}
