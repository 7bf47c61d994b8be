package process

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform/platformtest"
)

// TestMain lets the test binary be the agent that is killed: with a directory set, it starts
// copies until it dies. It also is a copy that makes processes until it is ended.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PROCESS_TEST_CRASH_DIR"); dir != "" {
		startUntilKilled(dir, os.Getenv("PROCESS_TEST_CRASH_STEP"))
		return
	}
	if os.Getenv("PROCESS_TEST_FORK") != "" {
		forkUntilKilled()
		return
	}
	os.Exit(m.Run())
}

func startUntilKilled(dir, step string) {
	d, err := Open(config(dir, dir))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	d.beforeStep = func(at string) {
		if at == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	for i := range 500 {
		id := andon.InstanceID(fmt.Sprintf("copy-%d", i))
		if _, err := d.Start(context.Background(), platformtest.Spec(id, script(`touch "ran-$$"; exec sleep 1000`))); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if i == 0 {
			fmt.Println("begun")
		}
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // at the latest until who is to kill it has ended itself
}

// crash runs an agent that dies at a step of its first launch, or a time after that.
func crash(t *testing.T, dir, step string, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PROCESS_TEST_CRASH_DIR="+dir, "PROCESS_TEST_CRASH_STEP="+step)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		if said, err := bufio.NewReader(out).ReadString('\n'); said != "begun\n" {
			t.Fatalf("the agent said %q, %v", said, err)
		}
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	_ = cmd.Wait()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
		t.Fatalf("the agent was to be killed and ended with %v", cmd.ProcessState)
	}
}

// marked returns, for each process that carries a copy's mark under dir and is not about to
// exit because its agent is gone, which copy that is.
func marked(t *testing.T, dir string) map[int]string {
	t.Helper()
	found := make(map[int]string)
	eachProcess(func(pid int) {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			return
		}
		for entry := range bytes.SplitSeq(env, []byte{0}) {
			if home, ok := strings.CutPrefix(string(entry), "ANDON_COPY="+filepath.Join(dir, "copies")+"/"); ok {
				if st, err := readStat(pid); err == nil && !st.dead {
					found[pid] = home
				}
			}
		}
	})
	return found
}

func TestCrash_BeforeTheRecordRunsNothing(t *testing.T) {
	for _, step := range []string{"admit", "record", "let"} {
		t.Run(step, func(t *testing.T) {
			dir := t.TempDir()
			crash(t, dir, step, 0)
			eventually(t, "the held child exits", func() bool { return len(marked(t, dir)) == 0 })
			if ran, _ := filepath.Glob(filepath.Join(dir, "ran-*")); len(ran) > 0 {
				t.Errorf("the program ran: %v", ran)
			}
			d := openDriver(t, dir, dir)
			defer d.Close()
			list, err := d.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]int{"admit": 0, "record": 0, "let": 1}[step]; len(list) != want {
				t.Fatalf("List returned %+v, want %d copies", list, want)
			}
			for _, inst := range list {
				if inst.Running {
					t.Errorf("%+v is listed as running", inst)
				}
			}
		})
	}
}

func TestCrash_AtAnyMomentLeavesNoUnknownProcess(t *testing.T) {
	for range 4 {
		dir := t.TempDir()
		crash(t, dir, "", 100*time.Millisecond+rand.N(400*time.Millisecond))
		d := openDriver(t, dir, dir)
		known := make(map[string]bool)
		list, err := d.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		running := 0
		for _, inst := range list {
			known[string(inst.ID)] = inst.Running
			if inst.Running {
				running++
			}
		}
		if running == 0 {
			t.Error("nothing ran: the crash came too early to show anything")
		}
		eventually(t, "every process is one that is listed as running", func() bool {
			for _, id := range marked(t, dir) {
				if !known[id] {
					return false
				}
			}
			return true
		})
		for id := range known {
			if err := d.Stop(t.Context(), andon.InstanceID(id), 0); err != nil {
				t.Error(err)
			}
		}
		if left := marked(t, dir); len(left) > 0 {
			t.Errorf("after everything was stopped, %v run", left)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCrash_ExitOfAnotherProcessesChildIsNoticed(t *testing.T) {
	dir := t.TempDir()
	crash(t, dir, "", 100*time.Millisecond)
	d := openDriver(t, dir, dir)
	defer d.Close()
	list, err := d.List(t.Context())
	if err != nil || len(list) == 0 || !list[0].Running {
		t.Fatalf("List returned %+v, %v", list, err)
	}
	rec, err := readRecord(d.home(list[0].ID))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(rec.Process.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for id, overdue := andon.InstanceID(""), time.After(patience); id != list[0].ID; {
		select {
		case id = <-d.Exits(): // or of one whose launch was cut off, which exits by itself
		case <-overdue:
			t.Fatal("the exit was not noticed")
		}
	}
	after, err := d.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Older kernels do not tell another process's exit status.
	if exit := after[0].Exit; exit != "killed by SIGKILL" && exit != exitUnknown {
		t.Errorf("it ended with %q", exit)
	}
	for _, inst := range list {
		if err := d.Stop(t.Context(), inst.ID, 0); err != nil {
			t.Error(err)
		}
	}
}

// eventually waits for what nothing tells of.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
