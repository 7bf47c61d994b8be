package process

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSystemd_KeepsContractAndLimits runs the conformance suite and the tests of limits once
// more, where systemd is process 1 and copies are its units.
func TestSystemd_KeepsContractAndLimits(t *testing.T) {
	if underSystemd() {
		t.Skip("it is what runs under systemd")
	}
	for _, needed := range []string{"/lib/systemd/systemd", "/usr/bin/systemd-run", "/usr/bin/unshare", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(needed); err != nil {
			t.Skip("a systemd of its own cannot be run here:", err)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may run a systemd of its own")
	}
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "testdata/systemd.sh", dir, "/usr/bin/env", "PROCESS_TEST_IN_SYSTEMD=1", "TMPDIR="+dir, "HOME="+dir,
		os.Args[0], "-test.v", "-test.timeout=9m", "-test.run=^(TestProcess_|TestLimits_|TestExit_|TestEnd_|TestStart_|TestCrash_BeforeTheRecord|TestWarden_|TestUnit_StartsTheAgentAgain)")
	// With the process that holds the namespaces, everything in them ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	said, err := cmd.CombinedOutput()
	out, readErr := os.ReadFile(filepath.Join(dir, "out"))
	if err != nil || readErr != nil {
		t.Fatalf("systemd: %v, %v\n%s\n%s", err, readErr, said, out)
	}
	if status, err := os.ReadFile(filepath.Join(dir, "status")); err != nil || strings.TrimSpace(string(status)) != "0" {
		t.Errorf("the tests under systemd end with %q, %v\n%s", status, err, out)
	}
	for _, want := range []string{"--- PASS: TestWarden_IsSystemdsWhereItIsProcess1", "--- PASS: TestUnit_StartsTheAgentAgainAndLeavesItsProxyAlone", "--- PASS: TestLimits_CopyThatTakesTooMuchMemoryIsKilledAndSaysSo"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestWarden_IsSystemdsWhereItIsProcess1(t *testing.T) {
	if !underSystemd() {
		t.Skip("it runs only within the test of systemd")
	}
	d := testDriver(t)
	if got := d.config.Warden.String(); got != "units of systemd: memory, CPU, processes" {
		t.Errorf("limits are kept by %s", got)
	}
}
