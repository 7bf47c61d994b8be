package sqlite_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal/journaltest"
	"github.com/andon-cd/andon/internal/journal/sqlite"
)

func TestAppend_OnAFullDiskRecordsNothingAndGoesOnLater(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	j, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Append(t.Context(), 0, journaltest.Events(10)); err != nil {
		t.Fatal(err)
	}
	if err := j.Fill(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	_, err = j.Append(t.Context(), 10, journaltest.Events(1000))
	if andon.KindOf(err) != andon.KindUnavailable || !strings.Contains(err.Error(), "full") {
		t.Fatalf("append: %v, want it to say that the disk is full", err)
	}
	if head, _ := j.Head(t.Context()); head != 10 {
		t.Fatalf("head is %d, want 10", head)
	}
	if err := j.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := j.Fill(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), 10, journaltest.Events(1000)); err != nil {
		t.Fatalf("with space again: %v", err)
	}
	if err := j.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}
