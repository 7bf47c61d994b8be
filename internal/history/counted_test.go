package history

import (
	"slices"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/metrics"
)

// TestCounted_IsWhatTheMeasuresCount: what a list names, added up, is the figure.
func TestCounted_IsWhatTheMeasuresCount(t *testing.T) {
	t.Parallel()
	events := madeUp(t)
	h := opened(t)
	check(t, h.Apply(t.Context(), events))
	begin, end := events[0].Time, events[len(events)-1].Time.Add(time.Hour)
	third := end.Sub(begin) / 3
	seen := 0
	for _, p := range []Period{
		{Span: metrics.Span{From: begin, To: begin.Add(third)}},
		{Span: metrics.Span{From: begin.Add(third), To: begin.Add(2 * third)}},
		{Span: metrics.Span{From: begin, To: end}, Service: "service-0001"},
		{Span: metrics.Span{From: end, To: end.Add(time.Hour)}},
	} {
		facts, err := h.storedFacts(t.Context(), p)
		check(t, err)
		candidates, err := h.Candidatures(t.Context(), p, MaxPage)
		check(t, err)
		took := make([]time.Duration, 0, len(candidates))
		for _, c := range candidates {
			took = append(took, c.Took)
		}
		if !slices.Equal(sorted(took), sorted(facts.Candidates)) {
			t.Errorf("%v: %d candidates, not %d", p, len(took), len(facts.Candidates))
		}
		ends, err := h.CommitEnds(t.Context(), p, MaxPage)
		check(t, err)
		took = took[:0]
		var commits []time.Duration
		for _, e := range ends {
			took = append(took, e.Took)
		}
		for _, c := range facts.Commits {
			commits = append(commits, c.Took)
		}
		if !slices.Equal(sorted(took), sorted(commits)) {
			t.Errorf("%v: %d commit stages, not %d", p, len(took), len(commits))
		}
		cords, err := h.CordsIn(t.Context(), p, MaxPage)
		check(t, err)
		var stood time.Duration
		for _, c := range cords {
			part, _ := metrics.Span{From: c.Pulled, To: c.Pulled.Add(c.Stopped(p.To))}.Within(p.Span)
			stood += part.Took()
		}
		if want := metrics.MeasuresOf(facts).StoodStill; stood != want {
			t.Errorf("%v: lines stood %s, not %s", p, stood, want)
		}
		seen += len(candidates) * len(ends) * len(cords)
	}
	if seen == 0 {
		t.Error("nothing was counted")
	}
}

func sorted(all []time.Duration) []time.Duration {
	all = slices.Clone(all)
	slices.Sort(all)
	return all
}
