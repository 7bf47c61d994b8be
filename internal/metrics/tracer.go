package metrics

import (
	"slices"
	"sort"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A tracer walks along a course. What it has passed is in its legs.
type tracer struct {
	course  Course // its stops in order, apart from each other
	inOrder bool   // its versions were pushed in the order of the trunk
	at      time.Time
	legs    []Leg
}

// pass goes on to a time, no further than to the delivery, by a leg like this one. A leg of the
// same kind as the last one makes that longer.
func (t *tracer) pass(to time.Time, leg Leg) {
	to = earlier(to, t.course.Delivered)
	if !t.at.Before(to) {
		return
	}
	leg.Span = Span{From: t.at, To: to}
	t.at = to
	if n := len(t.legs); n > 0 {
		last := &t.legs[n-1]
		if last.Version == leg.Version && last.Stage == leg.Stage && last.Cause == leg.Cause {
			last.To = to
			return
		}
	}
	t.legs = append(t.legs, leg)
}

// ride goes along with a version until it ends.
func (t *tracer) ride(w *Way) {
	until := t.course.Delivered
	if !w.Ended.IsZero() {
		until = earlier(until, w.Ended)
	}
	for i := range w.Visits {
		v := &w.Visits[i]
		t.await(w, v.Stage, earlier(v.Started, until))
		finished := v.Finished
		if finished.IsZero() {
			finished = until
		}
		t.visit(w, v, earlier(finished, until))
	}
	t.await(w, w.next(), until)
}

// visit goes through a stage: what no agent worked at then waited for one.
func (t *tracer) visit(w *Way, v *Visit, until time.Time) {
	for _, work := range union(v.Work, Span{From: t.at, To: until}) {
		t.pass(work.From, Leg{Version: w.Version, Stage: v.Stage, Cause: Agent})
		t.pass(work.To, Leg{Version: w.Version, Stage: v.Stage, Cause: Work})
	}
	t.pass(until, Leg{Version: w.Version, Stage: v.Stage, Cause: Agent})
}

// await waits before a stage. The gates are those of the line, in its order: approval, the cord,
// the place.
func (t *tracer) await(w *Way, stage andon.StageName, until time.Time) {
	if w.approves(stage) {
		t.pass(earlier(w.admitted(stage, t.at, until), until), Leg{Version: w.Version, Stage: stage, Cause: Approval})
	}
	t.idle(until, Leg{Version: w.Version, Stage: stage, Cause: Lock})
}

// idle waits by a leg like this one, or because the line stood.
func (t *tracer) idle(until time.Time, leg Leg) {
	stops := t.course.Stopped
	first := sort.Search(len(stops), func(i int) bool { return stops[i].To.After(t.at) })
	for _, stop := range stops[first:] {
		if !stop.From.Before(until) {
			break
		}
		t.pass(stop.From, leg)
		t.pass(earlier(stop.To, until), Leg{Version: leg.Version, Stage: leg.Stage, Cause: Stopped})
	}
	t.pass(until, leg)
}

// change waits for the version that carries the change on after one that ended, and returns its
// index: that of none, if there is none.
func (t *tracer) change(from int) int {
	next := t.successor(from)
	if next < len(t.course.Ways) {
		t.idle(t.course.Ways[next].Created, Leg{Cause: Fix})
	}
	return next
}

// successor returns the index of the version that superseded one, or else of the first to be pushed
// of those that are not over yet.
func (t *tracer) successor(from int) int {
	ways := t.course.Ways
	if by := ways[from].By; by != 0 {
		if i := slices.IndexFunc(ways[from+1:], func(w Way) bool { return w.Version == by }); i >= 0 {
			return from + 1 + i
		}
	}
	next := len(ways)
	for i := from + 1; i < len(ways) && (next == len(ways) || !t.inOrder); i++ {
		w := &ways[i]
		over := !w.Ended.IsZero() && !w.Ended.After(t.at)
		if !over && (next == len(ways) || w.Created.Before(ways[next].Created)) {
			next = i
		}
	}
	return next
}

// next returns the stage that a version goes to after its last visit.
func (w *Way) next() andon.StageName {
	if len(w.Visits) == 0 || w.Pipeline == nil {
		return andon.CommitStageName
	}
	last := &w.Visits[len(w.Visits)-1]
	if last.Outcome != andon.Succeeded {
		return last.Stage
	}
	i := 0
	if last.Stage != andon.CommitStageName {
		_, at, _ := w.Pipeline.Stage(last.Stage)
		i = at + 1
	}
	if i < len(w.Pipeline.Stages) {
		return w.Pipeline.Stages[i].Name
	}
	return last.Stage
}

// approves reports whether a person must let the version into a stage.
func (w *Way) approves(stage andon.StageName) bool {
	if w.Pipeline == nil {
		return false
	}
	st, _, ok := w.Pipeline.Stage(stage)
	return ok && st.Approval != nil
}

// admitted returns when the version was let into a stage, of the times from one to another; until
// the latter it was not, if there is none.
func (w *Way) admitted(stage andon.StageName, from, until time.Time) time.Time {
	for _, a := range w.Admissions {
		if a.Stage == stage && !a.At.After(until) {
			return later(a.At, from)
		}
	}
	return until
}
