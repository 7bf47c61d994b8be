package metrics

import (
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/andon-cd/andon/internal/andon"
)

// TestMedian_IsTheMiddleOfTheSorted, with and without zeros that are not in the list.
func TestMedian_IsTheMiddleOfTheSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var times []time.Duration
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 40), 0, 60).Draw(t, "times") {
			times = append(times, time.Duration(n))
		}
		zeros := rapid.IntRange(0, 70).Draw(t, "zeros")
		sorted := append(slices.Clone(times), make([]time.Duration, zeros)...)
		slices.Sort(sorted)
		want := time.Duration(0)
		if n := len(sorted); n > 0 {
			want = sorted[(n-1)/2] + (sorted[n/2]-sorted[(n-1)/2])/2
		}
		if got := medianWith(times, zeros); got != want {
			t.Fatalf("the median of %v is %d, not %d", sorted, got, want)
		}
	})
}

// TestStreams_FlowAsTheirChangesDo, in whatever order they come, of any span, service and number.
func TestStreams_FlowAsTheirChangesDo(t *testing.T) {
	stages, causes := []andon.StageName{"commit", "acceptance", "", "production"}, append(Causes(), Work)
	rapid.Check(t, func(t *rapid.T) {
		var all []Change
		var s Streams
		for n := range rapid.IntRange(0, 30).Draw(t, "changes") {
			c := Change{VersionRef: andon.VersionRef{Service: rapid.SampledFrom([]andon.ServiceName{"shop", "cart"}).Draw(t, "service"), Number: andon.VersionNumber(n)}}
			at := start
			for range rapid.IntRange(0, 6).Draw(t, "legs") {
				to := at.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "took")) * time.Minute)
				c.Legs = append(c.Legs, Leg{Span: Span{at, to}, Stage: rapid.SampledFrom(stages).Draw(t, "stage"), Cause: rapid.SampledFrom(causes).Draw(t, "cause")})
				at = to
			}
			c.Delivered = minute(rapid.IntRange(0, 100).Draw(t, "delivered"))
			all = append(all, c)
			s.Add(c.VersionRef, c.Delivered, c.Portions())
		}
		if rapid.Bool().Draw(t, "forgets") {
			from := minute(rapid.IntRange(0, 50).Draw(t, "before"))
			s.Forget(from)
			all = slices.DeleteFunc(all, func(c Change) bool { return c.Delivered.Before(from) })
		}
		p := span(rapid.IntRange(0, 60).Draw(t, "from"), rapid.IntRange(40, 101).Draw(t, "to"))
		service := rapid.SampledFrom([]andon.ServiceName{"", "shop", "nobody"}).Draw(t, "only")
		n := rapid.IntRange(1, 20).Draw(t, "at most")
		slices.SortFunc(all, func(a, b Change) int { return 1000*b.Delivered.Compare(a.Delivered) + int(b.Number-a.Number) })
		var want []Change
		for _, c := range all {
			if !c.Delivered.Before(p.From) && c.Delivered.Before(p.To) && (service == "" || service == c.Service) {
				want = append(want, c)
			}
		}
		passes := map[andon.StageName]Pass{"commit": {First: 2, Passed: 1}}
		got, count := s.Flow(p, service, n, passes)
		if flow := FlowOf(want[:min(n, len(want))], passes); !reflect.DeepEqual(got, flow) || count != len(want) {
			t.Fatalf("the flow of %d changes is %+v, not that of %d: %+v", count, got, len(want), flow)
		}
		newest := s.Newest(p, service, n)
		for i, ref := range newest {
			if ref != want[i].VersionRef {
				t.Fatalf("change %d is %s, not %s", i, ref, want[i].VersionRef)
			}
		}
		if len(newest) != min(n, len(want)) || len(s.Leads(p, service)) != len(want) {
			t.Fatalf("%d newest, %d lead times of %d", len(newest), len(s.Leads(p, service)), len(want))
		}
	})
}

// TestStreams_TakeRoomForWhatThereIs: the stages of one service are not those of another, so most
// changes have nothing of most parts.
func TestStreams_TakeRoomForWhatThereIs(t *testing.T) {
	var s Streams
	var all []*stream
	for n := range 1000 {
		stage := andon.StageName("stage-" + strconv.Itoa(n))
		s.Add(andon.VersionRef{Service: "shop", Number: andon.VersionNumber(n)}, minute(n), []Portion{{Stage: stage, Took: 1}, {Stage: stage, Cause: Lock, Took: 1}})
	}
	for i := range s.streams {
		all = append(all, &s.streams[i])
	}
	room, sum := 0, s.summing(all)
	for _, c := range all {
		sum.add(&s, c)
	}
	for _, times := range sum.parts {
		room += cap(times)
	}
	if room != 2*len(all) {
		t.Errorf("there is room for %d portions of %d", room, 2*len(all))
	}
}
