package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// startEngine starts a Docker Engine of the test's own, with no network, and returns its socket; or
// why there is none.
func startEngine(t *testing.T) (socket string, err error) {
	t.Helper()
	if os.Getuid() != 0 {
		return "", errors.New("only root can start a Docker Engine")
	}
	if _, err := exec.LookPath("dockerd"); err != nil {
		return "", fmt.Errorf("%w: scripts/setup installs it", err)
	}
	dir := newHome(t)
	socket = filepath.Join(dir, "engine.sock")
	log, err := os.Create(filepath.Join(dir, "engine.log"))
	if err != nil {
		t.Fatal(err)
	}
	engine := exec.Command("dockerd",
		"--data-root", filepath.Join(dir, "root"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--host", "unix://"+socket,
		"--bridge", "none", "--iptables=false", "--ip6tables=false")
	engine.Stdout, engine.Stderr = log, log
	engine.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	began, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // whose end would be taken for the test's
		defer log.Close()
		defer close(ended)
		began <- engine.Start()
		_ = engine.Wait() // how it ended is in its log
	}()
	if err := <-began; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = engine.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("dockerd goes on a minute after SIGTERM")
		}
		unmount(filepath.Join(dir, "root"))
	})
	until(t, time.Minute, "dockerd answers", func() error {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			return conn.Close()
		}
		return err
	})
	return socket, nil
}
