package history_test

import (
	"slices"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/metrics"
)

// now is the time of the last event.
func (s *story) now() time.Time { return s.events[len(s.events)-1].Time }

// ship tells how a version that was built goes to production.
func (s *story) ship(d, n, previous int) andon.DeploymentID {
	s.tell("bob", andon.StageAdmitted{Version: ref(n), Stage: "production"})
	s.tell(andon.ActorLine, andon.StageStarted{Version: ref(n), Stage: "production", Run: 1})
	id := s.deploy(d, n, previous, andon.Succeeded)
	s.tell(andon.ActorLine,
		andon.StageFinished{Version: ref(n), Stage: "production", Run: 1, Outcome: andon.Succeeded},
		andon.VersionEnded{Version: ref(n), Outcome: andon.Succeeded})
	return id
}

// measurable is a story in which version 2 fails, 3 repairs it and brings its change to
// production, and 3 is rolled back from.
func measurable() (s story) {
	s.stages = []andon.Stage{{Name: "production", Deploy: "production", Approval: &andon.Approval{}}}
	s.begin()
	s.push(1, "main", andon.Succeeded)
	s.ship(1, 1, 0)
	s.push(2, "main", andon.Failed)
	s.end(2, andon.Failed)
	cord := andon.Cord{ID: "cord-1", Scope: andon.Scope{Kind: andon.ScopeService, Service: "shop"}, Owner: andon.ActorLine, Fix: &andon.Fix{}, Pulled: s.now()}
	s.tell(andon.ActorLine, andon.CordPulled{Cord: cord})
	s.push(3, "main", andon.Succeeded)
	s.tell(andon.ActorLine, andon.CordReleased{Cord: "cord-1", Version: 3})
	s.ship(2, 3, 1)
	id := andon.NewDeploymentID(place, 3)
	back, live := release(3), release(1)
	plan := andon.Plan{Place: place, ID: id, Kind: andon.DeployRollback, Release: live, Previous: &back}
	s.tell("bob", andon.DeploymentPlanned{Plan: plan}, andon.DeploymentStarted{Plan: plan},
		andon.DeploymentEnded{Deployment: id, Place: place, Version: 1, Outcome: andon.Succeeded, Live: &live})
	return s
}

func TestMeasures_AreThoseOfTheJournal(t *testing.T) {
	t.Parallel()
	s := measurable()
	h := told(t, &s)
	period := history.Period{Span: metrics.Span{From: epoch, To: s.now().Add(time.Hour)}, Service: "shop"}
	f := must[metrics.Facts](t)(h.Facts(t.Context(), period))
	m := metrics.MeasuresOf(f)
	if m.Deployments != 2 || m.Failed != 1 || m.Recovered != 1 || m.Changes != 3 || m.CommitStages != 3 || m.CommitStage != 3*time.Second {
		t.Errorf("%+v", m)
	}
	// Version 3 became live with the event that ended its deployment; the rollback took three more,
	// after the two that ended its stage and its way.
	if m.Recovery != 5*time.Second {
		t.Errorf("production recovered in %s", m.Recovery)
	}
	if len(f.Stops) != 1 || f.Stops[0].Cause != metrics.StopStage || m.StoodStill != f.Stops[0].Took() {
		t.Errorf("the line stood still %+v", f.Stops)
	}
	other := period
	other.Service = "cart"
	if none := must[metrics.Facts](t)(h.Facts(t.Context(), other)); len(none.Rollouts)+len(none.Leads)+len(none.Commits)+len(none.Stops) > 0 {
		t.Errorf("of another service: %+v", none)
	}
	passes := must[map[andon.StageName]metrics.Pass](t)(h.Passes(t.Context(), period))
	if passes["commit"] != (metrics.Pass{First: 3, Passed: 2}) || passes["production"] != (metrics.Pass{First: 2, Passed: 2}) {
		t.Errorf("the passes are %v", passes)
	}
}

func TestChanges_DivideTheirLeadTimes(t *testing.T) {
	t.Parallel()
	s := measurable()
	h := told(t, &s)
	period := history.Period{Span: metrics.Span{From: epoch, To: s.now().Add(time.Hour)}}
	changes, err := h.Changes(t.Context(), period, 0)
	if err != nil || len(changes) != 3 {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	for _, c := range changes {
		var sum time.Duration
		for _, l := range c.Legs {
			sum += l.Took()
		}
		if sum != c.Lead() || !c.Legs[0].From.Equal(epoch) || !c.Legs[len(c.Legs)-1].To.Equal(c.Delivered) {
			t.Errorf("%s: wait and work are %s, the lead time is %s", c.VersionRef, sum, c.Delivered.Sub(epoch))
		}
	}
	second := must[*metrics.Change](t)(h.Change(t.Context(), ref(2)))
	causes := map[metrics.Cause]bool{}
	carriers := map[andon.VersionNumber]bool{}
	for _, l := range second.Legs {
		causes[l.Cause], carriers[l.Version] = true, true
	}
	if !causes[metrics.Push] || !causes[metrics.Work] || !causes[metrics.Stopped] || !causes[metrics.Approval] || !carriers[2] || !carriers[3] {
		t.Errorf("the change of version 2 went %+v", second.Legs)
	}
	if never := must[*metrics.Change](t)(h.Change(t.Context(), ref(9))); never != nil {
		t.Errorf("a change that is not there: %+v", never)
	}
}

// TestFacts_CountACandidateOnce: a stage that runs again gives back what was earned before.
func TestFacts_CountACandidateOnce(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	s.push(1, "main", andon.Succeeded)
	s.tell(andon.ActorLine, andon.MaturityChanged{Version: ref(1), From: andon.Development, To: andon.ReleaseCandidate})
	took := s.now().Sub(epoch)
	s.tell(andon.ActorLine, andon.MaturityChanged{Version: ref(1), From: andon.ReleaseCandidate, To: andon.Rejected},
		andon.MaturityChanged{Version: ref(1), From: andon.Rejected, To: andon.ReleaseCandidate})
	h := told(t, &s)
	period := history.Period{Span: metrics.Span{From: epoch, To: s.now().Add(time.Hour)}}
	for _, how := range []string{"from the tables", "from memory"} {
		f := must[metrics.Facts](t)(h.Facts(t.Context(), period))
		if !slices.Equal(f.Candidates, []time.Duration{took}) {
			t.Errorf("%s, candidates took %v, not %s", how, f.Candidates, took)
		}
		if err := h.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
