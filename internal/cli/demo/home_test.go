package demo

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestSweep_RemovesWhatAKilledDemoLeft(t *testing.T) {
	state := t.TempDir()
	own := filepath.Join(t.TempDir(), "own")      // made by its demo
	given := t.TempDir()                          // was there before
	running := filepath.Join(t.TempDir(), "runs") // its demo still runs
	for _, dir := range []string{own, given, running} {
		h, err := openHome(Config{Dir: dir, State: state})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.log(), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if dir != running {
			h.lock.Close() // as the end of its process does
		} else {
			defer func() { _ = h.remove() }() // it is in a directory of the test
		}
	}
	if err := os.WriteFile(filepath.Join(given, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	sweep(t.Context(), Config{State: state, Program: "/bin/false"}, newScreen(Config{Out: &out}))
	if _, err := os.Stat(own); err == nil {
		t.Errorf("%s is still there: %s", own, out.String())
	}
	if left, _ := os.ReadDir(given); len(left) != 1 || left[0].Name() != "mine" {
		t.Errorf("in a directory that was there before, %v is left, want only what was not the demo's", left)
	}
	if _, err := os.Stat(filepath.Join(running, "server.log")); err != nil {
		t.Errorf("a demo that runs was swept away: %v", err)
	}
	if notes, _ := os.ReadDir(state); len(notes) != 1 {
		t.Errorf("%d notes are left, want that of the demo that runs", len(notes))
	}
}

func TestSweep_LeavesWhatItCannotStop(t *testing.T) {
	state, dir := t.TempDir(), filepath.Join(t.TempDir(), "demo")
	h, err := openHome(Config{Dir: dir, State: state})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(h.plant(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.plant(), "format"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.lock.Close()
	var out bytes.Buffer
	sweep(t.Context(), Config{State: state, Program: "/bin/false"}, newScreen(Config{Out: &out}))
	if _, err := os.Stat(h.plant()); err != nil {
		t.Error("the directory of processes that still run was removed: nobody finds them any more")
	}
	if out.Len() == 0 {
		t.Error("nothing was said about it")
	}
}

func TestOpenHome_RefusesADirectoryWithSomethingInIt(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openHome(Config{Dir: dir, State: t.TempDir()}); andon.KindOf(err) != andon.KindConflict {
		t.Errorf("openHome = %v, want a conflict", err)
	}
}
