package history

import (
	"cmp"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/andon-cd/andon/bench/past"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/metrics"
)

// madeUp returns the past of a small plant, in which things fail, are mended and rolled back.
func madeUp(t *testing.T) (events []andon.Event) {
	t.Helper()
	options := past.Options{Services: 8, Environments: 2, Events: 9_000, Start: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC), Every: 4 * time.Hour, Seed: 3}
	_, err := past.Make(options, func(more []andon.Event) error {
		for _, e := range more {
			e.Seq = andon.Seq(len(events) + 1)
			events = append(events, e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func opened(t *testing.T) *History {
	t.Helper()
	h, err := Open(t.Context(), filepath.Join(t.TempDir(), "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// figures are all that is computed of a period.
type allFigures struct {
	Measures metrics.Measures
	Rollouts []metrics.Rollout
	Flow     metrics.Flow
	All      int
	Passes   map[andon.StageName]metrics.Pass
	Lead     time.Duration
	Leads    int
	Today    Today
	Newest   []metrics.Change
	Records  metrics.Records
}

func figuresOf(t *testing.T, h *History, p Period) (f allFigures) {
	t.Helper()
	facts, err := h.Facts(t.Context(), p)
	check(t, err)
	f.Measures, f.Rollouts = metrics.MeasuresOf(facts), facts.Rollouts
	f.Flow, f.All, err = h.Flow(t.Context(), p)
	check(t, err)
	f.Passes, err = h.Passes(t.Context(), p)
	check(t, err)
	f.Lead, f.Leads, err = h.Lead(t.Context(), p)
	check(t, err)
	f.Today, err = h.Today(t.Context(), p.From)
	check(t, err)
	f.Newest, err = h.Changes(t.Context(), p, 20)
	check(t, err)
	f.Records, err = h.Records(t.Context(), p)
	check(t, err)
	f.Records.Facts = metrics.Facts{} // compared above
	// Two deployments may end in one moment: then neither is first.
	slices.SortStableFunc(f.Records.Deliveries, func(a, b metrics.Delivery) int {
		return cmp.Or(b.Ended.Compare(a.Ended), cmp.Compare(a.Deployment, b.Deployment))
	})
	slices.SortStableFunc(f.Rollouts, func(a, b metrics.Rollout) int {
		return 10*a.Ended.Compare(b.Ended) + map[bool]int{true: -1, false: 1}[a.Deployment < b.Deployment]
	})
	return f
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestNumbers_SayTheSameAsTheTables holds however they came into memory: with the events, at a
// start, or at a start in the middle of them; and for what was dropped because there was too much.
func TestNumbers_SayTheSameAsTheTables(t *testing.T) {
	t.Parallel()
	events := madeUp(t)
	h := opened(t)
	check(t, h.Prepare(t.Context()))
	for rest := events; len(rest) > 0; {
		n := min(700, len(rest))
		check(t, h.Apply(t.Context(), rest[:n]))
		if rest = rest[n:]; len(rest) < len(events)/2 && len(rest)+n >= len(events)/2 {
			check(t, h.Prepare(t.Context()))
		}
	}
	grown := h.numbers
	check(t, h.Prepare(t.Context()))
	read := h.numbers
	few := newNumbers(400)
	for _, load := range []func() error{
		func() error { return h.loadChanges(t.Context(), few) }, func() error { return h.loadRollouts(t.Context(), few) },
		func() error { return h.loadEnds(t.Context(), few) }, func() error { return h.loadCandidatures(t.Context(), few) },
		func() error { return h.loadStops(t.Context(), few) },
	} {
		check(t, load())
	}
	if few.floor.IsZero() || len(few.ends) > few.most || few.changes.Len() > few.most {
		t.Fatalf("nothing was dropped: %d ends, %d changes since %s", len(few.ends), few.changes.Len(), few.floor)
	}
	first, last := events[0].Time, events[len(events)-1].Time
	for _, p := range []Period{
		{Span: metrics.Span{From: first, To: last.Add(1)}},
		{Span: metrics.Span{From: first, To: last.Add(1)}, Service: "service-0003"},
		{Span: metrics.Span{From: last.Add(-20 * time.Hour), To: last.Add(1)}},
		{Span: metrics.Span{From: last.Add(-70 * time.Hour), To: last.Add(-9 * time.Hour)}, Service: "service-0007"},
		{Span: metrics.Span{From: first, To: last}, Service: "nobody"},
		{Span: metrics.Span{From: last.Add(time.Hour), To: last.Add(2 * time.Hour)}},
	} {
		h.numbers = nil
		want := figuresOf(t, h, p)
		if p.From.Equal(first) && p.Service == "" && (want.Measures.Failed == 0 || want.All == 0 || want.Today.Deployments == 0) {
			t.Fatalf("there is nothing to compare: %+v", want.Measures)
		}
		for how, numbers := range map[string]*numbers{"grown": grown, "read": read, "few": few} {
			h.numbers = numbers
			got, wanted := reflect.ValueOf(figuresOf(t, h, p)), reflect.ValueOf(want)
			for i := range got.NumField() {
				if a, b := got.Field(i).Interface(), wanted.Field(i).Interface(); !reflect.DeepEqual(a, b) {
					t.Errorf("%s, of %+v, %s:\n%.2000v\nnot\n%.2000v", how, p, got.Type().Field(i).Name, a, b)
				}
			}
		}
	}
	h.numbers = grown
	a, _ := h.Totals()
	h.numbers = read
	b, _ := h.Totals()
	if !reflect.DeepEqual(a, b) || len(a.Deployments) == 0 || a.Requests[0].Requests == 0 || a.Leads.Count == 0 {
		t.Errorf("the totals are\n%+v\nand, read again,\n%+v", a, b)
	}
}

// TestNumbers_NeverClaimWhatTheyDropped: cords that were pulled long ago and hang still are told by
// when they were pulled.
func TestNumbers_NeverClaimWhatTheyDropped(t *testing.T) {
	t.Parallel()
	n, at := newNumbers(4), time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	for i := range 6 {
		n.addEnd(stageEnd{at: nanos(at.Add(time.Duration(i) * time.Hour))})
	}
	floor := n.floor
	for i := range 5 {
		n.addStop(stopped{cord: andon.CordID(rune('a' + i)), Stop: metrics.Stop{Span: metrics.Span{From: at.Add(-time.Duration(10-i) * time.Hour)}}})
	}
	if floor.IsZero() || n.covers(Period{Span: metrics.Span{From: floor.Add(-1)}}) {
		t.Errorf("the numbers go back to %s, and ends before %s were dropped", n.floor, floor)
	}
}

// TestTotals_AddUpTheLeadTimesOfManyYears: a time.Duration ends at 292.
func TestTotals_AddUpTheLeadTimesOfManyYears(t *testing.T) {
	t.Parallel()
	sum, year := newTotals(), 365*24*time.Hour
	for range 1000 {
		sum.addLead(year)
	}
	if got := sum.leads.Sum.Seconds(); got != 1000*year.Seconds() {
		t.Errorf("the sum is %v s", got)
	}
}

// BenchmarkNumbers is what figures of a month cost, and what they take of memory.
func BenchmarkNumbers(b *testing.B) {
	n := newNumbers(mostNumbers)
	at := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	p := Period{Span: metrics.Span{From: at, To: at.Add(30 * 24 * time.Hour)}}
	portions := []metrics.Portion{{Stage: "commit", Took: 1}, {Stage: "commit", Cause: metrics.Agent, Took: 1}, {Stage: "test", Took: 1}, {Stage: "test", Cause: metrics.Lock, Took: 1}, {Stage: "production", Took: 1}, {Stage: "production", Cause: metrics.Approval, Took: 1}}
	for i := range 100_000 {
		at = at.Add(20 * time.Second)
		for j := range portions {
			portions[j].Took = time.Duration((i*7919 + j*104729) % 1_000_003)
		}
		n.addChange(andon.VersionRef{Service: "shop", Number: andon.VersionNumber(i)}, at, portions)
		n.addEnd(stageEnd{at: nanos(at), took: int64(i * 31 % 9973), stage: n.stages.of(andon.CommitStageName), first: true})
		n.addCandidature(candidature{at: nanos(at), took: int64(i * 17 % 9973)})
	}
	h := &History{numbers: n}
	b.Run("flow", func(b *testing.B) {
		for b.Loop() {
			_, _, _ = h.Flow(b.Context(), p)
		}
	})
	b.Run("measures", func(b *testing.B) {
		for b.Loop() {
			f, _ := h.Facts(b.Context(), p)
			metrics.MeasuresOf(f)
		}
	})
}
