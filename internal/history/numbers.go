package history

import (
	"maps"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/metrics"
)

// Numbers are what figures are computed from, kept in memory in the order of their times, so that
// a page does no work for each of them that was done when it was recorded. They say the same as the
// tables, of the time since a floor.
//
// A change takes about 150 bytes, a deployment to production 270, the end of a stage 32, and a
// version that became release candidate 24.
type numbers struct {
	most     int       // of each kind; beyond it the older half is dropped
	floor    time.Time // what ended before it was dropped; zero: nothing was
	changes  metrics.Streams
	rollouts []*rollout
	byID     map[andon.DeploymentID]*rollout
	ends     []stageEnd
	earned   []candidature
	stops    []stopped
	services numbering[andon.ServiceName]
	stages   numbering[andon.StageName]
	totals   totals
}

// mostNumbers bounds the numbers of each kind.
const mostNumbers = 500_000

// A rollout is a row of the table of that name.
type rollout struct {
	name    andon.ServiceName
	service uint32
	metrics.Rollout
	grounds metrics.Grounds
	lost    int64 // requests, up to the next one
}

// A stageEnd is the end of a run of a stage by itself: none that was cancelled or superseded.
type stageEnd struct {
	at, took int64 // in nanoseconds
	service  uint32
	stage    uint32
	first    bool // it was the first run
	passed   bool
	slow     bool
}

// A candidature says how long a version took to become release candidate.
type candidature struct {
	at, took int64 // in nanoseconds
	service  uint32
}

// A stopped line stood because of a cord.
type stopped struct {
	metrics.Stop // To is zero while it stands
	cord         andon.CordID
	service      andon.ServiceName // empty: all of them, or those of an environment
}

// A numbering gives small numbers to names.
type numbering[T comparable] struct{ numbers map[T]uint32 }

func (n *numbering[T]) of(name T) uint32 {
	i, known := n.numbers[name]
	if !known {
		if n.numbers == nil {
			n.numbers = make(map[T]uint32)
		}
		i = uint32(len(n.numbers)) //nolint:gosec // there are fewer names
		n.numbers[name] = i
	}
	return i
}

// covers reports whether the numbers say everything of a period.
func (n *numbers) covers(p Period) bool { return n != nil && !p.From.Before(n.floor) }

// insert puts a row into those that are in the order of a time, mostly at the end.
func insert[T any](rows []T, row T, at func(*T) int64) []T {
	i, t := len(rows), at(&row)
	if i > 0 && at(&rows[i-1]) > t {
		i = sort.Search(len(rows), func(i int) bool { return at(&rows[i]) > t })
	}
	return slices.Insert(rows, i, row)
}

// between returns the rows of a period.
func between[T any](rows []T, p Period, at func(*T) int64) []T {
	from, to := nanos(p.From), nanos(p.To)
	lo := sort.Search(len(rows), func(i int) bool { return at(&rows[i]) >= from })
	hi := sort.Search(len(rows), func(i int) bool { return at(&rows[i]) >= to })
	return rows[lo:max(lo, hi)]
}

func when(r **rollout) int64       { return nanos((*r).Ended) }
func (e *stageEnd) when() int64    { return e.at }
func (c *candidature) when() int64 { return c.at }

func (n *numbers) addChange(v andon.VersionRef, delivered time.Time, portions []metrics.Portion) {
	n.changes.Add(v, delivered, portions)
	n.bound(n.changes.Len(), func(i int) time.Time { return n.changes.Delivered(i) })
}

func (n *numbers) addRollout(r *rollout) {
	n.rollouts = insert(n.rollouts, r, when)
	n.byID[r.Deployment] = r
	n.bound(len(n.rollouts), func(i int) time.Time { return n.rollouts[i].Ended })
}

func (n *numbers) addEnd(e stageEnd) {
	n.ends = insert(n.ends, e, (*stageEnd).when)
	n.bound(len(n.ends), func(i int) time.Time { return time.Unix(0, n.ends[i].at).UTC() })
}

func (n *numbers) addCandidature(c candidature) {
	n.earned = insert(n.earned, c, (*candidature).when)
	n.bound(len(n.earned), func(i int) time.Time { return time.Unix(0, n.earned[i].at).UTC() })
}

func (n *numbers) addStop(s stopped) {
	n.stops = slices.DeleteFunc(n.stops, func(o stopped) bool { return o.cord == s.cord })
	n.stops = append(n.stops, s)
	n.bound(len(n.stops), func(i int) time.Time { return n.stops[i].From })
}

// bound drops what is older than the middle of a kind of which there are too many.
func (n *numbers) bound(count int, at func(i int) time.Time) {
	if count > n.most {
		n.forget(at(count / 2))
	}
}

// forget drops everything that ended before a time. What still counts later stays.
func (n *numbers) forget(before time.Time) {
	if before.After(n.floor) { // stops are told by when they began, which may be long ago
		n.floor = before
	}
	p := Period{Span: metrics.Span{From: before, To: time.Unix(0, math.MaxInt64)}}
	n.changes.Forget(before)
	n.rollouts = slices.Clone(between(n.rollouts, p, when))
	maps.DeleteFunc(n.byID, func(_ andon.DeploymentID, r *rollout) bool { return r.Ended.Before(before) })
	n.ends = slices.Clone(between(n.ends, p, (*stageEnd).when))
	n.earned = slices.Clone(between(n.earned, p, (*candidature).when))
	n.stops = slices.DeleteFunc(n.stops, func(s stopped) bool { return !s.To.IsZero() && s.To.Before(before) })
}

// judge notes what became of a rollout; see recorder.judgeRollouts.
func (n *numbers) judge(id andon.DeploymentID, failed, rework bool, recovered time.Time) {
	r := n.byID[id]
	if r == nil {
		return
	}
	r.Failed, r.Rework = r.Failed || failed, r.Rework || rework
	if r.Recovered.IsZero() {
		r.Recovered = recovered
	}
}

// lose notes how many requests a deployment lost, if it was one to production that has ended.
func (n *numbers) lose(id andon.DeploymentID, lost int64) {
	if r := n.byID[id]; r != nil {
		r.lost = lost
	}
}

// bring notes how many changes a deployment to production brought.
func (n *numbers) bring(id andon.DeploymentID, changes int) {
	if r := n.byID[id]; r != nil {
		r.grounds.Changes = changes
	}
}

// release notes that a line runs again.
func (n *numbers) release(cord andon.CordID, at time.Time) {
	for i := range n.stops {
		if n.stops[i].cord == cord {
			n.stops[i].To = at
		}
	}
}

// only returns the number of a period's service; false if nothing is known of it.
func (n *numbers) only(p Period) (service uint32, known bool) {
	service, known = n.services.numbers[p.Service]
	return service, known || p.Service == ""
}

// facts are those of History.Facts.
func (n *numbers) facts(p Period) metrics.Facts {
	f := metrics.Facts{Period: p.Span, Leads: n.changes.Leads(p.Span, p.Service), Stops: n.stopsIn(p)}
	only, known := n.only(p)
	if !known {
		return f
	}
	mine := func(service uint32) bool { return p.Service == "" || service == only }
	for _, r := range between(n.rollouts, p, when) {
		if r.Kind == andon.DeployForward && mine(r.service) {
			f.Rollouts = append(f.Rollouts, r.Rollout)
		}
	}
	earned, ends := between(n.earned, p, (*candidature).when), between(n.ends, p, (*stageEnd).when)
	if p.Service == "" {
		f.Candidates, f.Commits = make([]time.Duration, 0, len(earned)), make([]metrics.CommitRun, 0, len(ends))
	}
	for _, c := range earned {
		if mine(c.service) {
			f.Candidates = append(f.Candidates, time.Duration(c.took))
		}
	}
	commit := n.stages.of(andon.CommitStageName)
	for _, e := range ends {
		if e.stage == commit && mine(e.service) {
			f.Commits = append(f.Commits, metrics.CommitRun{Took: time.Duration(e.took), Slow: e.slow})
		}
	}
	return f
}

func (n *numbers) stopsIn(p Period) (all []metrics.Stop) {
	for _, s := range n.stops {
		if !s.From.Before(p.To) || !s.To.IsZero() && !s.To.After(p.From) {
			continue
		}
		if p.Service != "" && s.service != "" && s.service != p.Service {
			continue
		}
		if s.To.IsZero() {
			s.To = p.To
		}
		all = append(all, s.Stop)
	}
	return all
}

// passes are those of History.Passes.
func (n *numbers) passes(p Period) map[andon.StageName]metrics.Pass {
	sums := make([]metrics.Pass, len(n.stages.numbers))
	only, known := n.only(p)
	for _, e := range between(n.ends, p, (*stageEnd).when) {
		if !e.first || !known || p.Service != "" && e.service != only {
			continue
		}
		sums[e.stage].First++
		if e.passed {
			sums[e.stage].Passed++
		}
	}
	passes := make(map[andon.StageName]metrics.Pass)
	for name, i := range n.stages.numbers {
		if sums[i].First > 0 {
			passes[name] = sums[i]
		}
	}
	return passes
}

// deliveries are those of History.Records, the newest first, at most as many as most says.
func (n *numbers) deliveries(p Period, most int) (all []metrics.Delivery) {
	only, known := n.only(p)
	if !known {
		return nil
	}
	for _, r := range slices.Backward(between(n.rollouts, p, when)) {
		if p.Service != "" && r.service != only {
			continue
		}
		if len(all) == most {
			break
		}
		all = append(all, metrics.Delivery{Deployed: r.Deployed, Service: r.name, Grounds: r.grounds, Lost: r.lost})
	}
	return all
}

// today is that of History.Today.
func (n *numbers) today(since time.Time) (t Today) {
	for i := len(n.rollouts) - 1; i >= 0 && !n.rollouts[i].Ended.Before(since); i-- {
		if r := n.rollouts[i]; r.Kind == andon.DeployForward && r.Outcome == andon.Succeeded {
			t.Deployments++
		}
		t.Lost += n.rollouts[i].lost
	}
	return t
}

// stopOf returns what a cord means for the figures.
func stopOf(c *andon.Cord, released time.Time) stopped {
	s := stopped{cord: c.ID, service: c.Scope.Service}
	s.From, s.To, s.Cause = c.Pulled, released, metrics.StopRollback
	switch {
	case c.Fix == nil:
		s.Cause = metrics.StopPerson
	case c.Owner == andon.ActorLine:
		s.Cause = metrics.StopStage
	}
	return s
}

// counts reports whether the end of a stage counts for the figures.
func counts(outcome andon.Outcome) bool {
	return outcome != andon.Cancelled && outcome != andon.Superseded
}
