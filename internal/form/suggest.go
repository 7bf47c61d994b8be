package form

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Quoted returns what somebody wrote in quotes, on one line and not too long.
func Quoted(s string) string {
	const most = 60
	if chars := []rune(s); len(chars) > most {
		s = string(chars[:most]) + "…"
	}
	return strconv.Quote(s)
}

// Nearest returns the candidate that is a few typing errors away from what was written,
// or begins with it; otherwise "".
func Nearest(wrote string, candidates []string) string {
	const longest = 64
	if wrote == "" || len(wrote) > longest {
		return ""
	}
	lower := strings.ToLower(wrote)
	best, least := "", len(wrote)/3+1
	if len(wrote) < 3 {
		least = 0 // everything short is near to everything short
	}
	for _, c := range candidates {
		switch {
		case len(c) > longest:
			continue
		case len(wrote) > 2 && strings.HasPrefix(strings.ToLower(c), lower):
			return c
		}
		if d := distance(lower, strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that
// turn a into b.
func distance(a, b string) int {
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}

func keysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Names returns a list for people: "a, b and c".
func Names[S ~string](all []S) string {
	words := make([]string, len(all))
	for i, s := range all {
		words[i] = string(s)
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
