package history_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
)

func TestApply_IsIdempotentAndRefusesGaps(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	s.push(1, "main", andon.Succeeded)
	h := open(t, filepath.Join(t.TempDir(), "history.db"))
	for _, events := range [][]andon.Event{s.events[:3], s.events[:3], nil, s.events[1:5], s.events[:7]} {
		if err := h.Apply(t.Context(), events); err != nil {
			t.Fatal(err)
		}
	}
	if h.Position() != 7 {
		t.Fatalf("position is %d, want 7", h.Position())
	}
	if err := h.Apply(t.Context(), s.events[8:]); andon.KindOf(err) != andon.KindConflict {
		t.Fatalf("a gap: %v", err)
	}
	if err := h.CatchUp(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	all := must[[]history.AuditEntry](t)(h.Audit(t.Context(), history.AuditFilter{}))
	if len(all) != len(s.events) || h.Position() != andon.Seq(len(s.events)) {
		t.Fatalf("%d entries up to %d, want %d", len(all), h.Position(), len(s.events))
	}
}

func TestApply_TakesAllOrNothing(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	h := open(t, filepath.Join(t.TempDir(), "history.db"))
	// The second of these events cannot be recorded: JSON has no year 10,000.
	bad := andon.TaskEnded{Task: taskID(1), Version: ref(1), Result: andon.TaskResult{Started: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}}
	unlucky := story{events: slices.Clone(s.events[:1])}
	unlucky.tell("x", bad, andon.PlantCreated{})
	if err := h.Apply(t.Context(), unlucky.events); err == nil {
		t.Fatal("an event was applied that has no JSON")
	}
	if h.Position() != 0 {
		t.Fatalf("position is %d, want 0", h.Position())
	}
	if err := h.CatchUp(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	if err := h.Apply(t.Context(), []andon.Event{{Seq: 5, Body: andon.PlantCreated{}}, {Seq: 7, Body: andon.PlantCreated{}}}); andon.KindOf(err) != andon.KindConflict {
		t.Fatalf("a gap between events: %v", err)
	}
}

func TestCatchUp_MakesAHistoryAnewThatIsNotOfThisJournal(t *testing.T) {
	t.Parallel()
	var long story
	long.begin()
	long.push(1, "main", andon.Succeeded)
	long.push(2, "main", andon.Succeeded)

	shorter := story{events: long.events[:len(long.events)-3]} // restored from a backup
	other := story{}                                           // restored, and went on differently
	other.begin()
	other.push(1, "main", andon.Failed)
	for range 20 {
		other.push(9, "main", andon.Failed)
	}

	for name, source := range map[string]*story{"shorter": &shorter, "other": &other, "empty": {}} {
		path := filepath.Join(t.TempDir(), "history.db")
		h := open(t, path)
		if err := h.CatchUp(t.Context(), &long); err != nil {
			t.Fatal(err)
		}
		if err := h.CatchUp(t.Context(), source); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all := must[[]history.AuditEntry](t)(h.Audit(t.Context(), history.AuditFilter{Limit: history.MaxPage}))
		if len(all) != len(source.events) || h.Position() != andon.Seq(len(source.events)) {
			t.Errorf("%s: %d entries up to %d, want %d", name, len(all), h.Position(), len(source.events))
		}
		if again := open(t, path); again.Position() != h.Position() {
			t.Errorf("%s: opened again it is at %d, want %d", name, again.Position(), h.Position())
		}
	}
}

func TestOpen_MakesADamagedOrForeignHistoryAnew(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	for name, spoil := range map[string]func(path string) error{
		"not a database": func(path string) error {
			return os.WriteFile(path, []byte("not a database at all, but long enough"), 0o600)
		},
		"cut off": func(path string) error { return os.Truncate(path, 5000) },
		"gone":    os.Remove,
		"another format": func(path string) error {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte{0, 0, 0, 99}, 60) // user_version in SQLite's header
			return errors.Join(err, f.Close())
		},
	} {
		path := filepath.Join(t.TempDir(), "history.db")
		h, err := history.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(h.CatchUp(t.Context(), &s), h.Close(), spoil(path)); err != nil {
			t.Fatal(err)
		}
		again, err := history.Open(t.Context(), path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again.Position() != 0 {
			t.Errorf("%s: position is %d, want 0", name, again.Position())
		}
		if err := errors.Join(again.CatchUp(t.Context(), &s), again.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// overwrite spoils the first page of a table.
func overwrite(path, table string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	var page int64
	err = db.QueryRow(`SELECT rootpage FROM sqlite_schema WHERE name = ?`, table).Scan(&page)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, 4096), (page-1)*4096)
	return errors.Join(err, f.Close())
}

func TestApply_OnADamagedHistoryHasItMadeAnewAtTheNextStart(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	path := filepath.Join(t.TempDir(), "history.db")
	h, err := history.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.CatchUp(t.Context(), &s), h.Close(), overwrite(path, "audit")); err != nil {
		t.Fatal(err)
	}
	if h, err = history.Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if h.Position() == 0 {
		t.Fatal("the damage was found when opening, and this test shows nothing")
	}
	s.push(1, "main", andon.Succeeded)
	err = h.CatchUp(t.Context(), &s)
	e, ok := errors.AsType[*andon.Error](err)
	if !ok || !strings.Contains(e.Message, "damaged") {
		t.Fatalf("catch up: %v", err)
	}
	_ = h.Close() // SQLite may complain about the file; it is gone anyway
	again := open(t, path)
	if err := again.CatchUp(t.Context(), &s); err != nil || again.Position() != andon.Seq(len(s.events)) {
		t.Fatalf("the next start: %v, position %d", err, again.Position())
	}
}

func TestWaitFor_ReturnsOnceThePositionIsReached(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	h := open(t, filepath.Join(t.TempDir(), "history.db"))
	done := make(chan error, 1)
	go func() { done <- h.WaitFor(t.Context(), 4) }()
	for _, e := range s.events {
		if err := h.Apply(t.Context(), []andon.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.WaitFor(ctx, 5); !errors.Is(err, context.Canceled) {
		t.Fatalf("waiting for what does not come: %v", err)
	}
}
