package runner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
	"github.com/andon-cd/andon/internal/pipeline"
)

const mixedReport = `<?xml version="1.0"?>
<testsuites><testsuite name="cart" tests="4" time="NaN"><properties><property name="a" value="b"/></properties>
<testcase name="adds" classname="cart.Cart" time="0.5"/>
<testcase name="removes" classname="cart.Cart" time="NaN" file="cart_test.py" line="12"><failure message="1 != 2" type="x">trace</failure></testcase>
<testcase name="waits"><skipped/></testcase>
<testsuite name="nested"><testcase name="retries"><flakyFailure message="once"/></testcase></testsuite>
</testsuite><testsuite name="empty"/></testsuites>`

func (b *bed) reporting(script string, globs ...string) andon.Lease {
	lease := b.job(script)
	lease.Task.JUnit = globs
	return lease
}

func TestReports_AreReadAlsoWhenAStepFailed(t *testing.T) {
	b := newBed(t, map[string]string{"report.xml": mixedReport})
	result, _ := b.run(b.reporting("mkdir -p out; cp report.xml out/; exit 1", "out/*.xml"))
	want := andon.TestFailure{Name: "cart.Cart.removes", Message: "1 != 2", File: "cart_test.py", Line: 12}
	s := result.Tests
	if s == nil || s.Passed != 2 || s.Failed != 1 || s.Skipped != 1 || s.Flaky != 1 || !slices.Equal(s.Failures, []andon.TestFailure{want}) {
		t.Fatalf("tests %+v", s)
	}
	if result.Outcome != andon.Failed || !strings.Contains(result.Reason, "exit status 1") {
		t.Errorf("result %+v", result)
	}
}

func TestReports_FailTheJobThatExitedWithZero(t *testing.T) {
	b := newBed(t, map[string]string{"report.xml": mixedReport})
	result, log := b.run(b.reporting("true", "report.xml"))
	if result.Outcome != andon.Failed || result.Reason != "1 test failed" || !strings.Contains(log, "1 test failed") {
		t.Errorf("result %+v", result)
	}
}

func TestReports_AreFoundByTheirGlobs(t *testing.T) {
	files := map[string]string{}
	for _, name := range []string{"a.xml", "r/a.xml", "m/target/surefire-reports/TEST-a.xml", "x/y/m/target/surefire-reports/TEST-b.xml", ".git2/a.xml"} {
		files[name] = `<testsuite><testcase name="` + name + `"/></testsuite>`
	}
	b := newBed(t, files)
	for glob, want := range map[string]int{
		"*.xml": 1, "r/*.xml": 1, "./r/a.xml": 1, "**/*.xml": 5, "**/target/surefire-reports/TEST-*.xml": 2,
		"x/**": 1, "x/**/TEST-b.xml": 1, "**/**/a.xml": 3, "m/**/**/TEST-?.xml": 1, "r/[ab].xml": 1, "nothing/*.xml": 0,
	} {
		written := fmt.Sprintf("service: shop\ncommit: {jobs: {test: {steps: [make], reports: {junit: %q}}}}\n", glob)
		if _, problems := pipeline.Parse("andon.yaml", []byte(written), nil); len(problems) > 0 {
			t.Errorf("andon.yaml does not take %s: %s", glob, form.Format(problems))
		}
		result, log := b.run(b.reporting("true", glob))
		succeeded(t, result, log)
		switch {
		case want == 0 && (result.Tests != nil || !strings.Contains(log, "no test report matches")):
			t.Errorf("%s: tests %+v, log:\n%s", glob, result.Tests, log)
		case want > 0 && (result.Tests == nil || result.Tests.Passed != want):
			t.Errorf("%s: %+v, want %d tests", glob, result.Tests, want)
		}
	}
}

func TestReports_NeverLeadOutOfTheCheckout(t *testing.T) {
	b := newBed(t, nil)
	writeFiles(t, b.dir, map[string]string{"outside.xml": mixedReport})
	result, log := b.run(b.reporting("ln -s '"+b.dir+"/outside.xml' link.xml; ln -s '"+b.dir+"' out", "link.xml", "out/*.xml"))
	if result.Outcome != andon.Succeeded || result.Tests != nil && result.Tests.Failed > 0 {
		t.Errorf("result %+v\n%s", result, log)
	}
}

func TestReports_OfAnotherKindAreNamedAndSkipped(t *testing.T) {
	for name, content := range map[string]string{
		"entities":  `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>`,
		"coverage":  `<coverage line-rate="0.9"><packages/></coverage>`,
		"torn":      `<testsuite><testcase name="a"><failure>`,
		"no xml":    "PK\x03\x04",
		"too deep":  strings.Repeat("<testsuite>", 100) + strings.Repeat("</testsuite>", 100),
		"empty":     "",
		"encodings": `<?xml version="1.0" encoding="EBCDIC"?><testsuite/>`,
	} {
		b := newBed(t, map[string]string{"report.xml": content})
		result, log := b.run(b.reporting("true", "report.xml"))
		if result.Outcome != andon.Succeeded || !strings.Contains(log, "report.xml cannot be read") {
			t.Errorf("%s: %+v\n%s", name, result, log)
		}
	}
}

func TestReports_MayBeInLatin1(t *testing.T) {
	b := newBed(t, map[string]string{"report.xml": "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><testsuite><testcase name=\"caf\xe9\"><failure message=\"\xfcber\"/></testcase></testsuite>"})
	result, log := b.run(b.reporting("true", "report.xml"))
	if result.Tests == nil || len(result.Tests.Failures) != 1 || result.Tests.Failures[0].Name != "café" || result.Tests.Failures[0].Message != "über" {
		t.Errorf("result %+v\n%s", result.Tests, log)
	}
}

func TestReports_CarryAtMostSomeFailures(t *testing.T) {
	b := newBed(t, map[string]string{"report.xml": "<testsuite>" + strings.Repeat(`<testcase name="x"><error>`+strings.Repeat("é", 5000)+`</error></testcase>`, 70) + "</testsuite>"})
	result, _ := b.run(b.reporting("true", "report.xml"))
	if result.Tests.Failed != 70 || len(result.Tests.Failures) != andon.MaxTestFailures || result.Reason != "70 tests failed" {
		t.Errorf("%d failed, %d carried: %s", result.Tests.Failed, len(result.Tests.Failures), result.Reason)
	}
	if n := len(result.Tests.Failures[0].Message); n > 2100 {
		t.Errorf("a message has %d bytes", n)
	}
}
