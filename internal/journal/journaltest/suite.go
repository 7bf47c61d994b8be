package journaltest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
)

// Open opens a journal that lasts: called again with the same directory, it returns the same one.
type Open func(ctx context.Context, dir string) (journal.Journal, error)

// Run runs the suite against a driver.
func Run(t *testing.T, open Open) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, harness){
		"AppendNumbersEventsAndReadGivesThemBack": appendAndRead,
		"AppendRefusesAnotherHead":                conflict,
		"AppendTakesAllOrNothing":                 allOrNothing,
		"AppendIgnoresCancellationOnceBegun":      cancelled,
		"ReadPages":                               pages,
		"EventsSurviveReopening":                  reopen,
		"SnapshotsKeepTheNewestTwo":               snapshots,
		"VerifyReportsProgress":                   verify,
		"BackupIsAJournal":                        backup,
		"ConcurrentAppendsNeverShareAPosition":    concurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, harness{open: open, dir: t.TempDir()})
		})
	}
}

type harness struct {
	open Open
	dir  string
}

func (h harness) journal(t *testing.T) journal.Journal {
	t.Helper()
	j, err := h.open(t.Context(), h.dir)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return j
}

// Events returns n different events, as a decision emits them.
func Events(n int) []andon.Event {
	zone := time.FixedZone("elsewhere", 2*3600)
	events := make([]andon.Event, n)
	for i := range events {
		number := andon.VersionNumber(i + 1)
		events[i] = andon.Event{
			Time: time.Date(2026, 11, 21, 6, 0, 0, i, zone),
			By:   "git:alice@example.com",
			Body: andon.MaturityChanged{
				Version: andon.VersionRef{Service: "shop", Number: number},
				From:    andon.Development, To: andon.ReleaseCandidate,
				Reason: fmt.Sprintf("it passed <acceptance> & more, the %dth time", i),
			},
		}
	}
	return events
}

func mustAppend(t *testing.T, j journal.Journal, prev andon.Seq, events []andon.Event) []andon.Event {
	t.Helper()
	sealed, err := j.Append(t.Context(), prev, events)
	if err != nil {
		t.Fatalf("append after %d: %v", prev, err)
	}
	return sealed
}

func read(t *testing.T, j journal.Journal, after andon.Seq, limit int) []andon.Event {
	t.Helper()
	var got []andon.Event
	for e, err := range j.Read(t.Context(), after, limit) {
		if err != nil {
			t.Fatalf("read after %d: %v", after, err)
		}
		got = append(got, e)
	}
	return got
}

func wantHead(t *testing.T, j journal.Journal, want andon.Seq) {
	t.Helper()
	head, err := j.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if head != want {
		t.Fatalf("head is %d, want %d", head, want)
	}
}

func appendAndRead(t *testing.T, h harness) {
	j := h.journal(t)
	wantHead(t, j, 0)
	if got := read(t, j, 0, 0); got != nil {
		t.Fatalf("an empty journal has %d events", len(got))
	}
	first := mustAppend(t, j, 0, Events(3))
	second := mustAppend(t, j, 3, Events(2))
	wantHead(t, j, 5)
	want := append(first, second...)
	for i, e := range want {
		if e.Seq != andon.Seq(i+1) || e.Time.Location() != time.UTC {
			t.Fatalf("event %d came back as %d at %v", i+1, e.Seq, e.Time)
		}
	}
	if got := read(t, j, 0, 0); !reflect.DeepEqual(got, want) {
		t.Fatalf("read %+v\nwant %+v", got, want)
	}
	if sealed := mustAppend(t, j, 5, nil); sealed != nil {
		t.Fatalf("appending nothing gave %v", sealed)
	}
}

func conflict(t *testing.T, h harness) {
	j := h.journal(t)
	mustAppend(t, j, 0, Events(2))
	for _, prev := range []andon.Seq{0, 1, 3} {
		if _, err := j.Append(t.Context(), prev, Events(1)); andon.KindOf(err) != andon.KindConflict {
			t.Fatalf("append after %d: %v, want a conflict", prev, err)
		}
	}
	wantHead(t, j, 2)
	for _, err := range j.Read(t.Context(), 3, 0) {
		if andon.KindOf(err) != andon.KindConflict {
			t.Fatalf("read behind the head: %v, want a conflict", err)
		}
	}
}

func allOrNothing(t *testing.T, h harness) {
	j := h.journal(t)
	bad := append(Events(2), andon.Event{By: "me"})
	if _, err := j.Append(t.Context(), 0, bad); err == nil {
		t.Fatal("an event without a body was appended")
	}
	wantHead(t, j, 0)
	mustAppend(t, j, 0, Events(1))
	if got := read(t, j, 0, 0); len(got) != 1 {
		t.Fatalf("read %d events, want 1", len(got))
	}
}

func cancelled(t *testing.T, h harness) {
	j := h.journal(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Append(ctx, 0, Events(1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("append: %v, want it cancelled", err)
	}
	wantHead(t, j, 0)
	mustAppend(t, j, 0, Events(1))
}

func pages(t *testing.T, h harness) {
	j := h.journal(t)
	const n = 1300
	mustAppend(t, j, 0, Events(n))
	for _, c := range []struct {
		after andon.Seq
		limit int
		want  int
	}{{0, 0, n}, {0, 1, 1}, {0, 512, 512}, {10, 600, 600}, {n - 5, 100, 5}, {n, 10, 0}, {n, 0, 0}} {
		got := read(t, j, c.after, c.limit)
		if len(got) != c.want {
			t.Fatalf("read after %d, limit %d: %d events, want %d", c.after, c.limit, len(got), c.want)
		}
		for i, e := range got {
			if e.Seq != c.after+andon.Seq(i)+1 {
				t.Fatalf("read after %d: event %d is at %d", c.after, e.Seq, i)
			}
		}
	}
	for e, err := range j.Read(t.Context(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq == 3 {
			break // a consumer may stop, and the journal goes on
		}
	}
	mustAppend(t, j, n, Events(1))
}

func reopen(t *testing.T, h harness) {
	j, err := h.open(t.Context(), h.dir)
	if err != nil {
		t.Fatal(err)
	}
	want := mustAppend(t, j, 0, Events(1500))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	again := h.journal(t)
	wantHead(t, again, 1500)
	want = append(want, mustAppend(t, again, 1500, Events(1))...)
	if got := read(t, again, 0, 0); !reflect.DeepEqual(got, want) {
		t.Fatal("the events differ after reopening")
	}
}

func snapshots(t *testing.T, h harness) {
	j := h.journal(t)
	if _, ok, err := j.Snapshot(t.Context()); ok || err != nil {
		t.Fatalf("a fresh journal has a snapshot: %v, %v", ok, err)
	}
	if err := j.SaveSnapshot(t.Context(), journal.Snapshot{Seq: 1}); andon.KindOf(err) != andon.KindConflict {
		t.Fatalf("snapshot of an event that is not there: %v", err)
	}
	mustAppend(t, j, 0, Events(10))
	for _, seq := range []andon.Seq{2, 5, 9, 9} {
		s := journal.Snapshot{Seq: seq, Format: 3, Data: fmt.Appendf(nil, "state at %d", seq)}
		if err := j.SaveSnapshot(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		got, ok, err := j.Snapshot(t.Context())
		if err != nil || !ok || !reflect.DeepEqual(got, s) {
			t.Fatalf("snapshot: %+v %v %v, want %+v", got, ok, err, s)
		}
	}
}

func verify(t *testing.T, h harness) {
	j := h.journal(t)
	if err := j.Verify(t.Context(), nil); err != nil {
		t.Fatalf("an empty journal: %v", err)
	}
	mustAppend(t, j, 0, Events(1200))
	var last journal.Progress
	if err := j.Verify(t.Context(), func(p journal.Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if want := (journal.Progress{Verified: 1200, Head: 1200}); last != want {
		t.Fatalf("progress ends with %+v, want %+v", last, want)
	}
}

func backup(t *testing.T, h harness) {
	j := h.journal(t)
	want := mustAppend(t, j, 0, Events(700))
	if err := j.SaveSnapshot(t.Context(), journal.Snapshot{Seq: 700, Format: 1, Data: []byte("s")}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	dst := filepath.Join(dir, "journal.db")
	if err := j.Backup(t.Context(), dst); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, 700, Events(1))
	if err := j.Backup(t.Context(), dst); andon.KindOf(err) != andon.KindConflict {
		t.Fatalf("a backup over a file: %v, want a conflict", err)
	}
	restored := harness{open: h.open, dir: dir}.journal(t)
	if err := restored.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := read(t, restored, 0, 0); !reflect.DeepEqual(got, want) {
		t.Fatal("the backup has other events")
	}
	if _, ok, err := restored.Snapshot(t.Context()); !ok || err != nil {
		t.Fatalf("the backup has no snapshot: %v", err)
	}
	mustAppend(t, restored, 700, Events(1))
}

func concurrent(t *testing.T, h harness) {
	j := h.journal(t)
	const writers, each = 4, 20
	done := make(chan error, writers)
	for range writers {
		go func() {
			for appended := 0; appended < each; {
				head, err := j.Head(t.Context())
				if err != nil {
					done <- err
					return
				}
				_, err = j.Append(t.Context(), head, Events(2))
				switch {
				case err == nil:
					appended++
				case andon.KindOf(err) != andon.KindConflict:
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	wantHead(t, j, writers*each*2)
	if err := j.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}
