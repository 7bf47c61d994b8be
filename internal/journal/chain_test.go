package journal_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
)

var event = andon.Event{
	Time: time.Date(2026, 11, 21, 8, 0, 0, 5_000_000, time.FixedZone("CET", 3600)),
	By:   "git:alice@example.com",
	Body: andon.ServiceRemoved{Service: "shop", Reason: "sold & <gone>"},
}

// The bytes that a journal holds never change their meaning: this is the formula once more, in
// the words of the documentation, and its result as the first release wrote it.
func TestSeal_FollowsTheDocumentedFormula(t *testing.T) {
	t.Parallel()
	var c journal.Chain
	row, sealed, err := c.Seal(event)
	if err != nil {
		t.Fatal(err)
	}
	want := journal.Row{Seq: 1, Time: "2026-11-21T07:00:00.005Z", By: "git:alice@example.com", Name: "service_removed",
		Body: []byte(`{"service":"shop","reason":"sold & <gone>"}`), Hash: row.Hash}
	if !reflect.DeepEqual(row, want) {
		t.Fatalf("row %+v, want %+v", row, want)
	}
	if sealed.Seq != 1 || sealed.Time.Location() != time.UTC || !sealed.Time.Equal(event.Time) {
		t.Fatalf("sealed: %+v", sealed)
	}
	input := make([]byte, 32)
	input = binary.BigEndian.AppendUint64(input, 1)
	for _, column := range []string{want.Time, want.By, want.Name, string(want.Body)} {
		input = append(binary.BigEndian.AppendUint32(input, uint32(len(column))), column...)
	}
	if row.Hash != sha256.Sum256(input) {
		t.Fatal("the hash is not of the documented bytes")
	}
	const golden = "8073012dd97488d232505cfa00b7476fb1b516cfafbf2db64da2ad7da93162a7"
	if got := fmt.Sprintf("%x", row.Hash); got != golden {
		t.Fatalf("the hash is %s, and the first release wrote %s", got, golden)
	}
}

func TestFollow_RefusesAnyChange(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*journal.Row){
		"seq":                   func(r *journal.Row) { r.Seq = 3 },
		"time":                  func(r *journal.Row) { r.Time = "2026-11-21T07:00:00.006Z" },
		"by":                    func(r *journal.Row) { r.By = "mallory" },
		"name":                  func(r *journal.Row) { r.Name = "service_added" },
		"body":                  func(r *journal.Row) { r.Body[5] ^= 1 },
		"hash":                  func(r *journal.Row) { r.Hash[31] ^= 1 },
		"a byte moved sideways": func(r *journal.Row) { r.By, r.Name = r.By+r.Name[:1], r.Name[1:] },
	} {
		var writer, reader journal.Chain
		for i := range 2 {
			row, _, err := writer.Seal(event)
			if err != nil {
				t.Fatal(err)
			}
			if i == 1 {
				change(&row)
			}
			err = reader.Follow(&row)
			if d, ok := errors.AsType[*journal.Damage](err); (i == 1) != ok || (ok && d.Seq != 2) {
				t.Errorf("%s: row %d gives %v", name, i+1, err)
			}
		}
	}
}

func TestSeal_RefusesWhatIsTooLong(t *testing.T) {
	t.Parallel()
	var c journal.Chain
	long := event
	long.Body = andon.ServiceRemoved{Reason: string(make([]byte, journal.MaxBody))}
	if _, _, err := c.Seal(long); andon.KindOf(err) != andon.KindInvalid {
		t.Fatalf("seal: %v", err)
	}
	if c != (journal.Chain{}) {
		t.Fatal("the chain moved")
	}
}
