package pipeline_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/form"
	"github.com/andon-cd/andon/internal/pipeline"
)

// slowest is how much processor time a hostile file may take, with room for -race.
const slowest = 5 * time.Second

// cpu returns the processor time that this process has had: on a busy machine the clock goes on
// while others have the processor.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func TestParse_RefusesHostileFilesQuickly(t *testing.T) {
	var laughs, needs, jobs strings.Builder
	laughs.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 20; i++ {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	for i := range 99 {
		fmt.Fprintf(&jobs, "    j%037d: {steps: [x], needs: &n%d [%s]}\n", i, i, strings.TrimSuffix(strings.Repeat("zzz, ", 99), ", "))
	}
	needs.WriteString("service: shop\ncommit:\n  jobs:\n" + jobs.String())

	for name, c := range map[string]struct{ src, want string }{
		"billion laughs": {laughs.String(), "the file is too big, counting all that its aliases repeat"},
		"a long text, often": {
			"service: &x '" + strings.Repeat("y", 100_000) + "'\ncommit: [" + strings.Repeat("*x, ", 1000) + "]\n",
			"the file is too big, counting all that its aliases repeat",
		},
		"many values":      {"service: [" + strings.Repeat("a,", 100_000) + "]\n", "the file is too big, counting all that its aliases repeat"},
		"many keys":        {manyKeys(4000), "this mapping has more than 1000 keys"},
		"open brackets":    {strings.Repeat("[", 200_000), "this is nested deeper than 32 levels"},
		"open braces":      {strings.Repeat("{a: ", 60_000), "this is nested deeper than 32 levels"},
		"dashes":           {strings.Repeat("- ", 100_000), "this is nested deeper than 32 levels"},
		"deep indentation": {deep(600), "this is nested deeper than 32 levels"},
		"wrong needs":      {needs.String(), `this stage has no job "zzz"`},
		"many lines":       {"a: |\n" + strings.Repeat("\n", 200_000), "the file has more than 5000 lines"},
		"empty lines":      {"a: |\n" + strings.Repeat("\n", 4990), `unknown key "a"`},
		"blank lines":      {"a: |\n" + strings.Repeat(strings.Repeat(" ", 48)+"\n", 4990), `unknown key "a"`},
		"comments":         {strings.Repeat("a: # x\n", 4990), `the key "a" is written twice`},
		"documents":        {strings.Repeat("---\na: b\n", 2000), "the file has more than one YAML document"},
	} {
		t.Run(name, func(t *testing.T) {
			before := cpu(t)
			p, problems := pipeline.Parse("andon.yaml", []byte(c.src), environments)
			if took := cpu(t) - before; took > slowest {
				t.Errorf("took %v", took)
			}
			if p != nil || len(problems) == 0 || len(problems) > form.MaxProblems {
				t.Fatalf("%d problems", len(problems))
			}
			if text := form.Format(problems); !strings.Contains(text, c.want) {
				t.Errorf("want %q in\n%s", c.want, text)
			}
			for _, e := range problems {
				checkProblem(t, e, c.src)
			}
		})
	}
}

func TestParse_ReportsAtMostTwentyProblems(t *testing.T) {
	var src strings.Builder
	src.WriteString(minimal)
	for i := range 50 {
		fmt.Fprintf(&src, "x%d: 1\n", i)
	}
	_, problems := pipeline.Parse("andon.yaml", []byte(src.String()), nil)
	if len(problems) != form.MaxProblems {
		t.Errorf("%d problems", len(problems))
	}
}

func TestParse_RefusesMoreThanTheFormatHolds(t *testing.T) {
	stages := strings.Repeat("  - {name: a, grants: certified}\n", 51)
	_, problems := pipeline.Parse("andon.yaml", []byte(minimal+"stages:\n"+stages), nil)
	want := "andon.yaml:54:5: stages has 51 items and may have 50\n    - {name: a, grants: certified}\n      ^\n  write fewer\n"
	if got := form.Format(problems); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	return b.String()
}

func deep(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}
