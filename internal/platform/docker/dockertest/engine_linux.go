// Package dockertest starts container engines for tests, Docker's and Podman's: each with a
// directory, a socket and containers of its own. They touch no interface, address or rule of the
// machine's network.
package dockertest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/andon-cd/andon/internal/platform/docker"
)

// starting bounds how long an Engine may take to answer, stopping how long to end its containers
// and itself.
const (
	starting = 3 * time.Minute
	stopping = 3 * time.Minute
)

// An Engine is a dockerd, or Podman's service. Its methods are called by one goroutine at a time.
type Engine struct {
	dir     string
	program string   // of the PATH
	flags   []string // of the program
	env     []string // what it has beside the environment of the tests
	apart   bool     // in a network namespace of its own
	cmd     *exec.Cmd
	ended   chan struct{}
}

// Missing says why no Engine can be started here; empty: one can.
func Missing() string {
	if os.Getuid() != 0 {
		return "only root can start a Docker Engine"
	}
	if _, err := exec.LookPath("dockerd"); err != nil {
		return "dockerd is not installed: scripts/setup installs it"
	}
	return ""
}

// Start starts an Engine without networks but the host's, in a directory, which is made. It ends
// at the latest with the process that called Start; what is left then, Sweep removes.
func Start(dir string, flags ...string) (*Engine, error) {
	e := newDocker(dir, append([]string{"--bridge", "none"}, flags...))
	return e, e.Start()
}

// StartApart starts an Engine with its default bridge, in a network namespace of its own.
func StartApart(dir string) (*Engine, error) {
	e := newDocker(dir, nil)
	e.apart = true
	return e, e.Start()
}

func newDocker(dir string, flags []string) *Engine {
	return &Engine{dir: dir, program: "dockerd", flags: append([]string{
		"--data-root", filepath.Join(dir, "root"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--host", "unix://" + socket(dir),
		"--cgroup-parent", "/" + group(dir), "--iptables=false", "--ip6tables=false", "--log-level", "warn",
	}, flags...)}
}

// Network opens the network namespace of an Engine that was started apart.
func (e *Engine) Network() (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/%d/ns/net", e.cmd.Process.Pid))
}

// Socket returns the path of the Engine's socket.
func (e *Engine) Socket() string { return socket(e.dir) }

func socket(dir string) string { return filepath.Join(dir, "engine.sock") }

// Start starts an Engine that has ended, and returns when it answers.
func (e *Engine) Start() error {
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(e.dir, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	e.cmd = exec.Command(e.program, e.flags...)
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if e.apart {
		e.cmd = exec.Command("/bin/sh", append([]string{"-c", `ip link set lo up && exec "$0" "$@"`, e.program}, e.flags...)...)
		e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Cloneflags: syscall.CLONE_NEWNET}
	}
	e.cmd.Env, e.cmd.Dir = append(os.Environ(), e.env...), e.dir // Podman's monitors leave files where they start
	e.cmd.Stdout, e.cmd.Stderr = log, log
	started, ended := make(chan error), make(chan struct{})
	e.ended = ended
	go func() {
		runtime.LockOSThread() // whose end would be taken for that of the process
		defer log.Close()
		defer close(ended)
		err := e.cmd.Start()
		started <- err
		if err == nil {
			_ = e.cmd.Wait() // its log says why it ended
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	return e.await()
}

// logFile has in an Engine's directory what the Engine says.
const logFile = "engine.log"

// await waits until the Engine answers.
func (e *Engine) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), starting)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := docker.Ask(ctx, e.Socket())
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
			continue
		case <-e.ended:
		case <-ctx.Done():
		}
		said, _ := os.ReadFile(filepath.Join(e.dir, logFile))
		said = said[max(0, len(said)-2000):]
		return errors.Join(fmt.Errorf("%s does not start: %w\n%s", e.program, err, said), e.Stop())
	}
}

// Kill ends the Engine at once, and Docker's containerd with it, as a crash of both would.
// Containers are left alone.
func (e *Engine) Kill() {
	_ = e.cmd.Process.Kill() // it may have ended already
	<-e.ended
	// A containerd that nobody has waited for yet would be taken for one that runs.
	pidFile := filepath.Join(e.dir, "exec", "containerd", "containerd.pid")
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && slices.Contains(processes(e.dir), pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = os.Remove(pidFile)
}

// End ends the Engine in an orderly way, as an operator does: with Docker's containers, unless it
// was started with --live-restore; Podman's stay.
func (e *Engine) End() error {
	_ = e.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-e.ended:
		return nil
	case <-time.After(stopping):
		e.Kill()
		return fmt.Errorf("%s does not end within %s", e.program, stopping)
	}
}

// Stop ends the Engine with all that belongs to it.
func (e *Engine) Stop() error {
	err := e.End()
	Sweep(e.dir)
	return err
}

// group is the control group of the containers of the Engine in a directory.
func group(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return fmt.Sprintf("andon-test-%x", sum[:6])
}
