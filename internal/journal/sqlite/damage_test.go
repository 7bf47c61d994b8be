package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/journal/journaltest"
	"github.com/andon-cd/andon/internal/journal/sqlite"
)

// write makes a journal of n events and returns its path.
func write(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.db")
	j, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), 0, journaltest.Events(n)); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// tamper changes the file with SQL, as somebody with a shell would.
func tamper(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantDamage(t *testing.T, err error, seq andon.Seq) {
	t.Helper()
	d, ok := errors.AsType[*journal.Damage](err)
	if !ok {
		t.Fatalf("got %v, want damage at event %d", err, seq)
	}
	e, ok := errors.AsType[*andon.Error](err)
	if !ok {
		t.Fatalf("%v is not for people", err)
	}
	if d.Seq != seq || !strings.Contains(e.Message, fmt.Sprintf("event %d", seq)) {
		t.Fatalf("got %q, want it to name event %d", e.Message, seq)
	}
	if !strings.Contains(e.Hint, "andon audit verify --data /") || strings.Contains(e.Hint, "journal.db") {
		t.Fatalf("the hint is %q", e.Hint)
	}
}

func TestDamage_NamesTheFirstBadEvent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, statement string
		seq             andon.Seq
	}{
		{"a byte of a body", `UPDATE event SET body = CAST(replace(CAST(body AS TEXT), 'acceptance', 'acceptancE') AS BLOB) WHERE seq = 41`, 41},
		{"the hash", `UPDATE event SET hash = zeroblob(32) WHERE seq = 41`, 41},
		{"a hash that is cut off", `UPDATE event SET hash = x'00' WHERE seq = 41`, 41},
		{"the time", `UPDATE event SET time = '2027-01-01T00:00:00Z' WHERE seq = 41`, 41},
		{"who did it", `UPDATE event SET by = 'mallory' WHERE seq = 41`, 41},
		{"the name", `UPDATE event SET name = 'version_ended' WHERE seq = 41`, 41},
		{"a row that is gone", `DELETE FROM event WHERE seq = 41`, 41},
		{"the first row gone", `DELETE FROM event WHERE seq = 1`, 1},
		{"the last row gone", `DELETE FROM event WHERE seq = 60`, 60},
		{"the end cut off", `DELETE FROM event WHERE seq > 41`, 42},
		{"all rows gone", `DELETE FROM event`, 1},
		{"rows that change places", `UPDATE event SET seq = 1000 WHERE seq = 41; UPDATE event SET seq = 41 WHERE seq = 42; UPDATE event SET seq = 42 WHERE seq = 1000`, 41},
		{"a row added behind the end", `INSERT INTO event SELECT 61, time, by, name, body, hash FROM event WHERE seq = 60`, 61},
		{"the end and the head moved back", `DELETE FROM event WHERE seq > 41; UPDATE head SET seq = 41`, 41},
		{"the table gone", `DROP TABLE event`, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, 60)
			tamper(t, path, c.statement)
			_, err := sqlite.Open(t.Context(), path)
			wantDamage(t, err, c.seq)
			if c.name == "a row added behind the end" {
				return // a server that appends beside the verification may be the reason
			}
			wantDamage(t, sqlite.Verify(t.Context(), path, nil), c.seq)
		})
	}
}

func TestDamage_FarFromTheEndIsFoundByVerifyAndRead(t *testing.T) {
	t.Parallel()
	path := write(t, 3000)
	tamper(t, path, `UPDATE event SET by = 'mallory' WHERE seq = 700`)
	j, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("opening checks the end only: %v", err)
	}
	defer j.Close()
	wantDamage(t, j.Verify(t.Context(), nil), 700)
	wantDamage(t, sqlite.Verify(t.Context(), path, nil), 700)
	last := andon.Seq(0)
	for e, err := range j.Read(t.Context(), 0, 0) {
		if err != nil {
			wantDamage(t, err, 700)
			break
		}
		last = e.Seq
	}
	if last != 699 {
		t.Fatalf("reading went up to event %d, want 699", last)
	}
}

func TestDamage_OfAnEventThatIsNotKnown(t *testing.T) {
	t.Parallel()
	path := write(t, 3)
	// What a newer andon appends is sealed correctly, and still cannot be read by this one.
	var chain journal.Chain
	for _, e := range journaltest.Events(3) {
		if _, _, err := chain.Seal(e); err != nil {
			t.Fatal(err)
		}
	}
	r := journal.Row{Seq: 4, Time: "2026-11-21T06:00:00Z", By: "andon", Name: "coffee_made", Body: []byte(`{}`)}
	r.Hash = r.Sum(chain.Hash)
	tamper(t, path, fmt.Sprintf(`INSERT INTO event VALUES (4, '%s', '%s', '%s', CAST('{}' AS BLOB), x'%x'); UPDATE head SET seq = 4, hash = x'%x'`,
		r.Time, r.By, r.Name, r.Hash, r.Hash))
	_, err := sqlite.Open(t.Context(), path)
	wantDamage(t, err, 4)
}

func TestDamage_OfTheFileItself(t *testing.T) {
	t.Parallel()
	const n = 400
	for name, spoil := range map[string]func(f *os.File, size int64) error{
		"cut in the middle":  func(f *os.File, size int64) error { return f.Truncate(size / 2) },
		"cut by a byte":      func(f *os.File, size int64) error { return f.Truncate(size - 1) },
		"header overwritten": func(f *os.File, _ int64) error { _, err := f.WriteAt(make([]byte, 100), 0); return err },
		"a page overwritten": func(f *os.File, size int64) error {
			_, err := f.WriteAt(make([]byte, 4096), size/8192*4096)
			return err
		},
		"not a database": func(f *os.File, _ int64) error {
			_, err := f.WriteAt([]byte("hello, I am not a database"), 0)
			return err
		},
		"cut within the head": func(f *os.File, _ int64) error { return f.Truncate(50) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, n)
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			fi, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(spoil(f, fi.Size()), f.Close()); err != nil {
				t.Fatal(err)
			}
			_, err = sqlite.Open(t.Context(), path)
			d, ok := errors.AsType[*journal.Damage](err)
			if !ok || d.Seq < 1 || d.Seq > n {
				t.Fatalf("open: %v, want damage at one of the events", err)
			}
			wantDamage(t, err, d.Seq)
			d, ok = errors.AsType[*journal.Damage](sqlite.Verify(t.Context(), path, nil))
			if !ok || d.Seq < 1 || d.Seq > n {
				t.Fatalf("verify: %v, want damage at one of the events", err)
			}
		})
	}
}

func TestOpen_RefusesWhatIsNotAJournalOrNewer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ statement, want string }{
		{`PRAGMA user_version = 2`, "newer version of andon"},
		{`PRAGMA application_id = 7`, "not a journal"},
	} {
		path := write(t, 1)
		tamper(t, path, c.statement)
		_, err := sqlite.Open(t.Context(), path)
		if andon.KindOf(err) != andon.KindInvalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", c.statement, err, c.want)
		}
		err = sqlite.Verify(t.Context(), path, nil)
		if andon.KindOf(err) != andon.KindInvalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("verify, %s: %v, want it to say %q", c.statement, err, c.want)
		}
	}
}

func TestVerify_OfNoJournal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := sqlite.Verify(t.Context(), path, nil); andon.KindOf(err) != andon.KindNotFound {
		t.Fatalf("no file: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("verifying made a file")
	}
	if _, err := sqlite.Open(t.Context(), filepath.Join(path, "deeper", "journal.db")); andon.KindOf(err) != andon.KindNotFound {
		t.Fatalf("no directory: %v", err)
	}
}

func TestVerify_BesideAWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "odd name? 100%#.db")
	j, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for i := range 20 {
		if _, err := j.Append(t.Context(), andon.Seq(i*10), journaltest.Events(10)); err != nil {
			t.Fatal(err)
		}
		if err := sqlite.Verify(t.Context(), path, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the journal is elsewhere: %v", err)
	}
}

func TestSnapshot_ThatIsDamagedOrForeignIsPassedOver(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{
		`UPDATE snapshot SET data = CAST('other' AS BLOB) WHERE seq = 9`,
		`UPDATE snapshot SET chain = zeroblob(32) WHERE seq = 9`,
	} {
		path := write(t, 10)
		j, err := sqlite.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		for _, seq := range []andon.Seq{5, 9} {
			if err := j.SaveSnapshot(t.Context(), journal.Snapshot{Seq: seq, Format: 1, Data: []byte("state")}); err != nil {
				t.Fatal(err)
			}
		}
		tamper(t, path, statement)
		s, ok, err := j.Snapshot(t.Context())
		if err != nil || !ok || s.Seq != 5 {
			t.Errorf("%s: %+v %v %v, want the one of event 5", statement, s, ok, err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}
