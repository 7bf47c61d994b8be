package planttest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// reaperVariable makes the test binary the reaper of a directory. See reap.
const reaperVariable = "ANDON_E2E_REAP"

// root is the directory of everything that a run makes. Its name is in the environment, the
// command line or the working directory of each process that a plant starts, and is short: the
// paths of Unix sockets below it are.
var root string

// Main runs the tests of a package and ends the process. Whatever they start in Root ends with
// them. Each sweep takes away what else a run may have left, by what it finds in that directory.
func Main(m *testing.M, sweeps ...func(dir string)) {
	if dir := os.Getenv(reaperVariable); dir != "" {
		reap(dir, sweeps)
		return
	}
	os.Exit(run(m))
}

// Root returns the directory of everything that this run makes.
func Root() string { return root }

func run(m *testing.M) int {
	var err error
	if root, err = os.MkdirTemp("", "e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	end, err := startReaper(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer end()
	return m.Run()
}

// startReaper starts a process that outlives this one by a moment, however this one ends, and
// leaves nothing of it behind. end waits for that.
func startReaper(dir string) (end func(), err error) {
	reaper := exec.Command(os.Args[0]) //nolint:noctx // it ends by itself, after this process
	reaper.Env = append(os.Environ(), reaperVariable+"="+dir)
	reaper.Stderr = os.Stderr
	reaper.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C is not for it
	lifeline, err := reaper.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := reaper.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = lifeline.Close()
		_ = reaper.Wait()
	}, nil
}

// reap waits for the end of the process that holds the other end of standard input, then ends
// every process of the directory and removes it.
func reap(dir string, sweeps []func(string)) {
	_, _ = io.Copy(io.Discard, os.Stdin)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for range 250 {
		left := ProcessesOf(dir)
		for _, p := range left {
			_ = syscall.Kill(p.PID, syscall.SIGKILL)
		}
		if len(left) == 0 {
			break
		}
		<-ticker.C
	}
	for _, sweep := range sweeps {
		sweep(dir)
	}
	if os.Getenv("ANDON_E2E_KEEP") != "" {
		fmt.Fprintln(os.Stderr, "e2e: kept", dir)
		return
	}
	_ = os.RemoveAll(dir)
}

var homes atomic.Int64

// NewHome returns an empty directory that is removed after the run, with a short name.
func NewHome(t testing.TB) string {
	t.Helper()
	home := filepath.Join(root, fmt.Sprintf("h%03d", homes.Add(1)))
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	return home
}
