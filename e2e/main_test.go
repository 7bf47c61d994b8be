package e2e

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
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

func TestMain(m *testing.M) {
	if dir := os.Getenv(reaperVariable); dir != "" {
		reap(dir)
		return
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("4") // the scenarios mostly wait
	}
	os.Exit(run(m))
}

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
	reaper := exec.Command(os.Args[0])
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
		lifeline.Close()
		_ = reaper.Wait()
	}, nil
}

// reap waits for the end of the process that holds the other end of standard input, then ends
// every process of the directory and removes it.
func reap(dir string) {
	_, _ = io.Copy(io.Discard, os.Stdin)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for range 250 {
		left := processesOf(dir)
		for _, p := range left {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
		if len(left) == 0 {
			break
		}
		<-ticker.C
	}
	sweepEngines(dir)
	removeNamespaces(dir)
	unmount(dir)
	if os.Getenv("ANDON_E2E_KEEP") != "" {
		fmt.Fprintln(os.Stderr, "e2e: kept", dir)
		return
	}
	_ = os.RemoveAll(dir)
}

// A built program is compiled once in a run, by whoever needs it first.
type built struct {
	once sync.Once
	err  error
}

var programs sync.Map // name → *built

// program returns the andon under test.
func program(t *testing.T) string { return build(t, "andon", "..", "e2e") }

// laterProgram returns an andon that is another build of the same source.
func laterProgram(t *testing.T) string { return build(t, "andon-later", "..", "e2e-later") }

// shopd returns the service of the scenarios.
func shopd(t *testing.T) string { return build(t, "shopd", "./testdata/shopd", "") }

func build(t *testing.T, name, pkg, version string) string {
	t.Helper()
	path := filepath.Join(root, "bin", name)
	entry, _ := programs.LoadOrStore(name, &built{})
	b := entry.(*built)
	b.once.Do(func() {
		args := []string{"build", "-o", path}
		environment := append(os.Environ(), "CGO_ENABLED=0")
		if version != "" {
			args = append(args, "-ldflags", "-X github.com/andon-cd/andon/internal/cli.version="+version)
			if raceEnabled {
				args, environment = append(args, "-race"), append(os.Environ(), "CGO_ENABLED=1")
			}
		}
		cmd := exec.Command("go", append(args, pkg)...)
		cmd.Env = environment
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return path
}
