package runner_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestReports_ThatAreNoFilesHoldNobodyUp(t *testing.T) {
	b := newBed(t, map[string]string{"good.xml": `<testsuite><testcase name="a"/></testsuite>`})
	result, log := b.run(b.reporting("mkfifo pipe.xml; mkdir dir.xml; ln -s pipe.xml link.xml; ln -s loop.xml loop.xml", "*.xml"))
	succeeded(t, result, log)
	if result.Tests == nil || result.Tests.Passed != 1 {
		t.Errorf("tests %+v", result.Tests)
	}
	for _, name := range []string{"pipe.xml", "link.xml", "loop.xml"} {
		if !strings.Contains(log, name+" cannot be read") {
			t.Errorf("%s is not named:\n%s", name, log)
		}
	}
}

func TestReports_AreReadUpToALimitOfBytes(t *testing.T) {
	b := newBed(t, nil)
	// Sparse files: they have a size and no content.
	script := `echo '<testsuite><testcase name="a"/></testsuite>' > a.xml
truncate -s 65M big.xml
for i in 1 2 3 4 5; do truncate -s 60M "r$i.xml"; done`
	result, log := b.run(b.reporting(script, "*.xml"))
	succeeded(t, result, log)
	for _, want := range []string{"big.xml cannot be read: it has more than 67108864 bytes", "r4.xml cannot be read: it is not JUnit", "r5.xml cannot be read: the reports of the job have more than"} {
		if !strings.Contains(log, want) {
			t.Errorf("log misses %q:\n%s", want, log)
		}
	}
}

func TestReports_KeepLittleOfWhatIsLong(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	b := newBed(t, map[string]string{"r.xml": fmt.Sprintf(`<testsuite><testcase name="%s" classname="%s" file="%s"><failure message="%s"/></testcase></testsuite>`, long, long, long, long)})
	result, _ := b.run(b.reporting("true", "r.xml"))
	if result.Tests == nil || len(result.Tests.Failures) != 1 {
		t.Fatalf("tests %+v", result.Tests)
	}
	if f := result.Tests.Failures[0]; len(f.Name) > 510 || len(f.File) > 510 || len(f.Message) > 2010 || !strings.HasSuffix(f.Name, "éé…") {
		t.Errorf("a name of %d bytes, a file of %d, a message of %d", len(f.Name), len(f.File), len(f.Message))
	}
}

func TestReports_InTheFormsThatRealToolsWrite(t *testing.T) {
	for name, tt := range map[string]struct {
		report string
		want   andon.TestSummary
	}{
		"a mark of the byte order": {"\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<testsuites><testsuite><testcase name='a'/></testsuite></testsuites>", andon.TestSummary{Passed: 1}},
		"colours of a terminal":    {"<testsuite><testcase name='a'><failure message='\x1b[31mred\x1b[0m'/><system-out>\x00\x07</system-out></testcase><testcase name='b'/></testsuite>", andon.TestSummary{Passed: 1, Failed: 1}},
		"CDATA and a DOCTYPE":      {"<!DOCTYPE testsuite><testsuite><system-out><![CDATA[<testcase>]]></system-out><testcase name='a'><error><![CDATA[a < b]]></error></testcase></testsuite>", andon.TestSummary{Failed: 1}},
		"a disabled GoogleTest":    {`<testsuites disabled="1"><testsuite><testcase name="DISABLED_a" status="notrun" result="suppressed" time="0."/><testcase name="b" status="run"/></testsuite></testsuites>`, andon.TestSummary{Passed: 1, Skipped: 1}},
		"a failure tried again":    {`<testsuite><testcase name="a"><failure message="1"/><rerunFailure message="2"/><rerunError/></testcase><testcase name="b"><flakyError/><system-err/></testcase></testsuite>`, andon.TestSummary{Passed: 1, Failed: 1, Flaky: 1}},
		"a failure and an error":   {`<testsuite><testcase name="a"><failure/><error/></testcase></testsuite>`, andon.TestSummary{Failed: 1}},
		"a name space":             {`<testsuite xmlns="urn:x" xmlns:xsi="urn:y" xsi:noNamespaceSchemaLocation="z"><testcase name="a"/></testsuite>`, andon.TestSummary{Passed: 1}},
		"times of all kinds":       {`<testsuite time="Infinity"><testcase time="NaN"/><testcase time="1,234.5"/><testcase time="-1"/><testcase time="Inf"/><testcase time=""/></testsuite>`, andon.TestSummary{Passed: 5, Duration: 1_234_500_000_000}},
		"times without end":        {"<testsuite>" + strings.Repeat(`<testcase time="999999999"/>`, 20) + "</testsuite>", andon.TestSummary{Passed: 20, Duration: math.MaxInt64}},
		"wrong counts":             {`<testsuite tests="9" failures="9" errors="9"><testcase name="a"/></testsuite>`, andon.TestSummary{Passed: 1}},
		"a torn end":               {`<testsuite><testcase name="a"><failure/></testcase><testcase name="b"`, andon.TestSummary{Failed: 1}},
	} {
		b := newBed(t, map[string]string{"r.xml": tt.report})
		result, log := b.run(b.reporting("true", "r.xml"))
		if result.Tests == nil {
			t.Errorf("%s: no tests\n%s", name, log)
			continue
		}
		got := *result.Tests
		got.Failures = nil
		if got.Passed != tt.want.Passed || got.Failed != tt.want.Failed || got.Skipped != tt.want.Skipped || got.Flaky != tt.want.Flaky || got.Duration != tt.want.Duration {
			t.Errorf("%s: %+v, want %+v\n%s", name, got, tt.want, log)
		}
	}
}
