package history_test

import (
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/metrics"
)

func TestRecords_TellWhatEachDeliveryKeptTo(t *testing.T) {
	t.Parallel()
	s := measurable()
	// Version 4 does all that it should: it is rehearsed, accepted and smoke-tested.
	s.push(4, "main", andon.Succeeded)
	test := andon.Place{Service: "shop", Environment: "test"}
	rehearsal, live := andon.NewDeploymentID(test, 1), release(4)
	plan := andon.Plan{Place: test, ID: rehearsal, Kind: andon.DeployForward, Release: live, Stage: "acceptance"}
	s.tell(andon.ActorLine, andon.DeploymentPlanned{Plan: plan}, andon.DeploymentStarted{Plan: plan},
		andon.DeploymentEnded{Deployment: rehearsal, Place: test, Version: 4, Outcome: andon.Succeeded, Live: &live},
		andon.MaturityChanged{Version: ref(4), From: andon.Development, To: andon.ReleaseCandidate})
	id := andon.NewDeploymentID(place, 4)
	plan = andon.Plan{Place: place, ID: id, Kind: andon.DeployForward, Release: live, Stage: "production"}
	smoke := andon.Task{ID: andon.TaskID(id) + ".smoke.1", Kind: andon.TaskSmoke, Version: ref(4), Deployment: id}
	s.tell(andon.ActorLine, andon.DeploymentPlanned{Plan: plan}, andon.DeploymentStarted{Plan: plan}, andon.TaskQueued{Task: smoke},
		andon.TaskEnded{Task: smoke.ID, Version: ref(4), Result: andon.TaskResult{Outcome: andon.Succeeded}},
		andon.DeploymentEnded{Deployment: id, Place: place, Version: 4, Outcome: andon.Succeeded, Live: &live})
	// Version 5 never gets there.
	s.push(5, "main", andon.Failed)
	s.end(5, andon.Failed)

	h := told(t, &s)
	period := history.Period{Span: metrics.Span{From: epoch, To: s.now().Add(time.Hour)}, Service: "shop"}
	r := must[metrics.Records](t)(h.Records(t.Context(), period))
	type kept struct {
		kind                                    andon.DeploymentKind
		stage, same, rehearsed, accepted, smoke bool
		changes                                 int
	}
	want := []kept{
		{andon.DeployForward, true, true, true, true, true, 1},
		{andon.DeployRollback, false, true, false, false, false, 0},
		{andon.DeployForward, true, true, false, false, false, 2},
		{andon.DeployForward, true, true, false, false, false, 1},
	}
	if len(r.Deliveries) != len(want) {
		t.Fatalf("%d deliveries: %+v", len(r.Deliveries), r.Deliveries)
	}
	for i, d := range r.Deliveries {
		if got := (kept{d.Kind, d.ByStage, d.SameDigest, d.Rehearsed, d.Accepted, d.Smoked, d.Changes}); got != want[i] {
			t.Errorf("%s is %+v, not %+v", d.Deployment, got, want[i])
		}
	}
	if r.Began.Before(epoch) || r.Began.After(epoch.Add(time.Minute)) {
		t.Errorf("the first service was added %s", r.Began)
	}
	if r.Running != 1 || r.Fresh != 1 {
		t.Errorf("%d of %d services are fresh", r.Fresh, r.Running)
	}
	period.To = s.now().Add(metrics.FreshGoal + time.Hour)
	if r = must[metrics.Records](t)(h.Records(t.Context(), period)); r.Fresh != 0 || len(r.Stale) != 1 || r.Stale[0] != "shop" {
		t.Errorf("a change that waits longer than a week is fresh: %d, %v", r.Fresh, r.Stale)
	}
	period.Service = "other"
	if r = must[metrics.Records](t)(h.Records(t.Context(), period)); r.Running != 0 || len(r.Deliveries) != 0 {
		t.Errorf("another service has %d deliveries", len(r.Deliveries))
	}
}
