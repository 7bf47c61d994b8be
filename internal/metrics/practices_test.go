package metrics

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/andon-cd/andon/internal/andon"
)

const day = 24 * time.Hour

// fourWeeks end with the nth day after the start.
func fourWeeks() Span { return Span{From: start, To: start.Add(28 * day)} }

// delivered is a deployment to production that keeps to every practice.
func delivered(n int, at time.Time) Delivery {
	return Delivery{
		Deployed: Deployed{Deployment: andon.NewDeploymentID(andon.Place{Service: "shop", Environment: "production"}, int64(n)), Version: andon.VersionNumber(n), Kind: andon.DeployForward, Outcome: andon.Succeeded, Ended: at},
		Service:  "shop",
		Grounds:  Grounds{ByStage: true, SameDigest: true, Rehearsed: true, Accepted: true, Smoked: true, Changes: 1},
	}
}

// exemplary are the records of a plant that follows every practice: a deployment a day for four
// weeks, one of them rolled back from.
func exemplary() Records {
	r := Records{Facts: Facts{Period: fourWeeks()}, Fresh: 2, Running: 2, Declared: 3, Environments: 3}
	for n := range 28 {
		d := delivered(n+1, start.Add(time.Duration(n)*day))
		r.Deliveries = append([]Delivery{d}, r.Deliveries...)
		r.Rollouts = append(r.Rollouts, Rollout{Deployed: d.Deployed})
		r.Commits = append(r.Commits, CommitRun{Took: 4 * time.Minute})
		r.Candidates = append(r.Candidates, 20*time.Minute)
	}
	back := delivered(29, start.Add(20*day))
	back.Kind = andon.DeployRollback
	r.Deliveries = append(r.Deliveries, back)
	r.Stops = []Stop{
		{Span: Span{From: start, To: start.Add(10 * time.Minute)}, Cause: StopStage},
		{Span: Span{From: start, To: start.Add(20 * time.Minute)}, Cause: StopRollback},
		{Span: Span{From: start, To: start.Add(9 * day)}, Cause: StopPerson}, // a freeze, which is no failure
	}
	return r
}

func levels(r Records) map[PracticeName]Level {
	found := map[PracticeName]Level{}
	for _, j := range Judge(r) {
		found[j.Name] = j.Level
	}
	return found
}

func TestJudge_FindsThatAllIsFollowed(t *testing.T) {
	for name, level := range levels(exemplary()) {
		if level != Followed {
			t.Errorf("%s is %s", name, level)
		}
	}
}

func TestJudge_KnowsWhenThereIsNothingToJudge(t *testing.T) {
	for name, level := range levels(Records{}) {
		if level != Unknown {
			t.Errorf("%s is %s of nothing", name, level)
		}
	}
}

// Each of these changes the records of an exemplary plant so that one practice is judged otherwise.
func TestJudge_FindsWhatIsNotFollowed(t *testing.T) {
	each := func(change func(n int, d *Delivery)) func(*Records) {
		return func(r *Records) {
			for i := range r.Deliveries {
				change(i, &r.Deliveries[i])
			}
		}
	}
	for _, c := range []struct {
		practice PracticeName
		change   func(*Records)
		level    Level
		evidence string
	}{
		{"environments-as-code", func(r *Records) { r.Declared = 0 }, NotYet, "0 of 3 environments"},
		{"fast-commit-stage", func(r *Records) {
			for i := range 14 {
				r.Commits[i].Took = CommitGoal + 1
			}
		}, Partly, "14 of 28 commit stages, half of them within 4 min 30 s"},
		{"fast-candidate", func(r *Records) {
			for i := range r.Candidates {
				r.Candidates[i] = time.Hour
			}
		}, NotYet, "0 of 28 release candidates, half of them within 1 h"},
		{"every-change-by-the-line", each(func(n int, d *Delivery) { d.ByStage = n > 3 }), Partly, "24 of 28 deployments that the pipeline made"},
		{"accepted-first", each(func(_ int, d *Delivery) { d.Accepted = false }), NotYet, "0 of 28 deployments of release candidates"},
		{"built-once", each(func(n int, d *Delivery) { d.SameDigest = n != 5 }), Partly, "27 of 28 deployments with the same digest everywhere"},
		{"same-mechanism", each(func(_ int, d *Delivery) { d.Rehearsed = false }), NotYet, "0 of 28 deployments rehearsed in another environment"},
		{"smoke-tested", each(func(n int, d *Delivery) { d.Smoked = n%2 == 0 }), Partly, "14 of 28 deployments smoke-tested"},
		{"no-downtime", each(func(n int, d *Delivery) { d.Lost = int64(n % 2) }), Partly, "14 of 28 deployments without a failed request"},
		{"stop-the-line", func(r *Records) { r.Stops[0].To = start.Add(StopGoal + 1) }, Partly, "1 of 2 stops, half of them within 40 min"},
		{"stop-the-line", func(r *Records) { r.Stops = r.Stops[1:] }, Unknown, "1 of 1 stop, half of them within 20 min"},
		{"small-batches", each(func(_ int, d *Delivery) { d.Changes = BatchGoal + 1 }), NotYet, "0 of 28 deployments with three changes at most"},
		{"rollback-practised", func(r *Records) { r.Deliveries = r.Deliveries[:28] }, NotYet, "none in 28 deployments"},
		{"rollback-practised", func(r *Records) { r.Deliveries[28].Outcome = andon.Failed }, NotYet, "0 of 1 rollback went well"},
		{"weekly", func(r *Records) { r.Rollouts = r.Rollouts[:14] }, Partly, "2 of 4 weeks"},
		{"weekly", func(r *Records) { r.Period.From = r.Period.To.Add(-13 * day) }, Unknown, "1 of 1 week"},
		{"weekly", func(r *Records) { r.Began = r.Period.To.Add(-20 * day) }, Followed, "2 of 2 weeks"},
		{"weekly", func(r *Records) { r.Began = r.Period.To.Add(-day) }, Unknown, "0 of 0 weeks"},
		{"fresh-trunk", func(r *Records) { r.Fresh, r.Stale = 0, []andon.ServiceName{"cart", "shop"} }, NotYet, "0 of 2 services; not cart, shop"},
	} {
		r := exemplary()
		c.change(&r)
		for _, j := range Judge(r) {
			switch {
			case j.Name == c.practice && (j.Level != c.level || j.Evidence != c.evidence):
				t.Errorf("%s is %s: %q, not %s: %q", j.Name, j.Level, j.Evidence, c.level, c.evidence)
			case j.Name != c.practice && j.Level != Followed:
				t.Errorf("with %s, %s is %s, too", c.practice, j.Name, j.Level)
			}
		}
	}
}

func TestJudge_ExpectsNoRollbackOfDeploymentsThatNeverBecameLive(t *testing.T) {
	r := Records{Facts: Facts{Period: fourWeeks()}}
	for n := range 9 {
		d := delivered(n+1, start.Add(time.Duration(n)*day))
		if n > 3 {
			d.Outcome = andon.Failed
		}
		r.Deliveries = append(r.Deliveries, d)
	}
	for _, j := range Judge(r) {
		if j.Name == "rollback-practised" && (j.Level != Unknown || j.Evidence != "none in 4 deployments") {
			t.Errorf("going back is %s: %s", j.Level, j.Evidence)
		}
	}
}

func TestJudge_NamesTheNewestExceptions(t *testing.T) {
	r := exemplary()
	for i := range r.Deliveries {
		r.Deliveries[i].Smoked = false
	}
	for _, j := range Judge(r) {
		if j.Name == "smoke-tested" {
			if want := []andon.DeploymentID{"shop.production.28", "shop.production.27", "shop.production.26", "shop.production.25", "shop.production.24"}; !reflect.DeepEqual(j.Exceptions, want) {
				t.Errorf("the exceptions are %v", j.Exceptions)
			}
		}
	}
}

// More that keeps to a practice never makes a judgement worse, and counts never contradict levels.
func TestJudge_NeverPunishesWhatIsDoneWell(t *testing.T) {
	worse := map[Level]int{NotYet: 0, Partly: 1, Followed: 2}
	rapid.Check(t, func(t *rapid.T) {
		flag := rapid.Bool()
		r := Records{Facts: Facts{Period: fourWeeks()}}
		for n := range rapid.IntRange(0, 30).Draw(t, "deployments") {
			d := delivered(n+1, start.Add(time.Duration(n)*day/2))
			d.ByStage, d.SameDigest, d.Rehearsed, d.Accepted, d.Smoked = flag.Draw(t, "stage"), flag.Draw(t, "digest"), flag.Draw(t, "rehearsed"), flag.Draw(t, "accepted"), flag.Draw(t, "smoked")
			d.Lost, d.Changes = int64(rapid.IntRange(0, 2).Draw(t, "lost")), rapid.IntRange(0, 6).Draw(t, "changes")
			if flag.Draw(t, "back") {
				d.Kind = andon.DeployRollback
			}
			d.Outcome = rapid.SampledFrom([]andon.Outcome{andon.Succeeded, andon.Failed}).Draw(t, "outcome")
			r.Deliveries = append(r.Deliveries, d)
			r.Commits = append(r.Commits, CommitRun{Took: time.Duration(rapid.IntRange(1, 10).Draw(t, "took")) * time.Minute})
		}
		before := Judge(r)
		for _, j := range before {
			if j.Kept > j.Of || j.Kept < 0 || j.Evidence == "" || j.Level == Followed && float64(j.Kept) < j.Goal*float64(j.Of) || len(j.Exceptions) > min(MostExceptions, j.Of-j.Kept) {
				t.Fatalf("%s is %s: %d of %d, %q, %v", j.Name, j.Level, j.Kept, j.Of, j.Evidence, j.Exceptions)
			}
		}
		r.Deliveries = append(r.Deliveries, delivered(99, start))
		r.Commits = append(r.Commits, CommitRun{Took: time.Minute})
		for i, j := range Judge(r) {
			was, known := worse[before[i].Level]
			if now := worse[j.Level]; known && now < was {
				t.Fatalf("%s was %s, and is %s after one more that kept to it", j.Name, before[i].Level, j.Level)
			}
		}
	})
}

func TestPractices_SayAllThatPeopleNeed(t *testing.T) {
	seen := map[PracticeName]bool{}
	for _, p := range Practices() {
		for _, text := range []string{string(p.Name), p.Title, p.Rule, p.Source, p.Next} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s lacks words: %+v", p.Name, p)
			}
		}
		if seen[p.Name] || p.Least < 1 || p.Goal <= 0 || p.Goal > 1 {
			t.Errorf("%s: %+v", p.Name, p)
		}
		seen[p.Name] = true
	}
}
