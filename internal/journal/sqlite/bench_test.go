package sqlite_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/journal/journaltest"
	"github.com/andon-cd/andon/internal/journal/sqlite"
)

// BenchmarkAppend measures acknowledged, durable events beside its floor: a write and an
// fdatasync of the same bytes of JSON for each batch.
func BenchmarkAppend(b *testing.B) {
	for _, batch := range []int{1, 20, 100, 500} {
		events := journaltest.Events(batch)
		b.Run(fmt.Sprintf("batch=%d/journal", batch), func(b *testing.B) {
			j, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "journal.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			var head andon.Seq
			for b.Loop() {
				if _, err := j.Append(b.Context(), head, events); err != nil {
					b.Fatal(err)
				}
				head += andon.Seq(batch)
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "events/s")
		})
		b.Run(fmt.Sprintf("batch=%d/floor", batch), func(b *testing.B) {
			bytes, err := json.Marshal(events)
			if err != nil {
				b.Fatal(err)
			}
			f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			for b.Loop() {
				if _, err := f.Write(bytes); err != nil {
					b.Fatal(err)
				}
				if err := datasync(f); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// large makes a journal of 100,000 events with a snapshot near its end.
func large(b *testing.B) string {
	path := filepath.Join(b.TempDir(), "journal.db")
	j, err := sqlite.Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 100 {
		if _, err := j.Append(b.Context(), andon.Seq(i*1000), journaltest.Events(1000)); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.SaveSnapshot(b.Context(), journal.Snapshot{Seq: 99_900, Format: 1, Data: make([]byte, 1<<20)}); err != nil {
		b.Fatal(err)
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkOpen is what a start costs: fresh, and with 100,000 events, a snapshot and 100 events
// behind it.
func BenchmarkOpen(b *testing.B) {
	b.Run("fresh", func(b *testing.B) {
		dir := b.TempDir()
		for i := 0; b.Loop(); i++ {
			j, err := sqlite.Open(b.Context(), filepath.Join(dir, fmt.Sprint(i)))
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			j.Close()
			b.StartTimer()
		}
	})
	b.Run("events=100000", func(b *testing.B) {
		path := large(b)
		for b.Loop() {
			j, err := sqlite.Open(b.Context(), path)
			if err != nil {
				b.Fatal(err)
			}
			s, ok, err := j.Snapshot(b.Context())
			if err != nil || !ok {
				b.Fatal(ok, err)
			}
			for _, err := range j.Read(b.Context(), s.Seq, 0) {
				if err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			j.Close()
			b.StartTimer()
		}
	})
}

// BenchmarkRead is a replay of 100,000 events.
func BenchmarkRead(b *testing.B) {
	j, err := sqlite.Open(b.Context(), large(b))
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	for b.Loop() {
		n := 0
		for _, err := range j.Read(b.Context(), 0, 0) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 100_000 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "events/s")
}
