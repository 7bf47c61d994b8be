package cli

import (
	"strings"
	"testing"

	"github.com/andon-cd/andon/api"
)

func TestProblem_IsASentenceAndWhatToDo(t *testing.T) {
	for _, c := range []struct{ hint, want string }{
		{"", "andon: it cannot be\n"},
		{"the newest is shop 1", "andon: it cannot be\n  The newest is shop 1.\n"},
		{"See `andon status`", "andon: it cannot be\n  See `andon status`.\n"},
		{"See `andon status`.", "andon: it cannot be\n  See `andon status`.\n"},
		{"did you mean shop?", "andon: it cannot be\n  Did you mean shop?\n"},
		{"write it like http://127.0.0.1:8600", "andon: it cannot be\n  Write it like http://127.0.0.1:8600\n"},
		{"give digits (of the commit)", "andon: it cannot be\n  Give digits (of the commit).\n"},
		{"a\x1b[31mred", "andon: it cannot be\n  A[31mred.\n"},
	} {
		if got := problem(&api.Error{Message: "it cannot be", Hint: c.hint}, false); got != c.want {
			t.Errorf("%q is said as %q, want %q", c.hint, got, c.want)
		}
	}
}

func TestHeadline_KeepsALineALine(t *testing.T) {
	if got := headline("Say \x1b[31mred"); got != "Say [31mred" {
		t.Errorf("%q", got)
	}
	if got := headline(strings.Repeat("ü", 72)); got != strings.Repeat("ü", 72) {
		t.Errorf("%q", got)
	}
	if got := headline(strings.Repeat("ü", 73)); got != strings.Repeat("ü", 71)+"…" {
		t.Errorf("%q", got)
	}
}

func TestMisuseWords_SayWhatIsMissingOrTooMuch(t *testing.T) {
	for kong, want := range map[string]string{
		`expected "<service> <version>"`:                                                   "<service> <version> is missing",
		`expected one of "pull", "release"`:                                                `one of "pull", "release" is missing`,
		`missing flags: --reason=TEXT`:                                                     "--reason=TEXT is missing",
		`--timeout: expected duration value but got "EOL" (EOL)`:                           "--timeout needs a value",
		`--lines: expected int value but got "-5" (short flag); perhaps try --lines="-5"?`: "--lines does not take -5",
		`unknown flag --x, did you mean "--y"?`:                                            `unknown flag --x, did you mean "--y"?`,
		`--poll: expected duration but got "30": time: missing unit in duration "30"`:      `--poll: expected duration but got "30": time: missing unit in duration "30"`,
	} {
		if got := misuseWords(kong); got != want {
			t.Errorf("%q is said as %q, want %q", kong, got, want)
		}
	}
}
