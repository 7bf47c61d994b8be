package metrics

import (
	"math"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func TestSum_GoesOnWhereADurationEnds(t *testing.T) {
	long := []time.Duration{math.MaxInt64, math.MaxInt64, 3 * time.Millisecond, math.MaxInt64 - 1}
	one := time.Duration(math.MaxInt64)
	if got, want := total(long).Milliseconds(), 3*(int64(one)/1e6)+3+2; got != want {
		t.Errorf("the sum is %d ms, not %d", got, want)
	}
	if s := total(long[:1]).share(total(long[:2])); s != 0.5 {
		t.Errorf("one is %v of two", s)
	}
	if total(nil).share(total(nil)) != 0 || total(long).Compare(total(long[:1])) != 1 || total(long[:1]).Compare(total(long[1:2])) != 0 {
		t.Error("sums do not compare")
	}
}

// TestFlowOf_AddsUpWhatALargePlantWaits has 1,000 changes that waited a year each for an approval,
// and were worked on for a day.
func TestFlowOf_AddsUpWhatALargePlantWaits(t *testing.T) {
	year := 365 * day
	var changes []Change
	for n := range 1000 {
		c := Change{VersionRef: andon.VersionRef{Service: "shop", Number: andon.VersionNumber(n)}, Delivered: start.Add(year + day)}
		c.Legs = []Leg{
			{Span: Span{start, start.Add(year)}, Stage: "production", Cause: Approval},
			{Span: Span{start.Add(year), start.Add(year + day)}, Stage: "production"},
		}
		changes = append(changes, c)
	}
	f := FlowOf(changes, nil)
	if e, ok := f.Efficiency(); !ok || e != 1.0/366 {
		t.Errorf("the flow efficiency is %v, %v", e, ok)
	}
	if _, part, ok := f.Bottleneck(); !ok || part.Cause != Approval || part.Share != 365.0/366 || part.Total.Milliseconds() != 1000*year.Milliseconds() {
		t.Errorf("the bottleneck is %+v, %v", part, ok)
	}
}

func TestMeasuresOf_AddsUpLinesThatStandForYears(t *testing.T) {
	f := Facts{Period: Span{From: start, To: start.Add(365 * day)}}
	for range 1000 {
		f.Stops = append(f.Stops, Stop{Span: f.Period, Cause: StopStage})
	}
	if m := MeasuresOf(f); m.StoodStill < 200*365*day || m.StoodStillFor[StopStage] != m.StoodStill {
		t.Errorf("the lines stood still for %s", m.StoodStill)
	}
}
