package ansi_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/andon-cd/andon/internal/ansi"
)

type style = ansi.Style

func TestLine_ShowsWhatATerminalShows(t *testing.T) {
	t.Parallel()
	red := style{Foreground: ansi.Red}
	for _, c := range []struct {
		line string
		want []ansi.Span
	}{
		{"", nil},
		{"plain\ttext", []ansi.Span{{"plain\ttext", style{}}}},
		{"a\x1b[31mb\x1b[0mc", []ansi.Span{{"a", style{}}, {"b", red}, {"c", style{}}}},
		{"\x1b[31mb\x1b[mc", []ansi.Span{{"b", red}, {"c", style{}}}},
		{"\x1b[1;4;31mx\x1b[22;24;39my", []ansi.Span{{"x", style{Foreground: ansi.Red, Bold: true, Underline: true}}, {"y", style{}}}},
		{"\x1b[2;3;9mx\x1b[22;23;29my", []ansi.Span{{"x", style{Faint: true, Italic: true, Strike: true}}, {"y", style{}}}},
		{"\x1b[91;103mx\x1b[49my", []ansi.Span{{"x", style{Foreground: ansi.BrightRed, Background: ansi.BrightYellow}}, {"y", style{Foreground: ansi.BrightRed}}}},
		{"\x1b[42;30;7mx", []ansi.Span{{"x", style{Foreground: ansi.Green, Background: ansi.Black}}}},
		{"\x1b[7mx\x1b[27my", []ansi.Span{{"x", style{Background: ansi.White}}, {"y", style{}}}},
		{"\x1b[38;5;196mx", []ansi.Span{{"x", style{Foreground: ansi.BrightRed}}}},
		{"\x1b[38;5;22mx", []ansi.Span{{"x", style{Foreground: ansi.Green}}}},
		{"\x1b[38;5;9mx", []ansi.Span{{"x", style{Foreground: ansi.BrightRed}}}},
		{"\x1b[38;5;240mx", []ansi.Span{{"x", style{Foreground: ansi.BrightBlack}}}},
		{"\x1b[38;2;0;0;250mx", []ansi.Span{{"x", style{Foreground: ansi.BrightBlue}}}},
		{"\x1b[48:2:130:0:130mx", []ansi.Span{{"x", style{Background: ansi.Magenta}}}},
		{"\x1b[38;2;0;0mx\x1b[38;5;999my\x1b[38mz", []ansi.Span{{"xyz", style{}}}},
		{"10%\r20%\rdone", []ansi.Span{{"done", style{}}}},
		{"longer\rx", []ansi.Span{{"xonger", style{}}}},
		{"longer\r\x1b[Kx", []ansi.Span{{"x", style{}}}},
		{"longer\r\x1b[2Kx\r", []ansi.Span{{"x", style{}}}},
		{"abc\x1b[1Kd", []ansi.Span{{"   d", style{}}}},
		{"abc\x1b[2GX\x1b[99GY", []ansi.Span{{"aXcY", style{}}}},
		{"\x1b[31mab\r\x1b[32mc", []ansi.Span{{"c", style{Foreground: ansi.Green}}, {"b", red}}},
		{"ab\b\bc\b\b\bd", []ansi.Span{{"db", style{}}}},
		{"windows\r", []ansi.Span{{"windows", style{}}}},
		{"\x1b]0;title\aa\x1b]8;;http://x\x1b\\b\x1bPq\x1b\\c", []ansi.Span{{"abc", style{}}}},
		{"a\x1b[?25lb\x1b[2J\x1b(Bc\x1b7d\x1b=e", []ansi.Span{{"abcde", style{}}}},
		{"a\x1b", []ansi.Span{{"a", style{}}}},
		{"a\x1b[31", []ansi.Span{{"a", style{}}}},
		{"a\x1b[3\x01b", []ansi.Span{{"ab", style{}}}},
		{"a\x1b]never ends", []ansi.Span{{"a", style{}}}},
		{"a\x00\x07\x7f\u0085\u009b31mb", []ansi.Span{{"a31mb", style{}}}},
		{"bad \xff\xfe\r!", []ansi.Span{{"!ad \uFFFD\uFFFD", style{}}}},
		{"bad \xff", []ansi.Span{{"bad \uFFFD", style{}}}},
		{"\x1b[31m<script>", []ansi.Span{{"<script>", red}}},
		{"ünï\rx", []ansi.Span{{"xnï", style{}}}},
	} {
		var pen ansi.Pen
		if got := pen.Line([]byte(c.line)); !slices.Equal(got, c.want) {
			t.Errorf("%q:\n got %+v\nwant %+v", c.line, got, c.want)
		}
		var want strings.Builder
		for _, s := range c.want {
			want.WriteString(s.Text)
		}
		if got := strings.ToValidUTF8(string(ansi.Plain([]byte(c.line))), "\uFFFD"); !strings.HasPrefix(c.line, "bad \xff") && got != want.String() {
			t.Errorf("%q as text is %q, want %q", c.line, got, want.String())
		}
	}
}

func TestPen_CarriesTheStyleFromLineToLine(t *testing.T) {
	t.Parallel()
	const log = "\x1b[1;31mred\nstill\nred\x1b[0m not\nplain\n\x1b]0;[32m\a\x1b[34mblue\nblue"
	lines := strings.Split(log, "\n")
	var whole ansi.Pen
	for i, line := range lines {
		want := whole.Line([]byte(line))
		var pen ansi.Pen
		pen.Skip([]byte(strings.Join(lines[:i], "\n")))
		if got := pen.Line([]byte(line)); !slices.Equal(got, want) {
			t.Errorf("line %d is %+v when the lines before it are skipped, %+v when they are read", i+1, got, want)
		}
	}
	if whole.Line([]byte("x"))[0].Style.Foreground != ansi.Blue {
		t.Error("the last style is lost")
	}
}

// bad is what bytes that are no characters become, one or several.
var bad = regexp.MustCompile("\uFFFD+")

func FuzzLine(f *testing.F) {
	for _, seed := range []string{"\x1b[31mred\x1b[0m", "10%\r20%", "\x1b]0;t\a", "\x1b[38;2;1;2;3m\x1b[K\b\x1b[5G", "\xff\x1b[", "\x1b[7;7;27mx"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var pen, again ansi.Pen
		seen := ""
		for _, s := range pen.Line(line) {
			if s.Text == "" || !utf8.ValidString(s.Text) || strings.ContainsFunc(s.Text, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
				t.Fatalf("%q has the span %q", line, s.Text)
			}
			seen += s.Text
		}
		plain := strings.ToValidUTF8(string(ansi.Plain(line)), "\uFFFD")
		if bad.ReplaceAllString(seen, "?") != bad.ReplaceAllString(plain, "?") || len(seen) > 3*len(line) {
			t.Fatalf("%q is %q with styles and %q without", line, seen, plain)
		}
		again.Skip(line)
		if again != pen {
			t.Fatalf("after %q the style differs when it is skipped", line)
		}
	})
}
