package pipeline_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
	"github.com/andon-cd/andon/internal/pipeline"
)

func TestFormat_PutsACaretBelowTheColumn(t *testing.T) {
	_, problems := pipeline.Parse("andon.yaml", []byte("service: shop\ncommit:\n  jbos: {}\n"), nil)
	want := `andon.yaml:3:3: unknown key "jbos" in commit
    jbos: {}
    ^
  did you mean "jobs"?
`
	if got := form.Format(problems); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := form.Format(nil); got != "" {
		t.Errorf("nothing is %q", got)
	}
}

func TestFormat_CaretOfOddLines(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		column int
		want   string
	}{
		"tab":           {"\ta", 2, "  \ta\n  \t^\n"},
		"wide":          {"日本x", 3, "  日本x\n      ^\n"},
		"end":           {"ab", 3, "  ab\n    ^\n"},
		"behind":        {"ab", 9, "  ab\n    ^\n"},
		"escape":        {"a\x1b[31mb", 1, "  a\uFFFD[31mb\n  ^\n"},
		"blank":         {"  ", 1, ""},
		"long":          {strings.Repeat("x", 200), 1, "  " + strings.Repeat("x", 100) + " …\n  ^\n"},
		"long, far out": {strings.Repeat("x", 200), 150, "  … " + strings.Repeat("x", 100) + " …\n    " + strings.Repeat(" ", 50) + "^\n"},
	} {
		e := &andon.Error{Message: "m", File: "f", Line: 1, Column: c.column, Source: c.source}
		got := strings.TrimPrefix(form.Format([]*andon.Error{e}), fmt.Sprintf("f:1:%d: m\n", c.column))
		if got != c.want {
			t.Errorf("%s: got\n%q\nwant\n%q", name, got, c.want)
		}
	}
}
