package logs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/andon-cd/andon/internal/logs"
)

// million is a log of 1,000,000 lines and 107 MB.
func million() []byte {
	var b bytes.Buffer
	b.Grow(108 << 20)
	for i := range 1_000_000 {
		fmt.Fprintf(&b, "%07d %098d\n", i+1, i)
	}
	return b.Bytes()
}

const chunk = 64 << 10

// BenchmarkAppend writes a log of 1M lines, 107 MB, in chunks of 64 KiB, beside a plain file.
func BenchmarkAppend(b *testing.B) {
	all := million()
	b.Run("store", func(b *testing.B) {
		s := open(b, b.TempDir(), logs.Options{})
		b.SetBytes(int64(len(all)))
		for i := 0; b.Loop(); i++ {
			stream := fmt.Sprintf("task/t%d/1", i)
			for offset := 0; offset < len(all); offset += chunk {
				if _, err := s.Append(stream, int64(offset), all[offset:min(len(all), offset+chunk)], when); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if err := s.Remove(stream); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.Run("floor", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "floor")
		b.SetBytes(int64(len(all)))
		for b.Loop() {
			f, err := os.Create(path)
			if err != nil {
				b.Fatal(err)
			}
			for offset := 0; offset < len(all); offset += chunk {
				if _, err := f.Write(all[offset:min(len(all), offset+chunk)]); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
			if err := os.Remove(path); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}

// BenchmarkReadLines opens a log of 1M lines at some line and reads 200, from a store that knows
// nothing of it yet; with and without its index of lines.
func BenchmarkReadLines(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir, logs.Options{})
	if _, err := s.Append(name, 0, million(), when); err != nil {
		b.Fatal(err)
	}
	read := func(b *testing.B, before func()) {
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			before()
			fresh, err := logs.Open(dir, logs.Options{})
			b.StartTimer()
			if err != nil {
				b.Fatal(err)
			}
			first := int64(1 + i*7919%999_000)
			l, err := fresh.ReadLines(name, first, 200)
			if err != nil || len(l.Lines) != 200 || !bytes.HasPrefix(l.Lines[0].Text, fmt.Appendf(nil, "%07d ", first)) {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := fresh.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
	b.Run("indexed", func(b *testing.B) { read(b, func() {}) })
	b.Run("index=lost", func(b *testing.B) {
		read(b, func() {
			if err := os.Remove(filepath.Join(dir, name+".idx")); err != nil && !os.IsNotExist(err) {
				b.Fatal(err)
			}
		})
	})
}
