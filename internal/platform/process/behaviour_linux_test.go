package process

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
	"github.com/andon-cd/andon/internal/platform/copylog"
	"github.com/andon-cd/andon/internal/platform/platformtest"
)

// begin opens a driver and starts one copy, which is stopped when the test ends.
func begin(t *testing.T, command []string) (d *Driver, artifact string) {
	t.Helper()
	artifact = t.TempDir()
	d = openDriver(t, t.TempDir(), artifact)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := d.Start(t.Context(), platformtest.Spec("a", command)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { killAll(0, d.mark("a")) })
	return d, artifact
}

func logOf(t *testing.T, d *Driver) string {
	t.Helper()
	r, err := d.Log(t.Context(), "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStart_GivesTheCopyOnlyItsOwnEnvironmentAndDirectory(t *testing.T) {
	t.Setenv("PLANT_SECRET", "hidden")
	d, artifact := begin(t, script(`env; echo cwd=$(pwd); touch "$TMPDIR/mine"; readlink /proc/self/fd/3; exec sleep 1000`))
	eventually(t, "the copy writes", func() bool { return strings.Contains(logOf(t, d), "cwd=") })
	log := logOf(t, d)
	for _, want := range []string{"PORT=20001\n", "TMPDIR=" + d.home("a") + "/tmp\n", "cwd=" + artifact + "\n", "PATH="} {
		if !strings.Contains(log, want) {
			t.Errorf("the copy does not see %q but\n%s", want, log)
		}
	}
	if strings.Contains(log, "hidden") || strings.Contains(log, "pipe:") {
		t.Errorf("the copy sees what it should not:\n%s", log)
	}
	eventually(t, "the copy uses its own TMPDIR", func() bool {
		_, err := os.Stat(filepath.Join(d.home("a"), "tmp", "mine"))
		return err == nil
	})
}

func TestEnd_KillsChildrenThatLeftTheGroup(t *testing.T) {
	d, _ := begin(t, script(`setsid sh -c 'trap "" TERM; sleep 1000 & wait; sleep 1000' & sleep 1000 & echo up; wait`))
	eventually(t, "all processes run", func() bool { return len(markedBy(d)) >= 4 })
	if err := d.End(t.Context(), "a", 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if left := markedBy(d); len(left) > 0 {
		t.Errorf("after End, %v run", left)
	}
}

func TestEnd_LetsChildrenFinishWithinGrace(t *testing.T) {
	d, artifact := begin(t, script(`sh -c 'trap "sleep 0.2; touch done; exit" TERM; echo up; while :; do sleep 0.05; done' & wait`))
	eventually(t, "the child runs", func() bool { return strings.Contains(logOf(t, d), "up") })
	if err := d.End(t.Context(), "a", patience); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(artifact, "done")); err != nil {
		t.Errorf("the child was killed while it finished: %v", err)
	}
}

func TestExit_TakesWhatTheCopyLeftBehindWithIt(t *testing.T) {
	d, _ := begin(t, script(`sleep 1000 & sleep 1000 & exit 7`))
	select {
	case <-d.Exits():
	case <-time.After(patience):
		t.Fatal("no exit was delivered")
	}
	if left := markedBy(d); len(left) > 0 {
		t.Errorf("after the exit, %v run", left)
	}
}

func TestExit_SaysWhenAShellDidNotFindACommand(t *testing.T) {
	d, _ := begin(t, script("no-such-program"))
	<-d.Exits()
	list, err := d.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Exit != "exit status 127: command not found" {
		t.Errorf("List returned %+v, %v", list, err)
	}
}

func TestOpen_NeverTakesAnotherProcessForTheCopy(t *testing.T) {
	d, artifact := begin(t, []string{"sleep", "1000"})
	rec, err := readRecord(d.home("a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	// As if the copy had ended, and this other process had been given its number.
	bystander, _ := begin(t, []string{"sleep", "1000"})
	other, err := readRecord(bystander.home("a"))
	if err != nil {
		t.Fatal(err)
	}
	killAll(rec.Process.PID, d.mark("a"))
	rec.Process.PID = other.Process.PID
	rec.Process.Start += "0"
	if err := writeRecord(d.home("a"), rec, true); err != nil {
		t.Fatal(err)
	}
	e := openDriver(t, filepath.Dir(d.config.Dir), artifact)
	defer e.Close()
	list, err := e.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Running || list[0].Exit != exitUnseen {
		t.Fatalf("List returned %+v, %v, want a copy that ended unseen", list, err)
	}
	if err := e.Stop(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	if len(markedBy(bystander)) == 0 {
		t.Error("a process that only has the same number was killed")
	}
}

func TestStart_ReportsACommandThatMayNotBeExecuted(t *testing.T) {
	artifact := t.TempDir()
	if err := os.WriteFile(filepath.Join(artifact, "shop"), []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := openDriver(t, t.TempDir(), artifact)
	defer d.Close()
	_, err := d.Start(t.Context(), platformtest.Spec("a", []string{"./shop"}))
	if andon.KindOf(err) != andon.KindInvalid || !strings.Contains(err.Error(), "not executable") {
		t.Errorf("Start returned %v", err)
	}
	_, err = d.Start(t.Context(), platformtest.Spec("../a", []string{"sh"}))
	if andon.KindOf(err) != andon.KindInvalid {
		t.Errorf("Start of an ID that is a path returned %v", err)
	}
}

func TestLog_StaysBoundedAndItsOffsetsGrow(t *testing.T) {
	const limit = 1 << 20
	d, _ := begin(t, script(`i=0; while [ $i -lt 40000 ]; do i=$((i+1)); echo "line $i of the log, which is rather long, so that it fills up"; done; echo end; exec sleep 1000`))
	early, err := d.Log(t.Context(), "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	path := filepath.Join(d.home("a"), "log")
	eventually(t, "all lines are there", func() bool {
		info, err := os.Stat(path)
		return err == nil && info.Size() > 40000*60 && strings.HasSuffix(logOf(t, d), "end\n")
	})
	whole := logOf(t, d)
	if _, err := copylog.Trim(d.home("a"), limit); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]platform.LogReader{"a new reader": reader(t, d), "an old reader": early} {
		rest, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if len(rest) == 0 || len(rest) > limit || !strings.HasSuffix(whole, string(rest)) || !strings.HasPrefix(string(rest), "line ") {
			t.Errorf("%s reads %d bytes, which are not the last whole lines, at most %d bytes", name, len(rest), limit)
		}
		if r.Offset() != int64(len(whole)) {
			t.Errorf("%s ends at %d, want %d", name, r.Offset(), len(whole))
		}
	}
}

func TestLog_OffsetsGrowWhereFilesHaveNoHoles(t *testing.T) {
	d, _ := begin(t, []string{"sh", "-c", `echo one; exec sleep 1000`})
	eventually(t, "the copy writes", func() bool { return logOf(t, d) == "one\n" })
	old := reader(t, d)
	if _, err := io.ReadAll(old); err != nil {
		t.Fatal(err)
	}
	// What copylog.Trim does there.
	if err := os.WriteFile(filepath.Join(d.home("a"), "log.base"), []byte("4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.home("a"), "log"), []byte("tw"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]platform.LogReader{"a new reader": reader(t, d), "an old reader": old} {
		got, err := io.ReadAll(r)
		if err != nil || string(got) != "tw" || r.Offset() != 6 {
			t.Errorf("%s reads %q, %v and is at %d", name, got, err, r.Offset())
		}
	}
}

func reader(t *testing.T, d *Driver) platform.LogReader {
	t.Helper()
	r, err := d.Log(t.Context(), "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// markedBy returns the living processes of the copy "a" of a driver.
func markedBy(d *Driver) []string {
	var pids []string
	eachProcess(func(pid int) {
		if belongs(pid, 0, d.mark("a")) {
			pids = append(pids, strconv.Itoa(pid))
		}
	})
	return pids
}
