package haproxy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	startTimeout = 10 * time.Second
	maxBackOff   = 5 * time.Second
	healthyAfter = time.Second // a HAProxy that lived that long is restarted at once
	maxLog       = 1 << 20     // haproxy.log begins anew above it
	aliveEvery   = time.Second // how often HAProxy is asked whether it is alive
	aliveWithin  = 4 * time.Second
	logName      = "haproxy.log"
)

// supervise counts the lines of HAProxy's ring, and starts HAProxy again whenever it dies,
// until the driver is closed.
func (d *Driver) supervise() {
	ctx, cancel := d.context()
	defer cancel()
	var backOff time.Duration
	for {
		began := time.Now()
		err := d.tail(ctx)
		if time.Since(began) > healthyAfter {
			backOff = 0
		}
		if ctx.Err() != nil || !d.pause(backOff) {
			return
		}
		backOff = min(max(2*backOff, 50*time.Millisecond), maxBackOff)
		if alive, infoErr := d.socket.info(ctx); infoErr == nil && alive.pid == d.PID() {
			d.config.Log.Warn("HAProxy's ring is read anew", "error", err)
			continue
		}
		if d.lock(ctx) != nil {
			return
		}
		d.restartLocked(ctx)
		d.unlock()
	}
}

// context returns one that ends when the driver is closed.
func (d *Driver) context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	d.group.Go(func() {
		select {
		case <-d.ended:
		case <-ctx.Done():
		}
		cancel()
	})
	return ctx, cancel
}

// keepAlive kills a HAProxy that does not answer: supervise sees it die.
func (d *Driver) keepAlive() {
	ctx, cancel := d.context()
	defer cancel()
	for d.pause(aliveEvery) {
		pid := d.PID()
		asked, cancel := context.WithTimeout(ctx, aliveWithin)
		_, err := d.socket.info(asked)
		cancel()
		if andon.KindOf(err) != andon.KindTimeout || ctx.Err() != nil || pid != d.PID() {
			continue
		}
		d.config.Log.Error("HAProxy does not answer; it is killed", "pid", pid, "waited", aliveWithin)
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			d.config.Log.Error("HAProxy cannot be killed", "pid", pid, "error", err)
		}
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

func (d *Driver) restartLocked(ctx context.Context) {
	d.config.Log.Warn("HAProxy ended; it is started again", "pid", d.PID())
	if err := d.startLocked(ctx); err != nil {
		d.config.Log.Error("HAProxy cannot be started", "error", err, "log", filepath.Join(d.config.Dir, logName))
	}
}

// startLocked starts a HAProxy with the routes in force. It serves when this returns.
func (d *Driver) startLocked(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if d.listeners == nil {
		if err := d.listen(ctx); err != nil {
			d.closeListeners()
			return err
		}
	}
	d.mu.Lock()
	if d.table.Changing {
		d.table.abandon(time.Now())
	}
	d.table.restarted(rand.Text())
	run, all := d.table.Run, files(d.config, d.table)
	d.mu.Unlock()
	for name, text := range all {
		if err := write(d.config.Dir, name, text); err != nil {
			return fmt.Errorf("write HAProxy's files: %w", err)
		}
	}
	d.saveLocked()
	cmd, died, err := d.spawn()
	if err != nil {
		return fmt.Errorf("start HAProxy: %w", err)
	}
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		if i, err := d.socket.info(ctx); err == nil && i.run == run {
			d.pid.Store(int64(i.pid))
			d.config.Log.Info("HAProxy started", "pid", i.pid)
			return nil
		}
		select {
		case <-ticker.C:
			continue
		case <-died:
			err = andon.Errorf(andon.KindUnavailable, "HAProxy ended when it was started.").
				WithHint("The reason is in %s.", filepath.Join(d.config.Dir, logName))
		case <-ctx.Done():
			_ = cmd.Process.Kill() // it may have died of the same
			err = andon.Errorf(andon.KindTimeout, "HAProxy did not serve in time.").Because(ctx.Err())
		}
		return err
	}
}

// spawn runs HAProxy in a session of its own, so that nothing that ends the agent's session ends
// it. died is closed when it has.
func (d *Driver) spawn() (cmd *exec.Cmd, died <-chan struct{}, err error) {
	path := filepath.Join(d.config.Dir, logName)
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		flags |= os.O_TRUNC
	}
	log, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()
	//nolint:noctx // it outlives whoever starts it
	cmd = exec.Command(d.config.Program, "-db", "-f", configName)
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.config.Dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	for _, l := range d.listeners {
		f, err := l.File()
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // ends with the process; nobody else waits for it
	return cmd, ended, nil
}

// running returns who serves in the directory; its pid is 0 if nobody does. One that hangs is killed.
func running(ctx context.Context, s socket, log *slog.Logger) (info, error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return info{}, nil
	}
	defer conn.Close()
	pid, err := processOf(conn)
	if err != nil {
		return info{}, fmt.Errorf("who serves HAProxy's admin socket: %w", err)
	}
	asked, cancel := context.WithTimeout(ctx, aliveWithin)
	defer cancel()
	i, err := s.info(asked)
	switch {
	case err == nil:
		return i, nil
	case ctx.Err() != nil:
		return info{}, err
	case andon.KindOf(err) != andon.KindTimeout || pid <= 1 || pid == os.Getpid():
		return info{}, nil // it has just ended
	}
	log.Error("the HAProxy of an earlier agent does not answer; it is killed", "pid", pid, "waited", aliveWithin)
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		return info{}, fmt.Errorf("kill HAProxy: %w", err)
	}
	_, _ = conn.Read(make([]byte, 1)) // its end
	return info{}, nil
}

// finish makes a HAProxy accept nothing more, and returns when it does not. It ends by itself
// after what it has in flight.
func finish(ctx context.Context, s socket, pid int) error {
	if err := unix.Kill(pid, unix.SIGUSR1); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("end HAProxy: %w", err)
	}
	return poll(ctx, func() bool {
		conn, err := s.dial(ctx)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

// poll waits until the condition holds.
func poll(ctx context.Context, condition func() bool) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return andon.Errorf(andon.KindTimeout, "HAProxy did not end in time.").Because(ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}

// Stop ends the HAProxy that runs in dir, if one does, after the requests in flight or when ctx
// ends; one that hangs, at once. The agent of the directory must not be running.
func Stop(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	s := socket{dir}
	have, err := running(ctx, s, slog.New(slog.DiscardHandler))
	if err != nil || have.pid == 0 {
		return err
	}
	return end(ctx, s, have.pid)
}

// Shutdown ends HAProxy too, after the requests in flight or when ctx ends, and closes the driver.
func (d *Driver) Shutdown(ctx context.Context) error {
	d.closing.Do(func() { close(d.ended) }) // from now on a dead HAProxy stays dead
	d.group.Wait()
	return errors.Join(end(ctx, d.socket, d.PID()), d.Close())
}

// end makes HAProxy finish, and kills it when ctx ends before.
func end(ctx context.Context, s socket, pid int) error {
	gone := func() bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) }
	err := finish(ctx, s, pid)
	if err == nil {
		err = poll(ctx, gone)
	}
	if err == nil || gone() {
		return nil
	}
	if killed := unix.Kill(pid, unix.SIGKILL); killed != nil && !errors.Is(killed, unix.ESRCH) {
		return fmt.Errorf("kill HAProxy: %w", killed)
	}
	return nil
}
