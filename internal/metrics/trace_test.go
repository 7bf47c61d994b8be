package metrics

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/andon-cd/andon/internal/andon"
)

// start is a Monday morning.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

func span(from, to int) Span { return Span{From: minute(from), To: minute(to)} }

// shop has a commit stage, acceptance in test and, with an approval, production.
var shop = &andon.Pipeline{Stages: []andon.Stage{
	{Name: "acceptance", Deploy: "test"},
	{Name: "production", Deploy: "production", Approval: &andon.Approval{}},
}}

type golden struct {
	stage    andon.StageName
	cause    Cause
	from, to int
	version  andon.VersionNumber
}

func check(t *testing.T, c Course, want []golden) {
	t.Helper()
	legs := Trace(c)
	for i, l := range legs {
		if i >= len(want) {
			t.Errorf("one leg too many: %+v", l)
			continue
		}
		w := Leg{Span: span(want[i].from, want[i].to), Version: want[i].version, Stage: want[i].stage, Cause: want[i].cause}
		if l != w {
			t.Errorf("leg %d is %+v, not %+v", i, l, w)
		}
	}
	if len(legs) < len(want) {
		t.Errorf("%d legs, not %d", len(legs), len(want))
	}
}

func TestTrace_DividesTheWayOfAVersionThatGoesThrough(t *testing.T) {
	check(t, Course{
		Committed: minute(0), Delivered: minute(100),
		Stopped: []Span{span(55, 75)},
		Ways: []Way{{
			Version: 1, Created: minute(5), Pipeline: shop,
			Visits: []Visit{
				{Stage: "commit", Started: minute(5), Finished: minute(12), Outcome: andon.Succeeded, Work: []Span{span(7, 10), span(9, 12)}},
				{Stage: "acceptance", Started: minute(15), Finished: minute(30), Outcome: andon.Succeeded, Work: []Span{span(15, 20), span(22, 30)}},
				{Stage: "production", Started: minute(80), Work: []Span{span(80, 100)}},
			},
			Admissions: []Admission{{"production", minute(50)}},
		}},
	}, []golden{
		{"commit", Push, 0, 5, 1},
		{"commit", Agent, 5, 7, 1},
		{"commit", Work, 7, 12, 1},
		{"acceptance", Lock, 12, 15, 1},
		{"acceptance", Work, 15, 20, 1},
		{"acceptance", Agent, 20, 22, 1},
		{"acceptance", Work, 22, 30, 1},
		{"production", Approval, 30, 50, 1},
		{"production", Lock, 50, 55, 1},
		{"production", Stopped, 55, 75, 1},
		{"production", Lock, 75, 80, 1},
		{"production", Work, 80, 100, 1},
	})
}

func TestTrace_FollowsAChangeThroughTheVersionsThatCarryIt(t *testing.T) {
	commit := func(from, to int, outcome andon.Outcome) Visit {
		return Visit{Stage: "commit", Started: minute(from), Finished: minute(to), Outcome: outcome, Work: []Span{span(from, to)}}
	}
	check(t, Course{
		Committed: minute(0), Delivered: minute(60),
		Stopped: []Span{span(5, 22)},
		Ways: []Way{
			{Version: 1, Created: minute(0), Ended: minute(5), Pipeline: shop, Visits: []Visit{commit(0, 5, andon.Failed)}},
			// Nothing carries the change from 5 to 20: the line stands, and the repair comes as version 2.
			{Version: 2, Created: minute(20), Ended: minute(40), By: 4, Pipeline: shop, Visits: []Visit{commit(20, 30, andon.Succeeded)}},
			{Version: 3, Created: minute(25), Ended: minute(28), Pipeline: shop, Visits: []Visit{commit(25, 28, andon.Failed)}},
			{Version: 4, Created: minute(30), Pipeline: shop, Visits: []Visit{
				commit(30, 38, andon.Succeeded),
				{Stage: "acceptance", Started: minute(40), Finished: minute(50), Outcome: andon.Succeeded, Work: []Span{span(40, 50)}},
				{Stage: "production", Started: minute(55), Work: []Span{span(55, 60)}},
			}, Admissions: []Admission{{"production", minute(55)}}},
		},
	}, []golden{
		{"commit", Work, 0, 5, 1},
		{"", Stopped, 5, 20, 0},
		{"commit", Work, 20, 30, 2},
		{"acceptance", Lock, 30, 40, 2},
		{"acceptance", Work, 40, 50, 4},
		{"production", Approval, 50, 55, 4},
		{"production", Work, 55, 60, 4},
	})
}

func TestTrace_WaitsForARepairWhenTheLineRuns(t *testing.T) {
	check(t, Course{
		Committed: minute(3), Delivered: minute(30),
		Ways: []Way{
			{Version: 1, Created: minute(0), Ended: minute(5), Pipeline: shop},
			{Version: 2, Created: minute(20), Pipeline: shop, Visits: []Visit{{Stage: "commit", Started: minute(20), Work: []Span{span(20, 30)}}}},
		},
	}, []golden{
		{"commit", Lock, 0, 5, 1}, // by the clocks it was pushed before it was committed
		{"", Fix, 5, 20, 0},
		{"commit", Work, 20, 30, 2},
	})
}

func TestTrace_BeginsWithThePushOfACommitThatTellsNoTime(t *testing.T) {
	check(t, Course{
		Delivered: minute(30),
		Ways:      []Way{{Version: 1, Created: minute(10), Pipeline: shop, Visits: []Visit{{Stage: "commit", Started: minute(10), Work: []Span{span(10, 30)}}}}},
	}, []golden{{"commit", Work, 10, 30, 1}})
}

// TestTrace_LosesNoTime holds for whatever is recorded, in whatever order: wait and work are the
// lead time.
func TestTrace_LosesNoTime(t *testing.T) {
	stages := []andon.StageName{"commit", "acceptance", "production", "gone"}
	outcomes := []andon.Outcome{andon.Succeeded, andon.Failed, andon.Cancelled, ""}
	rapid.Check(t, func(t *rapid.T) {
		at := func(what string) time.Time {
			return start.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, what)) * 7 * time.Millisecond)
		}
		spans := func(what string) (all []Span) {
			for range rapid.IntRange(0, 3).Draw(t, what) {
				all = append(all, Span{From: at(what), To: at(what)})
			}
			return all
		}
		c := Course{Committed: at("committed"), Stopped: spans("stops")}
		for n := range rapid.IntRange(1, 5).Draw(t, "ways") {
			w := Way{Version: andon.VersionNumber(n + 1), Created: at("created"), By: andon.VersionNumber(rapid.IntRange(0, 6).Draw(t, "by"))}
			if rapid.Bool().Draw(t, "ends") {
				w.Ended = at("ended")
			}
			if rapid.Bool().Draw(t, "has a pipeline") {
				w.Pipeline = shop
			}
			for range rapid.IntRange(0, 4).Draw(t, "visits") {
				w.Visits = append(w.Visits, Visit{
					Stage: rapid.SampledFrom(stages).Draw(t, "stage"), Started: at("started"), Finished: at("finished"),
					Outcome: rapid.SampledFrom(outcomes).Draw(t, "outcome"), Work: spans("work"),
				})
			}
			for range rapid.IntRange(0, 2).Draw(t, "admissions") {
				w.Admissions = append(w.Admissions, Admission{Stage: "production", At: at("admitted")})
			}
			c.Ways = append(c.Ways, w)
		}
		begun := earlier(c.Committed, c.Ways[0].Created)
		c.Delivered = later(begun, at("delivered"))
		var sum time.Duration
		for i, l := range Trace(c) {
			if l.Took() <= 0 {
				t.Fatalf("leg %d takes %s", i, l.Took())
			}
			if !l.From.Equal(begun.Add(sum)) {
				t.Fatalf("leg %d begins at %s, not at %s", i, l.From, begun.Add(sum))
			}
			sum += l.Took()
		}
		if want := c.Delivered.Sub(begun); sum != want {
			t.Fatalf("the legs take %s of %s", sum, want)
		}
	})
}

// BenchmarkTrace divides the lead times of what one deployment brings at most: a thousand versions, of
// which each failed and stopped the line, but for the last.
func BenchmarkTrace(b *testing.B) {
	const versions = 1000
	c := Course{Delivered: minute(10 * versions)}
	for n := range versions {
		begin, end := 10*n, 10*n+5
		c.Ways = append(c.Ways, Way{
			Version: andon.VersionNumber(n + 1), Created: minute(begin), Ended: minute(end), Pipeline: shop,
			Visits: []Visit{{Stage: "commit", Started: minute(begin), Finished: minute(end), Outcome: andon.Failed, Work: []Span{span(begin, end)}}},
		})
		c.Stopped = append(c.Stopped, span(end, end+5))
	}
	c.Ways[versions-1].Ended = time.Time{}
	for b.Loop() {
		for i := range c.Ways {
			Trace(Course{Committed: c.Ways[i].Created, Delivered: c.Delivered, Ways: c.Ways[i:], Stopped: c.Stopped})
		}
	}
}
