package backup

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal/sqlite"
)

// plant makes a data directory with a journal of one event and a few files.
func plant(t *testing.T) (dir string, j *sqlite.Journal) {
	t.Helper()
	dir = t.TempDir()
	j, err := sqlite.Open(t.Context(), filepath.Join(dir, JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	if _, err := j.Append(t.Context(), 0, []andon.Event{{Time: time.Unix(1, 0), By: "admin", Body: andon.PlantCreated{Plant: "p"}}}); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"format": "1\n", "admin.token": "secret\n", "git/shop.git/HEAD": "ref: refs/heads/main\n",
		"logs/task/a.log": "hello\n", "agent/spool": "not in a backup", "history.db": "not in a backup",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, j
}

func written(t *testing.T) []byte {
	t.Helper()
	dir, j := plant(t)
	var file bytes.Buffer
	if err := Write(t.Context(), &file, j, dir); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "backup-*")); len(left) > 0 {
		t.Errorf("the backup left %v", left)
	}
	return file.Bytes()
}

func TestRestore_BringsBackWhatABackupHolds(t *testing.T) {
	to := filepath.Join(t.TempDir(), "plant")
	if err := Restore(t.Context(), bytes.NewReader(written(t)), to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"git/shop.git/HEAD": "ref: refs/heads/main\n", "logs/task/a.log": "hello\n", "admin.token": "secret\n"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s = %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"agent", "history.db"} {
		if _, err := os.Stat(filepath.Join(to, name)); err == nil {
			t.Errorf("%s was restored", name)
		}
	}
	j, err := sqlite.Open(t.Context(), filepath.Join(to, JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if head, err := j.Head(t.Context()); err != nil || head != 1 {
		t.Errorf("head = %d, %v", head, err)
	}
}

func TestRestore_RefusesATornBackupAndLeavesNothing(t *testing.T) {
	whole := written(t)
	for _, n := range []int{0, 10, len(whole) / 2, len(whole) - 1} {
		parent := t.TempDir()
		err := Restore(t.Context(), bytes.NewReader(whole[:n]), filepath.Join(parent, "plant"))
		if andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("%d bytes: %v, want an error of kind invalid", n, err)
		}
		if left, _ := os.ReadDir(parent); len(left) > 0 {
			t.Errorf("%d bytes: %v is left", n, left)
		}
	}
}

func TestRestore_RefusesADirectoryThatIsInUse(t *testing.T) {
	dir, _ := plant(t)
	err := Restore(t.Context(), bytes.NewReader(written(t)), dir)
	if andon.KindOf(err) != andon.KindConflict {
		t.Errorf("Restore = %v, want a conflict", err)
	}
}
