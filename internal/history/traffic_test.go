package history_test

import (
	"slices"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

func TestDeployment_TellsTheSharesOfItsGroupAndTheVerdicts(t *testing.T) {
	s := &story{}
	s.begin()
	s.push(1, "main", andon.Succeeded)
	s.deploy(1, 1, 0, andon.Succeeded)
	s.push(2, "main", andon.Succeeded)
	id := andon.NewDeploymentID(place, 2)
	was := release(1)
	old, group := andon.GroupID(andon.NewDeploymentID(place, 1)), andon.GroupID(id)
	s.tell(andon.ActorLine, andon.DeploymentStarted{Plan: andon.Plan{
		Place: place, ID: id, Kind: andon.DeployForward, Group: group, Base: old, Release: release(2), Previous: &was, Rollout: andon.Rollout{Strategy: andon.Canary},
	}})
	route := func(ours, others int) {
		r := &andon.Route{Ledger: id}
		for g, weight := range map[andon.GroupID]int{old: others, group: ours} {
			if weight > 0 {
				r.Targets = append(r.Targets, andon.Target{Instance: andon.NewInstanceID(g, 0), Weight: weight})
			}
		}
		s.tell(andon.ActorLine, andon.DesiredChanged{Deployment: id, Desired: andon.Desired{Place: place, Route: r}})
	}
	route(0, 1) // nothing has gone to it yet
	route(1, 9)
	judgement := andon.Judgement{Verdict: andon.VerdictWorse, Reason: "all fail", After: andon.GroupStats{Group: group, Requests: 100, Errors: 99}}
	s.tell(andon.ActorLine, andon.DeploymentJudged{Deployment: id, Judgement: judgement})
	route(2, 18) // the same
	route(0, 1)
	d, err := told(t, s).Deployment(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Shares) != 2 || d.Shares[0].Ours != 1 || d.Shares[0].Whole != 10 || d.Shares[1].Ours != 0 || !d.Shares[1].Time.After(d.Shares[0].Time) {
		t.Errorf("the shares are %+v", d.Shares)
	}
	if len(d.Verdicts) != 1 || d.Verdicts[0].Verdict != andon.VerdictWorse || d.Verdicts[0].After.Errors != 99 || d.Verdicts[0].Time.IsZero() {
		t.Errorf("the verdicts are %+v", d.Verdicts)
	}
}

func TestPace_IsOfTheLastDeploymentsThatWereLikeIt(t *testing.T) {
	s := &story{}
	s.begin()
	for n := 1; n <= 3; n++ {
		s.push(n, "main", andon.Succeeded)
	}
	s.deploy(1, 1, 0, andon.Succeeded) // the first brings nothing down
	s.deploy(2, 2, 1, andon.Succeeded)
	s.deploy(3, 3, 2, andon.Failed)
	h := told(t, s)
	was := release(2)
	plan := andon.Plan{
		Place: place, ID: "shop.production.4", Group: "shop.production.4", Kind: andon.DeployForward, Previous: &was, Release: release(3),
		Rollout: andon.Rollout{Strategy: andon.Rolling, Soak: time.Minute},
	}
	pace, err := h.Pace(t.Context(), plan)
	if err != nil || pace.From != 1 || pace.Takes <= time.Minute || pace.Takes > 2*time.Minute {
		t.Errorf("the pace is %+v, %v", pace, err)
	}
	plan.Kind = andon.DeployRollback
	if pace, err := h.Pace(t.Context(), plan); err != nil || pace != (deploy.Pace{Least: time.Minute}) {
		t.Errorf("of a rollback it is %+v, %v", pace, err)
	}
	between, err := h.Between(t.Context(), plan)
	if err != nil || len(between) != 1 || between[0].Number != 3 {
		t.Errorf("between are %+v, %v", between, err)
	}
}

// TestBetween_FindsTheTrunkAmongBranches: there are more versions of branches than are told.
func TestBetween_FindsTheTrunkAmongBranches(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	s.push(1, "main", andon.Succeeded)
	s.push(2, "main", andon.Succeeded)
	for n := 3; n < 120; n++ {
		s.push(n, "topic", andon.Succeeded)
	}
	s.push(120, "main", andon.Succeeded)
	h := told(t, &s)
	was := release(1)
	for to, want := range map[int][]andon.VersionNumber{120: {120, 2}, 119: {119, 2}, 2: {2}, 1: nil} {
		between, err := h.Between(t.Context(), andon.Plan{Place: place, Previous: &was, Release: release(to)})
		var numbers []andon.VersionNumber
		for _, v := range between {
			numbers = append(numbers, v.Number)
		}
		if err != nil || !slices.Equal(numbers, want) {
			t.Errorf("between 1 and %d are %v, %v, not %v", to, numbers, err, want)
		}
	}
}
