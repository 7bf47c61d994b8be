package logs_test

import (
	"bytes"
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

// A model is a log as somebody knows it who kept every byte and the time of each.
type model struct {
	text []byte
	at   []time.Time // of each byte
}

// lines splits naively, and says when each line began.
func (m *model) lines() (texts []string, at []time.Time) {
	begin := 0
	for i, b := range m.text {
		if b == '\n' || i == len(m.text)-1 {
			texts = append(texts, strings.TrimSuffix(string(m.text[begin:i+1]), "\n"))
			at = append(at, m.at[begin])
			begin = i + 1
		}
	}
	return texts, at
}

// groups finds the groups line by line, each with what it says of itself until another line ends it.
func (m *model) groups(finished bool) (groups []logs.Group) {
	texts, at := m.lines()
	end := func(last int64, at time.Time, steps bool) {
		for i := range groups {
			if g := &groups[i]; g.Open && (!g.Step || steps) {
				g.Last, g.Ended, g.Open = last, at, false
			}
		}
	}
	for i, text := range texts {
		number := int64(i + 1)
		g := logs.Group{First: number, Last: int64(len(texts)), Open: true, Began: at[i]}
		switch {
		case strings.HasPrefix(text, "##[step] "):
			end(number-1, at[i], true)
			g.Step = true
			groups = append(groups, g)
		case strings.HasPrefix(text, "::group::"), strings.HasPrefix(text, "##[group]"):
			end(number-1, at[i], false)
			groups = append(groups, g)
		case strings.HasPrefix(text, "::endgroup::"), strings.HasPrefix(text, "##[endgroup]"):
			end(number, at[i], false)
		}
	}
	if finished {
		end(int64(len(texts)), time.Time{}, true)
	}
	return groups
}

// randomLine returns what programs write, and what nearly begins a group.
func randomLine(r *rand.Rand) string {
	lines := []string{
		"", "::group::build", "::endgroup::", "##[group]test it", "##[endgroup]", "::endgroup::trailing", "##[step] make", "##[step]",
		"::", "::grou", "##[", "##[endgrou", " ::group::not at the beginning", ":::group::", "\x1b[31mred\x1b[0m",
	}
	switch n := r.IntN(40); {
	case n < len(lines):
		return lines[n]
	case n == 39:
		return strings.Repeat("long ", r.IntN(3_000))
	default:
		return strings.Repeat("x", r.IntN(120))
	}
}

// appendRandom appends lines in pieces of random sizes and times.
func (m *model) appendRandom(t *testing.T, r *rand.Rand, s *logs.Store, now *time.Time) {
	t.Helper()
	var text strings.Builder
	for range 1 + r.IntN(800) {
		text.WriteString(randomLine(r) + "\n")
	}
	all := text.String()
	if r.IntN(3) == 0 {
		all = strings.TrimSuffix(all, "\n")
	}
	for len(all) > 0 {
		n := min(len(all), 1+r.IntN([]int{3, 14, 500, 200_000}[r.IntN(4)]))
		*now = now.Add(time.Duration(r.IntN(150)) * time.Millisecond)
		next, err := s.Append(name, int64(len(m.text)), []byte(all[:n]), *now)
		if err != nil || next != int64(len(m.text)+n) {
			t.Fatalf("append: next %d, %v", next, err)
		}
		m.text = append(m.text, all[:n]...)
		for range n {
			m.at = append(m.at, *now)
		}
		all = all[n:]
	}
}

// check compares what the store says with the model. After an index was lost, times are not known.
func (m *model) check(t *testing.T, r *rand.Rand, s *logs.Store, timed bool) {
	t.Helper()
	texts, at := m.lines()
	i := info(t, s, name)
	if i.Lines != int64(len(texts)) || i.Size != int64(len(m.text)) || i.Partial != !bytes.HasSuffix(m.text, []byte("\n")) {
		t.Fatalf("%+v, want %d lines, %d bytes", i, len(texts), len(m.text))
	}
	groups, err := s.Groups(name)
	if err != nil {
		t.Fatal(err)
	}
	want := m.groups(i.Finished)
	if len(groups) != len(want) {
		t.Fatalf("%d groups, want %d", len(groups), len(want))
	}
	for n, g := range groups {
		if w := want[n]; g.First != w.First || g.Last != w.Last || g.Open != w.Open || g.Step != w.Step || timed && !w.Ended.IsZero() && (late(g.Began, w.Began) || late(g.Ended, w.Ended)) {
			t.Fatalf("group %d is %+v, want %+v", n, g, w)
		}
	}
	for range 20 {
		first, count := 1+r.IntN(len(texts)), 1+r.IntN(100)
		l, err := s.Window(name, int64(first), count, 200)
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Lines) != min(count, len(texts)-first+1) {
			t.Fatalf("%d lines from %d, want %d", len(l.Lines), first, count)
		}
		for n, got := range l.Lines {
			text := texts[first-1+n]
			if got.Number != int64(first+n) || string(got.Text) != text[:min(200, len(text))] || got.Cut != (len(text) > 200) {
				t.Fatalf("line %d is %+v, want %.200q", first+n, got, text)
			}
			if timed && late(got.At, at[first-1+n]) {
				t.Fatalf("line %d has the time %s, want %s", first+n, got.At, at[first-1+n])
			}
		}
	}
}

// late reports whether a time is not one of the index for when something was appended.
func late(got, appended time.Time) bool {
	return got.After(appended) || appended.Sub(got) >= 100*time.Millisecond
}

func TestIndex_AgreesWithANaiveSplitThroughAppendsAndRestarts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			dir := t.TempDir()
			m, now, timed := &model{}, when, true
			s, err := logs.Open(dir, logs.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for range 8 {
				m.appendRandom(t, r, s, &now)
				m.check(t, r, s, timed)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				switch path := filepath.Join(dir, name); r.IntN(4) {
				case 0: // a crash loses the ends of both, and the writer repeats itself
					kept := r.IntN(len(m.text) + 1)
					m.text, m.at = m.text[:kept], m.at[:kept]
					err = os.Truncate(path+".part", int64(kept))
				case 1:
					timed = false
					err = damage(r, path+".idx")
				}
				if err != nil {
					t.Fatal(err)
				}
				if s, err = logs.Open(dir, logs.Options{}); err != nil {
					t.Fatal(err)
				}
				if len(m.text) > 0 {
					m.check(t, r, s, timed)
				}
			}
			if err := s.Finish(name, now); err != nil {
				t.Fatal(err)
			}
			m.check(t, r, s, timed)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			m.check(t, r, open(t, dir, logs.Options{}), timed)
		})
	}
}

// damage cuts an index or spoils some of its bytes.
func damage(r *rand.Rand, path string) error {
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		return err
	}
	if b = b[:r.IntN(len(b))]; len(b) > 0 && r.IntN(2) == 0 {
		b[r.IntN(len(b))] ^= 0x10
	}
	return os.WriteFile(path, b, 0o600)
}

func TestIndex_OfALogThatGrowsForMonthsStaysSmall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, logs.Options{})
	const lines = 100_000
	for i, now := int64(0), when; i < lines; i, now = i+1, now.Add(150*time.Millisecond) {
		if _, err := s.Append(name, i*5, []byte("beat\n"), now); err != nil {
			t.Fatal(err)
		}
	}
	fi, err := os.Stat(filepath.Join(dir, name+".idx"))
	if err != nil {
		t.Fatal(err)
	}
	// From the mark 65,536 on, only every second line is late enough for one.
	if want := int64(28 * (1<<16 + (lines-1<<16)/2)); fi.Size() < want-28 || fi.Size() > want+28 {
		t.Errorf("the index has %d bytes, want about %d", fi.Size(), want)
	}
}

func TestGroups_AreBounded(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), logs.Options{})
	appendAll(t, s, name, 0, strings.Repeat("::group::x\nline\n::endgroup::\n", 10_000)+"last\n")
	if err := s.Finish(name, when); err != nil {
		t.Fatal(err)
	}
	groups, err := s.Groups(name)
	if err != nil || len(groups) != 4096 {
		t.Fatalf("%d groups, %v", len(groups), err)
	}
	if last := groups[len(groups)-1]; last.Last != 4096*3 {
		t.Errorf("the last group is %+v", last)
	}
	if _, err := s.Groups("task/other/1"); andon.KindOf(err) != andon.KindNotFound {
		t.Errorf("groups of no log: %v", err)
	}
}

func TestGroupName_IsWhatComesBehindTheMarker(t *testing.T) {
	t.Parallel()
	var got []string
	for _, line := range []string{"::group::build it", "##[group]", "##[step] go test", "::endgroup::x", "text ::group::x", ""} {
		name, ok := logs.GroupName([]byte(line))
		got = append(got, fmt.Sprintf("%s %v", name, ok))
	}
	if want := []string{"build it true", " true", "go test true", " false", " false", " false"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestStore_KeepsNothingOpenOfALogThatCannotBeRead looks for files of the store that stay open.
func TestStore_KeepsNothingOpenOfALogThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, logs.Options{})
	for _, err := range []error{os.Mkdir(filepath.Join(dir, "x.log"), 0o700), os.WriteFile(filepath.Join(dir, "x.idx"), nil, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Info("x"); err == nil {
		t.Fatal("a directory is read as a log")
	}
	for _, file := range openFiles(t, filepath.Join(dir, "x")) {
		t.Errorf("%s stays open", file)
	}
}
