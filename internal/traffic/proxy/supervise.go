package proxy

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A proxyProcess is a running proxy as its driver sees it.
type proxyProcess struct {
	link *link
	pid  int
}

const (
	startTimeout = 10 * time.Second
	maxBackOff   = 5 * time.Second
	healthyAfter = time.Second // a proxy that lived that long is restarted at once
	maxLog       = 1 << 20     // proxy.log begins anew above it
)

// supervise starts the proxy again whenever it dies, until the driver is closed. The end of
// the control connection is the sign of death: it works for a proxy that another agent started.
func (d *Driver) supervise() {
	defer d.group.Done()
	var backOff time.Duration
	for {
		<-d.turn
		now := d.proxy.link
		d.unlock()
		began := time.Now()
		select {
		case <-d.ended:
			return
		case <-now.done:
		}
		if time.Since(began) > healthyAfter {
			backOff = 0
		}
		if !d.pause(backOff) || !d.restart(now) {
			return
		}
		backOff = min(max(2*backOff, 50*time.Millisecond), maxBackOff)
	}
}

// pause reports false if the driver is closed meanwhile.
func (d *Driver) pause(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-d.ended:
		return false
	case <-timer.C:
		return true
	}
}

// restart starts a proxy in the place of the dead one, unless a replacement is there already.
// It reports false if the driver is closed.
func (d *Driver) restart(dead *link) bool {
	select {
	case <-d.ended:
		return false
	case <-d.turn:
	}
	defer d.unlock()
	select {
	case <-d.ended:
		return false
	default:
	}
	if d.proxy.link != dead {
		return true
	}
	d.config.Log.Warn("the proxy ended; it is started again", "pid", d.proxy.pid)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := d.startLocked(ctx); err != nil {
		d.config.Log.Error("the proxy cannot be started", "error", err, "log", filepath.Join(d.config.Dir, "proxy.log"))
		return true // its link is dead still: supervise tries again
	}
	d.config.Log.Info("proxy started", "pid", d.proxy.pid)
	return true
}

// startLocked starts a proxy process with the driver's listeners. It takes over from one that
// runs. Routes that were applied before are in force when it returns.
func (d *Driver) startLocked(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	p, err := d.spawn()
	if err != nil {
		return fmt.Errorf("start the proxy: %w", err)
	}
	fds, err := duplicates(d.public)
	if err == nil {
		var answer revisionAnswer
		_, err = p.link.call(ctx, callServe, serveCall{Build: d.build}, &answer, fds...)
		closeAll(fds)
		if err == nil && answer.Revision != d.revision {
			d.revision = -1
		}
	}
	if err != nil {
		_ = unix.Kill(p.pid, unix.SIGKILL) // it may have died of the same
		p.link.close()
		return fmt.Errorf("start the proxy: %w", err)
	}
	d.proxy = p
	if d.applied != nil && d.revision < 0 {
		if err := d.applyLocked(ctx, d.applied); err != nil {
			d.config.Log.Error("the new proxy does not take the routes", "error", err)
		}
	}
	return nil
}

// spawn runs the command in a session of its own, so that nothing that ends the agent's
// session ends it, with its control connection as standard input.
func (d *Driver) spawn() (*proxyProcess, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	log, err := openLog(filepath.Join(d.config.Dir, "proxy.log"))
	if err != nil {
		conn.Close()
		return nil, err
	}
	defer log.Close()
	//nolint:noctx // the proxy outlives whoever starts it
	cmd := exec.Command(d.config.Command[0], d.config.Command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, log, log
	cmd.Dir = d.config.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		conn.Close()
		return nil, err
	}
	go func() { _ = cmd.Wait() }() // ends with the process; nobody else waits for it
	return &proxyProcess{link: newLink(conn.(*net.UnixConn), d.event), pid: cmd.Process.Pid}, nil
}

func socketPair() (*os.File, *os.File, error) {
	syscall.ForkLock.RLock() // no other child may inherit them
	defer syscall.ForkLock.RUnlock()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	unix.CloseOnExec(pair[0])
	unix.CloseOnExec(pair[1])
	return os.NewFile(uintptr(pair[0]), "control"), os.NewFile(uintptr(pair[1]), "control"), nil
}

func openLog(path string) (*os.File, error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		flags |= os.O_TRUNC
	}
	return os.OpenFile(path, flags, 0o600)
}

// buildOf tells one build of the program from another by its file: cheaper than its digest,
// and a file that differs by chance only costs a replacement that loses nothing.
func buildOf(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d-%d", info.Size(), info.ModTime().UnixNano()), nil
}
