package web

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/andon-cd/andon/internal/logs"
)

// randomGroups returns steps with groups within and between them, as a log has them.
func randomGroups(r *rand.Rand, total int64) (groups []logs.Group) {
	step, group := -1, -1
	end := func(which *int, last int64) {
		if *which >= 0 {
			groups[*which].Last, groups[*which].Open = last, false
		}
		*which = -1
	}
	for line := int64(1); line <= total; line++ {
		switch g := (logs.Group{First: line, Last: total, Open: true}); r.IntN(8) {
		case 0:
			end(&group, line-1)
			end(&step, line-1)
			g.Step, step = true, len(groups)
			groups = append(groups, g)
		case 1, 2:
			end(&group, line-1)
			group = len(groups)
			groups = append(groups, g)
		case 3:
			end(&group, line)
		}
	}
	return groups
}

// naive says of each line whether it is shown, by looking at all groups.
func naive(groups []logs.Group, total int64, turned []int64) (shown []int64) {
	for line := int64(1); line <= total; line++ {
		hidden := slices.ContainsFunc(groups, func(g logs.Group) bool {
			folded := !g.Step && !g.Open
			if slices.Contains(turned, g.First) {
				folded = !folded
			}
			return folded && g.First < line && line <= g.Last
		})
		if !hidden {
			shown = append(shown, line)
		}
	}
	return shown
}

func TestFolds_ShowTheSameLinesForwardsAndBackwards(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		total := int64(r.IntN(60))
		groups := randomGroups(r, total)
		var turned []int64
		for _, g := range groups {
			if r.IntN(3) == 0 {
				turned = append(turned, g.First)
			}
		}
		turned = append(turned, 10_000) // of a log that was longer once
		want := naive(groups, total, turned)
		f := newFolds(groups, total, turned)
		from, count := int64(r.IntN(int(total)+3)), 1+r.IntN(20)
		after := slices.DeleteFunc(slices.Clone(want), func(line int64) bool { return line < from })
		if got := f.after(from, count); !slices.Equal(got, after[:min(count, len(after))]) {
			t.Fatalf("seed %d: after %d: %v, want %v", seed, from, got, after)
		}
		before := slices.DeleteFunc(slices.Clone(want), func(line int64) bool { return line >= from })
		if g, hidden := f.hider(from - 1); !hidden || g.First < from {
			if got := f.before(from, count); !slices.Equal(got, before[max(0, len(before)-count):]) {
				t.Fatalf("seed %d: before %d: %v, want %v of %+v", seed, from, got, before, groups)
			}
		}
		if total == 0 {
			continue
		}
		line := 1 + r.Int64N(total)
		f.reveal(line)
		if !slices.Contains(f.after(1, int(total)), line) {
			t.Fatalf("seed %d: line %d is still hidden", seed, line)
		}
		if !slices.IsSorted(f.turned) {
			t.Fatalf("seed %d: toggled %v", seed, f.turned)
		}
	}
}
