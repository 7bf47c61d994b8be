package screen

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCut_FitsAndKeepsWhatItCan(t *testing.T) {
	for _, c := range []struct {
		line  string
		cells int
		want  string
	}{
		{"shop", 4, "shop"}, {"shop", 3, "sh…"}, {"shop", 1, "…"}, {"shop", 0, ""},
		{"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"},
		{"e\u0301a", 2, "e\u0301a"},
		{"\x1b[1mshop\x1b[0m", 4, "\x1b[1mshop\x1b[0m"}, {"\x1b[1mshop\x1b[0m", 3, "\x1b[1msh…\x1b[0m"},
	} {
		if got := Cut(c.line, c.cells); got != c.want {
			t.Errorf("%q in %d cells is %q, not %q", c.line, c.cells, got, c.want)
		}
	}
}

func TestPad_TakesExactlyItsCells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"a", "é", "日", "e\u0301", "\x1b[31m", "\x1b[0m", "🚀", " "})).Draw(t, "line"), "")
		cells := rapid.IntRange(0, 30).Draw(t, "cells")
		if got := Width(Pad(line, cells)); got != cells {
			t.Fatalf("%q takes %d cells, not %d", Pad(line, cells), got, cells)
		}
	})
}

func TestParseKeys(t *testing.T) {
	for in, want := range map[string][]Key{
		"q": {"q"}, "jj": {"j", "j"}, "\x1b[A\x1b[B": {KeyUp, KeyDown}, "\x1bOC\x1bOD": {KeyRight, KeyLeft},
		"\x1b[5~\x1b[6~": {KeyPageUp, KeyPageDown}, "\x1b[H\x1b[4~": {KeyHome, KeyEnd},
		"\x03": {KeyQuit}, "\x1a": {KeySuspend}, " G": {" ", "G"},
		"\x1b[1;5Aq": {"q"}, "\x1b[200": nil, "\x1b": nil, "\r\x00é": nil,
	} {
		if got, _ := parseKeys(in); !slices.Equal(got, want) {
			t.Errorf("%q is %v, not %v", in, got, want)
		}
		// The same keys come however the bytes are cut.
		for cut := range len(in) {
			first, rest := parseKeys(in[:cut])
			second, _ := parseKeys(rest + in[cut:])
			if got := append(first, second...); !slices.Equal(got, want) {
				t.Errorf("%q and then %q are %v, not %v", in[:cut], in[cut:], got, want)
			}
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add("\x1b[A\x1b[1;2~q")
	f.Fuzz(func(t *testing.T, in string) {
		if keys, rest := parseKeys(in); len(keys) > len(in) || len(rest) > longestSequence || !strings.HasSuffix(in, rest) {
			t.Errorf("%q are %d keys, and %q", in, len(keys), rest)
		}
	})
}
