package process

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform/platformtest"
	"github.com/andon-cd/andon/internal/platform/process/confine"
)

// bounded starts a copy with limits, and skips the test where this host cannot keep them.
func bounded(t *testing.T, d *Driver, id andon.InstanceID, limits andon.Limits, command []string) {
	t.Helper()
	if lacks := d.config.Warden.Lacks(limits); lacks != "" {
		t.Skip("this host cannot keep a copy within", lacks)
	}
	spec := platformtest.Spec(id, command)
	spec.Limits = limits
	if _, err := d.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(context.Background(), id, 0); err != nil {
			t.Error(err)
		}
	})
}

func testDriver(t *testing.T) *Driver {
	t.Helper()
	d := openDriver(t, t.TempDir(), t.TempDir())
	t.Cleanup(func() { d.Close() })
	return d
}

func TestLimits_CopyThatTakesTooMuchMemoryIsKilledAndSaysSo(t *testing.T) {
	d := testDriver(t)
	bounded(t, d, "other", andon.Limits{}, []string{"sleep", "1000"})
	// tail keeps the last line of what has no lines.
	bounded(t, d, "hungry", andon.Limits{Memory: 32 << 20}, []string{"tail", "/dev/zero"})
	if got := exitOf(t, d, "hungry"); !strings.HasPrefix(got, "killed by SIGKILL: ") || !namesTheLimit(got) {
		t.Errorf("it ended with %q", got)
	}
	if list, err := d.List(t.Context()); err != nil || len(list) != 2 || !list[1].Running {
		t.Errorf("List returned %+v, %v: the other copy is to run on", list, err)
	}
	// The next life of the copy begins with a clean record.
	spec := platformtest.Spec("hungry", script("kill -KILL $$"))
	spec.Limits.Memory = 32 << 20
	if _, err := d.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if got := exitOf(t, d, "hungry"); got != "killed by SIGKILL" && !underSystemd() {
		t.Errorf("it ended with %q", got)
	}
}

func TestLimits_ChildThatTakesTooMuchMemoryIsNamedToo(t *testing.T) {
	d := testDriver(t)
	bounded(t, d, "a", andon.Limits{Memory: 32 << 20}, script("tail /dev/zero; exit 3"))
	// Version 2 of control groups takes the whole copy.
	if got := exitOf(t, d, "a"); !namesTheLimit(got) && !underSystemd() {
		t.Errorf("it ended with %q", got)
	}
}

// namesTheLimit reports whether the end of a copy is put down to its memory limit. What says so
// is sometimes gone with systemd's unit, and then it is put more carefully.
func namesTheLimit(exit string) bool {
	return strings.HasSuffix(exit, ": it reached its memory limit of 32 MiB") ||
		underSystemd() && strings.HasSuffix(exit, ": perhaps it reached its memory limit of 32 MiB")
}

func underSystemd() bool { return os.Getenv("PROCESS_TEST_IN_SYSTEMD") != "" }

func TestLimits_CopyThatForksWithoutEndStaysWithinItsNumberAndCanBeEnded(t *testing.T) {
	d := testDriver(t)
	bounded(t, d, "a", andon.Limits{Processes: 40}, []string{"env", "GOMAXPROCS=1", "PROCESS_TEST_FORK=1", os.Args[0]})
	cell := d.copies["a"].cell
	peers := func() int { return strings.Count(groupFile(t, cell, "pids", "cgroup.procs"), "\n") }
	eventually(t, "it has many processes", func() bool { return peers() >= 10 })
	if got := strings.TrimSpace(groupFile(t, cell, "pids", "pids.max")); got != "40" {
		t.Errorf("its limit is %s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.End(ctx, "a", 0); err != nil {
		t.Fatal(err)
	}
	if n := peers(); n > 0 {
		t.Errorf("after End, %d of its processes run", n)
	}
}

// forkUntilKilled makes processes that forget to whom they belong and leave their session, until
// there is no place for one more. Then it waits: a Go program that goes on may want a thread more,
// and ends when it gets none.
func forkUntilKilled() {
	for {
		cmd := exec.Command("/bin/sleep", "1000")
		cmd.Env = []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if cmd.Start() != nil {
			break
		}
	}
	time.Sleep(time.Hour)
}

func TestLimits_ProcessorTimeIsBounded(t *testing.T) {
	d := testDriver(t)
	bounded(t, d, "a", andon.Limits{CPU: 50}, script("while :; do :; done"))
	cell := d.copies["a"].cell
	eventually(t, "it is made to wait", func() bool {
		for line := range strings.Lines(groupFile(t, cell, "cpu", "cpu.stat")) {
			if rest, ok := strings.CutPrefix(line, "nr_throttled "); ok && strings.TrimSpace(rest) > "0" {
				return true
			}
		}
		return false
	})
}

func TestLimits_HoldForTheCopiesOfAnEarlierDriver(t *testing.T) {
	dir, artifact := t.TempDir(), t.TempDir()
	earlier := openDriver(t, dir, artifact)
	limits := andon.Limits{Memory: 32 << 20}
	if lacks := earlier.config.Warden.Lacks(limits); lacks != "" {
		t.Skip("this host cannot keep a copy within", lacks)
	}
	spec := platformtest.Spec("a", script("while [ ! -e go ]; do sleep 0.02; done; exec tail /dev/zero"))
	spec.Limits = limits
	if _, err := earlier.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if err := earlier.Close(); err != nil {
		t.Fatal(err)
	}
	d := openDriver(t, dir, artifact)
	defer d.Close()
	defer func() { _ = d.Stop(context.Background(), "a", 0) }()
	if err := os.WriteFile(filepath.Join(artifact, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Older kernels do not tell how another process's child ended.
	if got := exitOf(t, d, "a"); !namesTheLimit(got) && !(underSystemd() && strings.Contains(got, exitUnknown)) {
		t.Errorf("it ended with %q", got)
	}
}

func TestStart_BoundsOpenFilesAndLeavesNoMemoryImages(t *testing.T) {
	d, _ := begin(t, script("ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj; echo end; exec sleep 1000"))
	eventually(t, "the copy writes", func() bool { return strings.HasSuffix(logOf(t, d), "end\n") })
	lines := strings.Split(logOf(t, d), "\n")
	if files, err := strconv.Atoi(lines[0]); err != nil || files > confine.DefaultFiles {
		t.Errorf("one process may open %s files", lines[0])
	}
	if lines[1] != "0" || lines[2] != "500" {
		t.Errorf("memory images may have %s blocks; its score is %s", lines[1], lines[2])
	}
}

// A powerless keeps no limits.
type powerless struct{ confine.Warden }

func (powerless) Lacks(andon.Limits) string {
	return "its limits of memory: there is nobody to keep them"
}

func TestStart_RefusesLimitsThatItCannotKeep(t *testing.T) {
	c := config(t.TempDir(), t.TempDir())
	c.Warden = powerless{confine.For(c.Dir)}
	d, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	spec := platformtest.Spec("a", []string{"sleep", "1000"})
	spec.Limits.Memory = 1 << 20
	_, err = d.Start(t.Context(), spec)
	if andon.KindOf(err) != andon.KindRefused || !strings.Contains(err.Error(), "limits of memory") {
		t.Errorf("Start returned %v", err)
	}
	if list, err := d.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("List returned %+v, %v", list, err)
	}
}

// groupFile reads a file of a copy's group; what is not there is empty.
func groupFile(t *testing.T, cell *confine.Cell, controller, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(cell.Group(controller), file))
	// A group that is removed between the opening and the reading has no device any more.
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENODEV) {
		t.Fatal(err)
	}
	return string(b)
}
