package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/andon"
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
	aliveEvery   = time.Second // how often a proxy is asked whether it is alive
	aliveWithin  = 4 * time.Second
	portFree     = 2 * time.Second // until the listeners of a killed proxy are gone
)

// supervise starts the proxy again whenever it dies, until the driver is closed. The end of
// the control connection is the sign of death: it works for a proxy that another agent started.
// One that hangs is killed, which is the same.
func (d *Driver) supervise() {
	defer d.group.Done()
	var backOff time.Duration
	for {
		<-d.turn
		p := d.proxy
		d.unlock()
		now := p.link
		began := time.Now()
		if !d.watch(p) {
			return
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

// watch returns when the proxy is gone, and false when the driver is closed before. It kills a
// proxy that does not answer: its counters are in a file that outlives it.
func (d *Driver) watch(p *proxyProcess) bool {
	ticker := time.NewTicker(aliveEvery)
	defer ticker.Stop()
	for {
		select {
		case <-d.ended:
			return false
		case <-p.link.done:
			return true
		case <-ticker.C:
		}
		if d.answers(p.link) {
			continue
		}
		d.config.Log.Error("the proxy does not answer; it is killed", "pid", p.pid, "waited", aliveWithin)
		if err := unix.Kill(p.pid, unix.SIGKILL); err != nil {
			d.config.Log.Error("the proxy cannot be killed", "pid", p.pid, "error", err)
		}
	}
}

// answers asks the proxy whether it is alive. One that is gone, or a driver that is closed, is
// for watch to find.
func (d *Driver) answers(l *link) bool {
	ctx, cancel := context.WithTimeout(context.Background(), aliveWithin)
	defer cancel()
	answer := make(chan error, 1)
	go func() { // a call can be held up by one before it, whatever its context says
		_, err := l.call(ctx, callAlive, struct{}{}, nil)
		answer <- err
	}()
	select {
	case <-d.ended:
		return true
	case err := <-answer:
		return andon.KindOf(err) != andon.KindTimeout
	case <-ctx.Done():
		return false
	}
}

// endHanging ends the proxy that runs in dir if it does not answer, and reports whether it did.
func endHanging(ctx context.Context, dir string, log *slog.Logger) bool {
	conn, err := dialControl(dir)
	if err != nil {
		return false
	}
	l := newLink(conn, func(string) {})
	defer l.close()
	asked, cancel := context.WithTimeout(ctx, aliveWithin)
	defer cancel()
	fds, err := l.call(asked, callHello, struct{}{}, nil)
	closeAll(fds)
	if andon.KindOf(err) != andon.KindTimeout || ctx.Err() != nil {
		return false
	}
	pid, err := processOf(conn)
	if err != nil || pid <= 1 || pid == os.Getpid() {
		log.Error("a proxy does not answer, and nobody knows which process it is", "error", err)
		return false
	}
	log.Error("the proxy of an earlier agent does not answer; it is killed", "pid", pid, "waited", aliveWithin)
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		log.Error("the proxy cannot be killed", "pid", pid, "error", err)
		return false
	}
	<-l.done // its end, which nothing can hold up
	return true
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
		_, err = p.link.call(ctx, callServe, serveCall{Build: d.build, Settings: d.config.Settings}, &answer, fds...)
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
