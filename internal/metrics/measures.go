package metrics

import (
	"math"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// Facts are what happened in a period.
type Facts struct {
	Period   Span
	Rollouts []Rollout // that ended in it
	// Leads are the change lead times of the changes that were delivered in it.
	Leads []time.Duration
	// Candidates are how long each version took from its commit to release candidate that became one.
	Candidates []time.Duration
	// Commits are the commit stages that ended well or not.
	Commits []CommitRun
	Stops   []Stop
}

// A CommitRun is a commit stage that ended.
type CommitRun struct {
	Took time.Duration
	Slow bool // it took longer than its budget
}

// A Stop is a time in which a line stood.
type Stop struct {
	Span
	Cause StopCause
}

// A StopCause says what stopped a line.
type StopCause string

// What stops lines.
const (
	StopStage    StopCause = "stage"    // a stage failed
	StopRollback StopCause = "rollback" // a version was rolled back
	StopPerson   StopCause = "person"   // somebody pulled the cord
)

// StopCauses lists every cause.
func StopCauses() []StopCause { return []StopCause{StopStage, StopRollback, StopPerson} }

// CandidateGoal is the time from commit to release candidate that the mission names.
const CandidateGoal = 30 * time.Minute

// Measures are the figures of a period. Rates are 0 to 1. A figure of nothing is not known: its
// count is 0.
type Measures struct {
	Period Span

	// The five of DORA (dora.dev, "DORA's software delivery performance metrics", 2025).

	Deployments int           // rollouts that became live
	PerDay      float64       // deployment frequency
	Lead        time.Duration // change lead time, the median
	Changes     int           // of which
	Rollouts    int           // all, those that failed too
	Failed      int
	FailRate    float64       // change fail rate: of Rollouts
	Recovery    time.Duration // failed deployment recovery time, the median
	Recovered   int           // of which
	Rework      int
	ReworkRate  float64 // deployment rework rate: of Deployments

	// And what this plant promises.

	Between       time.Duration // mean time between deliveries; known from the second on
	Candidate     time.Duration // commit to release candidate, the median
	Candidates    int           // of which
	InTime        float64       // share of them within CandidateGoal
	CommitStage   time.Duration // the median
	CommitStages  int           // of which
	WithinBudget  float64       // share of them
	StoodStill    time.Duration // lines stood, added up; 292 years at most
	StoodStillFor map[StopCause]time.Duration
}

// MeasuresOf computes the figures of a period.
func MeasuresOf(f Facts) Measures {
	m := Measures{Period: f.Period, StoodStillFor: map[StopCause]time.Duration{}}
	m.deployments(f)
	m.promises(f)
	for _, s := range f.Stops {
		if part, ok := s.Within(f.Period); ok {
			m.StoodStill = plus(m.StoodStill, part.Took())
			m.StoodStillFor[s.Cause] = plus(m.StoodStillFor[s.Cause], part.Took())
		}
	}
	return m
}

// plus adds times that are not negative, as far as a time.Duration goes.
func plus(a, b time.Duration) time.Duration { return a + min(b, math.MaxInt64-a) }

func (m *Measures) deployments(f Facts) {
	var recoveries []time.Duration
	var first, last time.Time
	for i := range f.Rollouts {
		r := &f.Rollouts[i]
		m.Rollouts++
		if r.Failed {
			m.Failed++
			if took, ok := r.Recovery(); ok {
				recoveries = append(recoveries, took)
			}
		}
		if !r.Live() {
			continue
		}
		if m.Deployments++; m.Deployments == 1 {
			first, last = r.Ended, r.Ended
		}
		first, last = earlier(first, r.Ended), later(last, r.Ended)
		if r.Rework {
			m.Rework++
		}
	}
	if days := f.Period.Took().Hours() / 24; days > 0 {
		m.PerDay = float64(m.Deployments) / days
	}
	if m.Deployments > 1 {
		m.Between = last.Sub(first) / time.Duration(m.Deployments-1)
	}
	m.FailRate, m.ReworkRate = rate(m.Failed, m.Rollouts), rate(m.Rework, m.Deployments)
	m.Recovery, m.Recovered = Median(recoveries), len(recoveries)
	m.Lead, m.Changes = Median(slices.Clone(f.Leads)), len(f.Leads)
}

func (m *Measures) promises(f Facts) {
	inTime := 0
	for _, took := range f.Candidates {
		if took <= CandidateGoal {
			inTime++
		}
	}
	m.Candidates, m.InTime = len(f.Candidates), rate(inTime, len(f.Candidates))
	m.Candidate = Median(slices.Clone(f.Candidates))
	within := 0
	took := make([]time.Duration, 0, len(f.Commits))
	for _, c := range f.Commits {
		took = append(took, c.Took)
		if !c.Slow {
			within++
		}
	}
	m.CommitStage, m.CommitStages, m.WithinBudget = Median(took), len(took), rate(within, len(took))
}

// Live reports whether a rollout became live.
func (r *Rollout) Live() bool { return r.Outcome == andon.Succeeded }

func rate(part, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}
