package web

import (
	"slices"
	"sort"

	"github.com/andon-cd/andon/internal/logs"
)

// folds say which lines of a log are shown: of a step or group that is folded, only its first. Steps
// are unfolded unless they are toggled, groups are folded unless they are toggled or have not ended.
type folds struct {
	groups []logs.Group // in order
	steps  []logs.Group // those of them that are steps
	parts  []logs.Group // and those that are not
	total  int64        // lines in the log
	turned []int64      // the first lines of those that are toggled, in order
}

func newFolds(groups []logs.Group, total int64, turned []int64) *folds {
	f := &folds{groups: groups, total: total, turned: slices.Clone(turned)}
	for _, g := range groups {
		if g.Step {
			f.steps = append(f.steps, g)
		} else {
			f.parts = append(f.parts, g)
		}
	}
	slices.Sort(f.turned)
	return f
}

// groupOf returns the group of a kind that a line lies in, if it does.
func groupOf(groups []logs.Group, line int64) (logs.Group, bool) {
	n := sort.Search(len(groups), func(i int) bool { return groups[i].First > line })
	if n == 0 || groups[n-1].Last < line {
		return logs.Group{}, false
	}
	return groups[n-1], true
}

// heads returns the step or group that begins with a line.
func (f *folds) heads(line int64) (logs.Group, bool) {
	n, found := slices.BinarySearchFunc(f.groups, line, func(g logs.Group, line int64) int { return int(g.First - line) })
	if !found {
		return logs.Group{}, false
	}
	return f.groups[n], true
}

func (f *folds) folded(g logs.Group) bool {
	_, turned := slices.BinarySearch(f.turned, g.First)
	return turned == (g.Step || g.Open)
}

// hider returns the outermost folded step or group that hides a line.
func (f *folds) hider(line int64) (logs.Group, bool) {
	for _, groups := range [...][]logs.Group{f.steps, f.parts} {
		if g, ok := groupOf(groups, line); ok && line > g.First && f.folded(g) {
			return g, true
		}
	}
	return logs.Group{}, false
}

// reveal unfolds what hides a line.
func (f *folds) reveal(line int64) {
	for g, hidden := f.hider(line); hidden; g, hidden = f.hider(line) {
		f.toggle(g.First)
	}
}

func (f *folds) toggle(first int64) {
	if n, found := slices.BinarySearch(f.turned, first); found {
		f.turned = slices.Delete(f.turned, n, n+1)
	} else {
		f.turned = slices.Insert(f.turned, n, first)
	}
}

// after returns up to count numbers of lines that are shown, in order, from a line on.
func (f *folds) after(line int64, count int) (shown []int64) {
	for line = max(line, 1); line <= f.total && len(shown) < count; line++ {
		if g, hidden := f.hider(line); hidden {
			line = g.Last
			continue
		}
		shown = append(shown, line)
	}
	return shown
}

// before returns up to count numbers of lines that are shown, in order, up to the one before a line.
func (f *folds) before(line int64, count int) (shown []int64) {
	for line = min(line-1, f.total); line >= 1 && len(shown) < count; line-- {
		if g, hidden := f.hider(line); hidden {
			line = g.First
		}
		shown = append(shown, line)
	}
	slices.Reverse(shown)
	return shown
}
