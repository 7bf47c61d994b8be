package logs_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/logs"
)

func TestRead_OfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), logs.Options{})
	if _, err := s.Read(name, 0, 1); andon.KindOf(err) != andon.KindNotFound {
		t.Errorf("read: %v", err)
	}
	if _, err := s.ReadLines(name, 1, 1); andon.KindOf(err) != andon.KindNotFound {
		t.Errorf("read lines: %v", err)
	}
	if _, err := s.Info(name); andon.KindOf(err) != andon.KindNotFound {
		t.Errorf("info: %v", err)
	}
	if err := s.Remove(name); err != nil {
		t.Errorf("remove: %v", err)
	}
	appendAll(t, s, name, 0, "abc")
	for _, c := range []struct {
		offset int64
		limit  int
		want   string
	}{{0, 0, "abc"}, {1, 1, "b"}, {3, 5, ""}, {99, 5, ""}, {-5, 2, "ab"}} {
		if p, err := s.Read(name, c.offset, c.limit); err != nil || string(p) != c.want {
			t.Errorf("read %d+%d: %q %v", c.offset, c.limit, p, err)
		}
	}
}

// randomLog returns lines of very different lengths, some longer than an index block and than
// MaxLine.
func randomLog(r *rand.Rand, lines int) []string {
	all := make([]string, lines)
	for i := range all {
		n := r.IntN(200)
		if r.IntN(50) == 0 {
			n = r.IntN(200_000)
		}
		all[i] = fmt.Sprintf("%d:%s", i+1, strings.Repeat("x", n))
	}
	return all
}

func TestReadLines_FindsEveryLineWhateverTheChunks(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		lines := randomLog(r, 2000)
		whole := strings.Join(lines, "\n")
		if seed%2 == 0 {
			whole += "\n"
		}
		dir := t.TempDir()
		s := open(t, dir, logs.Options{})
		for offset := 0; offset < len(whole); {
			end := min(len(whole), offset+1+r.IntN(100_000))
			offset = int(appendAll(t, s, name, int64(offset), whole[offset:end]))
		}
		checkLines(t, r, s, lines)
		checkLines(t, r, open(t, dir, logs.Options{}), lines)
		// Without the index, or with a spoiled one, it is made again.
		index := filepath.Join(dir, name+".idx")
		for _, spoil := range []func() error{
			func() error { return os.Remove(index) },
			func() error { return os.Truncate(index, 28*7+5) },
			func() error { return overwrite(index, 28*11) },
		} {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			checkLines(t, r, open(t, dir, logs.Options{}), lines)
		}
	}
}

func overwrite(path string, at int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, 40), at)
	return errors.Join(err, f.Close())
}

func checkLines(t *testing.T, r *rand.Rand, s *logs.Store, lines []string) {
	t.Helper()
	if got := info(t, s, name).Lines; got != int64(len(lines)) {
		t.Fatalf("%d lines, want %d", got, len(lines))
	}
	for range 50 {
		first := 1 + r.IntN(len(lines))
		count := 1 + r.IntN(30)
		l, err := s.ReadLines(name, int64(first), count)
		if err != nil {
			t.Fatal(err)
		}
		want := lines[first-1 : min(len(lines), first-1+count)]
		if len(l.Lines) == 0 || len(l.Lines) > len(want) || l.Next != int64(first+len(l.Lines)) {
			t.Fatalf("lines from %d: got %d of %d, next %d", first, len(l.Lines), len(want), l.Next)
		}
		for i, line := range l.Lines {
			text := want[i]
			if line.Cut != (len(text) > logs.MaxLine) {
				t.Fatalf("line %d of %d bytes: cut is %v", line.Number, len(text), line.Cut)
			}
			if line.Cut {
				text = text[:logs.MaxLine]
			}
			if line.Number != int64(first+i) || string(line.Text) != text {
				t.Fatalf("line %d is %.40q, want line %d, %.40q", line.Number, line.Text, first+i, text)
			}
			if p, err := s.Read(name, line.Offset, len(text)); err != nil || string(p) != text {
				t.Fatalf("line %d is not at offset %d: %v", line.Number, line.Offset, err)
			}
		}
	}
}

func TestReadLines_AtTheEdges(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), logs.Options{})
	appendAll(t, s, name, 0, "a\n\nc\npart")
	for _, c := range []struct {
		first int64
		count int
		want  []string
		next  int64
	}{
		{1, 2, []string{"a", ""}, 3},
		{0, 0, []string{"a", "", "c", "part"}, 5},
		{4, 9, []string{"part"}, 5},
		{5, 9, nil, 5},
		{-1, 9, []string{"part"}, 5},
		{-2, 1, []string{"c"}, 4},
		{-99, 1, []string{"a"}, 2},
	} {
		l, err := s.ReadLines(name, c.first, c.count)
		if err != nil || !slices.Equal(texts(l), c.want) || l.Next != c.next {
			t.Errorf("lines from %d: %q, next %d, %v; want %q, next %d", c.first, texts(l), l.Next, err, c.want, c.next)
		}
	}
}

func TestReadLines_KnowsAboutWhenALineWasWritten(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), logs.Options{})
	offset := int64(0)
	line := strings.Repeat("x", 999) + "\n"
	for i := range 1000 {
		next, err := s.Append(name, offset, []byte(line), when.Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		offset = next
	}
	l, err := s.ReadLines(name, 800, 1)
	if err != nil {
		t.Fatal(err)
	}
	if age := when.Add(799 * time.Second).Sub(l.Lines[0].At); age != 0 {
		t.Fatalf("line 800 was written at %v, which is %v off", l.Lines[0].At, age)
	}
}
