package logs_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/logs"
)

func pattern(t testing.TB, text string, matchCase, expression bool) *logs.Pattern {
	t.Helper()
	p, err := logs.NewPattern(text, matchCase, expression)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// searchAll searches in steps of so many lines, and returns the numbers of all that were found.
func searchAll(t testing.TB, s *logs.Store, p *logs.Pattern, first int64, most int, long time.Duration) (numbers []int64) {
	t.Helper()
	for rounds := 0; ; rounds++ {
		f, err := s.Search(t.Context(), name, p, first, most, long)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Lines) > most {
			t.Fatalf("%d lines, at most %d were asked for", len(f.Lines), most)
		}
		for _, l := range f.Lines {
			numbers = append(numbers, l.Number)
		}
		if f.Next == 0 {
			if f.Done != f.Info.Size {
				t.Fatalf("the search ended after %d of %d bytes", f.Done, f.Info.Size)
			}
			return numbers
		}
		if f.Next <= first || rounds > 10_000 {
			t.Fatalf("the search from %d goes on at %d", first, f.Next)
		}
		first = f.Next
	}
}

func TestSearch_FindsWhatIsSeen(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), logs.Options{})
	appendAll(t, s, name, 0, "Error one\nan ERROR\n\x1b[31merr\x1b[0mor\nerror overwritten\rdone, all of it    \nÄrger\nwindows error\r\n[x] (error\n\nlast errOr")
	for _, c := range []struct {
		text                  string
		matchCase, expression bool
		want                  []int64
	}{
		{"error", true, false, []int64{3, 6, 7}},
		{"error", false, false, []int64{1, 2, 3, 6, 7, 9}},
		{"overwritten", false, false, nil},
		{"done, all", false, false, []int64{4}},
		{"ärger", false, false, []int64{5}},
		{"ärger", true, false, nil},
		{"[x] (", false, false, []int64{7}},
		{"^error|or$", true, true, []int64{3, 6, 7}},
		{"^e.*one$", false, true, []int64{1}},
		{"^$", true, true, []int64{8}},
		{"31m", false, false, nil},
		{"error\nan", false, false, nil},
	} {
		if got := searchAll(t, s, pattern(t, c.text, c.matchCase, c.expression), 1, 2, time.Minute); !slices.Equal(got, c.want) {
			t.Errorf("%+v found %v", c, got)
		}
	}
}

func TestSearch_AgreesWithLookingAtEveryLine(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	var lines []string
	for i := range 30_000 {
		line := fmt.Sprintf("%d %s", i, strings.Repeat("abcdefgh ", r.IntN(12)))
		switch r.IntN(300) {
		case 0:
			line = "Needle " + line
		case 1:
			line += "\x1b[1mneedle\x1b[0m"
		}
		if i%9999 == 5 {
			line = strings.Repeat("long ", 500_000) + "needle" // beyond what is searched of a line
		}
		lines = append(lines, line)
	}
	s := open(t, t.TempDir(), logs.Options{})
	appendAll(t, s, name, 0, strings.Join(lines, "\n"))
	for _, first := range []int64{0, 1, 12_345, 29_999, 30_001} {
		for _, c := range []struct{ matchCase, expression bool }{{false, false}, {true, false}, {false, true}} {
			find := regexp.MustCompile("needle")
			if !c.matchCase {
				find = regexp.MustCompile("(?i)needle")
			}
			var want []int64
			for i, line := range lines {
				if int64(i+1) >= first && len(line) < 1<<20 && find.MatchString(line) {
					want = append(want, int64(i+1))
				}
			}
			if got := searchAll(t, s, pattern(t, "needle", c.matchCase, c.expression), first, 7, time.Minute); !slices.Equal(got, want) {
				t.Errorf("from %d, %+v: %v, want %v", first, c, got, want)
			}
		}
	}
	// With no time at all, each step still gets on.
	if got := searchAll(t, s, pattern(t, "needle", false, false), 1, 1000, 0); len(got) == 0 {
		t.Error("nothing was found")
	}
}

func TestSearch_EndsWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), logs.Options{})
	appendAll(t, s, name, 0, strings.Repeat("line\n", 1000))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Search(ctx, name, pattern(t, "x", true, false), 1, 1, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := s.Search(t.Context(), "task/other/1", pattern(t, "x", true, false), 1, 1, time.Minute); andon.KindOf(err) != andon.KindNotFound {
		t.Errorf("no log: %v", err)
	}
	for _, wrong := range []string{"", strings.Repeat("x", 1001), "\xff", "("} {
		if _, err := logs.NewPattern(wrong, true, true); andon.KindOf(err) != andon.KindInvalid {
			t.Errorf("%.20q: %v", wrong, err)
		}
	}
}

// BenchmarkSearch looks for what is not there, in 107 MB.
func BenchmarkSearch(b *testing.B) {
	s := open(b, b.TempDir(), logs.Options{})
	all := million()
	if _, err := s.Append(name, 0, all, when); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name, text            string
		matchCase, expression bool
	}{{"text", "needle", true, false}, {"fold", "needle", false, false}, {"expression", "need+le$", true, true}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(all)))
			for b.Loop() {
				if got := searchAll(b, s, pattern(b, c.text, c.matchCase, c.expression), 1, 100, time.Minute); len(got) > 0 {
					b.Fatal(got)
				}
			}
		})
	}
}
