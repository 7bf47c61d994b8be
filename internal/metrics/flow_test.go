package metrics

import (
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// change has legs of minutes, one after the other.
func change(number andon.VersionNumber, legs ...golden) Change {
	c := Change{VersionRef: andon.VersionRef{Service: "shop", Number: number}}
	for _, l := range legs {
		c.Legs = append(c.Legs, Leg{Span: span(l.from, l.to), Version: number, Stage: l.stage, Cause: l.cause})
	}
	return c
}

// TestFlowOf_IsTheArithmeticOfItsChanges has three changes of 30, 60 and 90 minutes, of which 12,
// 12 and 21 were work.
func TestFlowOf_IsTheArithmeticOfItsChanges(t *testing.T) {
	f := FlowOf([]Change{
		change(1, golden{"commit", Work, 0, 4, 1}, golden{"acceptance", Lock, 4, 20, 1}, golden{"acceptance", Work, 20, 26, 1},
			golden{"production", Approval, 26, 28, 1}, golden{"production", Work, 28, 30, 1}),
		change(2, golden{"commit", Agent, 0, 6, 2}, golden{"commit", Work, 6, 10, 2}, golden{"acceptance", Work, 10, 16, 2},
			golden{"production", Approval, 16, 58, 2}, golden{"production", Work, 58, 60, 2}),
		change(3, golden{"commit", Work, 0, 10, 3}, golden{"", Stopped, 10, 30, 0}, golden{"commit", Work, 30, 33, 3}, golden{"acceptance", Work, 33, 39, 3},
			golden{"production", Approval, 39, 88, 3}, golden{"production", Work, 88, 90, 3}),
	}, map[andon.StageName]Pass{"commit": {First: 4, Passed: 3}})
	if f.Changes != 3 || f.Lead != 60*time.Minute || f.Work != 12*time.Minute {
		t.Errorf("%d changes, lead time %s, work %s", f.Changes, f.Lead, f.Work)
	}
	if e, ok := f.Efficiency(); !ok || e != 45.0/180 {
		t.Errorf("flow efficiency %v, %v", e, ok)
	}
	type row struct {
		stage       andon.StageName
		cause       Cause
		changes     int
		median, sum time.Duration
	}
	want := []row{
		{"commit", Work, 3, 4 * time.Minute, 21 * time.Minute}, {"commit", Agent, 1, 0, 6 * time.Minute},
		{"acceptance", Work, 3, 6 * time.Minute, 18 * time.Minute}, {"acceptance", Lock, 1, 0, 16 * time.Minute},
		{"production", Work, 3, 2 * time.Minute, 6 * time.Minute}, {"production", Approval, 3, 42 * time.Minute, 93 * time.Minute},
		{"", Work, 0, 0, 0}, {"", Stopped, 1, 0, 20 * time.Minute},
	}
	var got []row
	for _, s := range f.Steps {
		for _, p := range append([]Part{s.Work}, s.Waits...) {
			got = append(got, row{s.Stage, p.Cause, p.Changes, p.Median, time.Duration(p.Total.Milliseconds()) * time.Millisecond})
			if share := p.Total.Seconds() / 60 / 180; p.Share != share {
				t.Errorf("%s %s has a share of %v, not %v", s.Stage, p.Cause, p.Share, share)
			}
		}
	}
	if len(got) != len(want) {
		t.Fatalf("the parts are %v", got)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("part %d is %v, not %v", i, got[i], want[i])
		}
	}
	if p, ok := f.Steps[0].Pass.CompleteAndAccurate(); !ok || p != 0.75 {
		t.Errorf("%v complete and accurate, %v", p, ok)
	}
	if says, want := f.Sentence(), "Most of the time to production, 52 %, is the wait for an approval of stage production: up to 42 min for half of the changes."; says != want {
		t.Errorf("it says %q", says)
	}
}

func TestFlowOf_SaysNothingOfNothing(t *testing.T) {
	f := FlowOf(nil, nil)
	if _, ok := f.Efficiency(); ok || f.Sentence() != "" || len(f.Steps) != 0 {
		t.Errorf("the flow of no changes is %+v", f)
	}
}

func TestShort(t *testing.T) {
	for took, want := range map[time.Duration]string{
		0: "0 ms", 900 * time.Millisecond: "900 ms", 12*time.Second + 340*time.Millisecond: "12.3 s",
		3*time.Minute + 20*time.Second: "3 min 20 s", 2 * time.Hour: "2 h", 26 * time.Hour: "1 d 2 h", -time.Minute: "-1 min",
	} {
		if got := Short(took); got != want {
			t.Errorf("%s is written %q, not %q", took, got, want)
		}
	}
}
