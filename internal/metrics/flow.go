package metrics

import (
	"cmp"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Change is one commit's way into production, as Trace divided it.
type Change struct {
	andon.VersionRef
	Delivered time.Time
	Legs      []Leg
}

// Lead returns the change lead time: from the commit to production.
func (c *Change) Lead() time.Duration {
	if len(c.Legs) == 0 {
		return 0
	}
	return c.Legs[len(c.Legs)-1].To.Sub(c.Legs[0].From)
}

// Work returns how long of it somebody worked on the change.
func (c *Change) Work() (sum time.Duration) {
	for _, l := range c.Legs {
		if l.Cause == Work {
			sum += l.Took()
		}
	}
	return sum
}

// A Pass counts how versions leave a stage by their first run of it.
type Pass struct {
	First  int // that ended their first run of the stage, well or not
	Passed int // of these, those that passed
}

// A Flow is the value stream of many changes.
type Flow struct {
	Changes int
	Lead    time.Duration // median
	Work    time.Duration // median
	Steps   []Step        // in the order in which changes come through them
	total   Sum           // of the lead times
	work    Sum           // of the work
}

// A Step is a part of the value stream: a stage with what comes before it, or, with an empty
// Stage, the time in which no version carries the change.
type Step struct {
	Stage andon.StageName
	Work  Part
	Waits []Part // those that were not nothing, the longest first
	Pass  Pass
}

// A Part is how long changes were worked on in a step, or waited there for one thing.
type Part struct {
	Cause   Cause
	Changes int           // that had any of it
	Median  time.Duration // of all changes, those that had none of it too
	Total   Sum
	Share   float64 // of all the lead times: 0 to 1
}

// FlowOf adds up changes. Passes has how versions left the stages; a stage that it lacks has no
// such figure. The order of the steps is the one in which changes first reach them, so that of the
// pipeline.
func FlowOf(changes []Change, passes map[andon.StageName]Pass) Flow {
	var s Streams
	for i := range changes {
		s.Add(changes[i].VersionRef, changes[i].Delivered, changes[i].Portions())
	}
	all := make([]*stream, 0, len(changes))
	for i := range s.streams {
		all = append(all, &s.streams[i])
	}
	return s.flow(all, passes)
}

// ranked returns the stages in the order of their ranks; the time between versions comes last.
func ranked(rank map[andon.StageName]int) []andon.StageName {
	stages := make([]andon.StageName, 0, len(rank))
	for s := range rank {
		stages = append(stages, s)
	}
	slices.SortFunc(stages, func(a, b andon.StageName) int {
		if (a == "") != (b == "") {
			return cmp.Compare(len(b), len(a))
		}
		return cmp.Or(cmp.Compare(rank[a], rank[b]), cmp.Compare(a, b))
	})
	return stages
}

// part adds up one part of the streams, of the times of those changes that had any of it.
func (f *Flow) part(cause Cause, times []time.Duration) (p Part, some bool) {
	p = Part{Cause: cause, Changes: len(times), Total: total(times), Median: medianWith(times, f.Changes-len(times))}
	p.Share = p.Total.share(f.total)
	return p, p.Total != Sum{}
}

// Efficiency returns the flow efficiency: the share of the lead times in which somebody worked on
// the change, 0 to 1; false without any lead time. (Martin and Osterling, Value Stream Mapping,
// 2013: process time over lead time, there "activity ratio".)
func (f *Flow) Efficiency() (float64, bool) {
	return f.work.share(f.total), f.total != Sum{}
}

// CompleteAndAccurate returns the share of versions that leave a stage well by their first run of
// it, 0 to 1: "percent complete and accurate", by the same source. False when none left it yet.
func (p Pass) CompleteAndAccurate() (float64, bool) {
	if p.First == 0 {
		return 0, false
	}
	return float64(p.Passed) / float64(p.First), true
}

// Bottleneck returns the part in which most of the lead time goes, and its step; false without
// any lead time.
func (f *Flow) Bottleneck() (Step, Part, bool) {
	var step Step
	var most Part
	for _, s := range f.Steps {
		for _, p := range append([]Part{s.Work}, s.Waits...) {
			if p.Total.Compare(most.Total) > 0 {
				step, most = s, p
			}
		}
	}
	return step, most, most.Total != Sum{}
}
