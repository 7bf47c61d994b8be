package metrics

import (
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// deployed is one deployment that began and ended at these minutes.
func deployed(version andon.VersionNumber, kind andon.DeploymentKind, outcome andon.Outcome, from, to int) Deployed {
	return Deployed{Version: version, Kind: kind, Outcome: outcome, Started: minute(from), Ended: minute(to)}
}

func TestRollouts_SayWhatBecameOfEachDeployment(t *testing.T) {
	const forward, back = andon.DeployForward, andon.DeployRollback
	got := Rollouts([]Deployed{
		deployed(1, forward, andon.Succeeded, 0, 10),
		deployed(2, forward, andon.Succeeded, 20, 30),
		deployed(1, back, andon.Succeeded, 70, 75), // 45 minutes after 2 became live
		deployed(3, forward, andon.Succeeded, 90, 100),
		deployed(4, forward, andon.Failed, 110, 118),  // the watch reverted it
		deployed(5, forward, andon.Aborted, 120, 121), // somebody went back in the middle of it
		deployed(3, back, andon.Succeeded, 121, 122),  // to what was live
		deployed(6, forward, andon.NeedsAttention, 130, 140),
		deployed(7, forward, andon.Succeeded, 150, 160),
		deployed(8, forward, andon.Succeeded, 170, 180),
	})
	type want struct {
		version  andon.VersionNumber
		failed   bool
		recovery time.Duration
		rework   bool
	}
	for i, w := range []want{
		{1, false, 0, false}, {2, true, 45 * time.Minute, false}, {3, false, 0, true}, {4, true, 8 * time.Minute, false},
		{5, true, time.Minute, false}, {6, true, 30 * time.Minute, false}, {7, false, 0, true}, {8, false, 0, false},
	} {
		if i >= len(got) {
			t.Fatalf("there are %d rollouts", len(got))
		}
		recovery, _ := got[i].Recovery()
		if g := (want{got[i].Version, got[i].Failed, recovery, got[i].Rework}); g != w {
			t.Errorf("rollout %d is %+v, not %+v", i, g, w)
		}
	}
	if len(got) != 8 {
		t.Errorf("there are %d rollouts, not 8", len(got))
	}
}

func TestRollouts_GoesBackTwice(t *testing.T) {
	got := Rollouts([]Deployed{
		deployed(1, andon.DeployForward, andon.Succeeded, 0, 10),
		deployed(2, andon.DeployForward, andon.Succeeded, 10, 20),
		deployed(3, andon.DeployForward, andon.Succeeded, 20, 30),
		deployed(2, andon.DeployRollback, andon.Failed, 31, 32),
		deployed(2, andon.DeployRollback, andon.Succeeded, 33, 34),
		deployed(1, andon.DeployRollback, andon.Succeeded, 40, 50),
	})
	if got[0].Failed || !got[1].Failed || !got[2].Failed || !got[1].Recovered.Equal(minute(50)) || !got[2].Recovered.Equal(minute(34)) {
		t.Errorf("%+v", got)
	}
}

// TestRollouts_RecoverFromAllThatFailed: two needed somebody's attention one after the other, and a
// rollback away from what was live before them failed, until another version repaired everything.
func TestRollouts_RecoverFromAllThatFailed(t *testing.T) {
	got := Rollouts([]Deployed{
		deployed(1, andon.DeployForward, andon.Succeeded, 0, 10),
		deployed(2, andon.DeployForward, andon.Succeeded, 10, 20),
		deployed(3, andon.DeployForward, andon.NeedsAttention, 30, 40),
		deployed(4, andon.DeployForward, andon.NeedsAttention, 50, 60),
		deployed(1, andon.DeployRollback, andon.Failed, 70, 75),
		deployed(5, andon.DeployForward, andon.Succeeded, 80, 90),
	})
	for i, want := range []time.Duration{0, 70 * time.Minute, 60 * time.Minute, 40 * time.Minute, 0} {
		if took, ok := got[i].Recovery(); took != want || ok != (want > 0) {
			t.Errorf("production recovered from version %d in %s, %v, not %s", got[i].Version, took, ok, want)
		}
	}
}

// TestRollouts_RecoverOnce: a rollout that was rolled back from, then back to, and from once more
// was recovered from when it first was.
func TestRollouts_RecoverOnce(t *testing.T) {
	got := Rollouts([]Deployed{
		deployed(1, andon.DeployForward, andon.Succeeded, 0, 10),
		deployed(2, andon.DeployForward, andon.Succeeded, 10, 20),
		deployed(1, andon.DeployRollback, andon.Succeeded, 30, 35),
		deployed(2, andon.DeployRollback, andon.Succeeded, 40, 45),
		deployed(1, andon.DeployRollback, andon.Succeeded, 500, 505),
	})
	if took, ok := got[1].Recovery(); took != 15*time.Minute || !ok {
		t.Errorf("production recovered in %s, %v", took, ok)
	}
}

func TestMeasuresOf_IsTheArithmeticOfItsFacts(t *testing.T) {
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	live := func(n int) Rollout { return Rollout{Deployed: Deployed{Outcome: andon.Succeeded, Ended: day(n)}} }
	undone := live(3)
	undone.Failed, undone.Recovered = true, day(3).Add(2*time.Hour)
	repair := live(4)
	repair.Rework = true
	open := Rollout{Deployed: Deployed{Outcome: andon.NeedsAttention, Started: day(8), Ended: day(9)}, Failed: true}
	m := MeasuresOf(Facts{
		Period:     Span{From: day(0), To: day(10)},
		Rollouts:   []Rollout{live(1), undone, repair, live(7), open},
		Leads:      []time.Duration{40 * time.Minute, 90 * time.Minute, 60 * time.Minute, 50 * time.Minute},
		Candidates: []time.Duration{10 * time.Minute, 45 * time.Minute, 30 * time.Minute},
		Commits:    []CommitRun{{Took: time.Minute}, {Took: 2 * time.Minute}, {Took: 7 * time.Minute, Slow: true}, {Took: 3 * time.Minute}},
		Stops: []Stop{
			{Span{From: day(-1), To: day(1)}, StopPerson}, // half of it lies in the period
			{Span{From: day(2), To: day(2).Add(time.Hour)}, StopStage}, {Span{From: day(3), To: day(4)}, StopRollback},
		},
	})
	for what, got := range map[string][2]any{
		"deployments":            {m.Deployments, 4},
		"a day":                  {m.PerDay, 0.4},
		"lead time":              {m.Lead, 55 * time.Minute},
		"changes":                {m.Changes, 4},
		"rollouts":               {m.Rollouts, 5},
		"failed":                 {m.Failed, 2},
		"change fail rate":       {m.FailRate, 0.4},
		"recovery time":          {m.Recovery, 2 * time.Hour},
		"recovered":              {m.Recovered, 1},
		"rework":                 {m.Rework, 1},
		"rework rate":            {m.ReworkRate, 0.25},
		"between deliveries":     {m.Between, 48 * time.Hour},
		"to release candidate":   {m.Candidate, 30 * time.Minute},
		"candidates in time":     {m.InTime, 2.0 / 3},
		"commit stage":           {m.CommitStage, 150 * time.Second},
		"within budget":          {m.WithinBudget, 0.75},
		"stood still":            {m.StoodStill, 49 * time.Hour},
		"stood still: a person":  {m.StoodStillFor[StopPerson], 24 * time.Hour},
		"stood still: a stage":   {m.StoodStillFor[StopStage], time.Hour},
		"stood still: rolled b.": {m.StoodStillFor[StopRollback], 24 * time.Hour},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %v, not %v", what, got[0], got[1])
		}
	}
}

func TestMeasuresOf_KnowsNothingOfNothing(t *testing.T) {
	m := MeasuresOf(Facts{Period: Span{From: start, To: start.AddDate(0, 0, 7)}})
	if m.Deployments+m.Changes+m.Rollouts+m.Candidates+m.CommitStages > 0 || m.FailRate != 0 || m.StoodStill != 0 {
		t.Errorf("%+v", m)
	}
}
