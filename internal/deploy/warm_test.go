package deploy

import (
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func TestWarm_OldGroupStaysOutOfTheRoute(t *testing.T) {
	for _, strategy := range []andon.Strategy{andon.BlueGreen, andon.Canary} {
		d := newDrive(strategy, 2, 2)
		d.in.Plan.Warm = 10 * time.Minute
		d.tells(t,
			"placing: [old.0] [old.1] new.0 new.1",
			"smoking: [new.0 new.1]",
			"switching: [new.0] [new.1] old.0 old.1",
			"soaking",
			"done ",
		)
	}
}

func TestWarm_EndsOnlyAfterTheOldGroupsRequests(t *testing.T) {
	d := newDrive(andon.BlueGreen, 1, 1)
	d.in.Plan.Warm, d.in.Plan.Soak = 10*time.Minute, 0
	for !d.in.Desired.Routed("new.0") {
		d.once(t)
	}
	d.in.Routes["local"].Draining = []andon.InstanceID{"old.0"}
	if step := Next(d.in); len(step.Waits) != 1 || step.Waits[0].Kind != andon.WaitDrain {
		t.Fatalf("it does not wait for them: %+v", step)
	}
	d.in.Routes["local"].Draining = nil
	if step := Next(d.in); !step.Done {
		t.Errorf("it goes on with %+v", step)
	}
}

// withStale adds a copy of an earlier group that was kept warm.
func (d *drive) withStale() {
	next := d.in.Desired.Clone()
	stale := next.Copies[0]
	stale.ID, stale.Group = "older.0", "older"
	next.Copies = append(next.Copies, stale)
	next.Generation++
	d.in.Copies["older.0"] = &Record{Agent: "local", Observed: andon.InstanceState{Phase: andon.PhaseHealthy}}
	d.in.Desired = next
}

func TestWarm_EarlierGroupGoesFirst(t *testing.T) {
	for _, strategy := range andon.Strategies() {
		d := newDrive(strategy, 1, 1)
		d.withStale()
		step := Next(d.in)
		if step.Desired == nil || step.At != andon.StepPlacing || len(step.Desired.Copies) != 1 || step.Desired.Copies[0].ID != "old.0" {
			t.Errorf("%s begins with %+v", strategy, step)
		}
	}
}

func TestWarm_EarlierGroupGoesAsSoonAsItsRequestsEnded(t *testing.T) {
	d := newDrive(andon.BlueGreen, 1, 1)
	d.in.Plan.Soak = time.Minute
	for d.in.Step != andon.StepSoaking {
		d.once(t)
	}
	d.withStale()
	stale := d.in.Copies["older.0"]
	stale.Unrouted = d.in.Now
	d.in.Routes["local"].Draining = []andon.InstanceID{"older.0"}
	drained := d.in.Now.Add(d.in.Desired.Copies[0].Spec.Drain)
	step := Next(d.in)
	if len(step.Waits) != 1 || step.Waits[0].Kind != andon.WaitSoak || !step.Waits[0].Until.Equal(drained) {
		t.Fatalf("it is looked at again at another time than %s: %+v", drained, step)
	}
	d.in.Now = drained
	if step = Next(d.in); step.Desired == nil || step.At != andon.StepSoaking || len(step.Desired.Copies) != 2 {
		t.Errorf("then it goes on with %+v", step)
	}
}

func TestWarm_GroupThatIsReusedNeedsNoStart(t *testing.T) {
	for _, strategy := range []andon.Strategy{andon.BlueGreen, andon.Canary} {
		d := newDrive(strategy, 1, 1)
		next := d.in.Desired.Clone()
		back := andon.Copy{ID: "older.0", Group: "older", Agent: "local", Version: 2, Artifact: d.in.Plan.Release.Artifact, Config: d.in.Plan.Release.Config, Spec: d.in.Plan.Release.Spec}
		next.Copies = append(next.Copies, back)
		d.in.Copies["older.0"] = &Record{Agent: "local"}
		d.in.Desired, d.in.Plan.Group = next, "older"
		d.converge()
		d.tells(t, "smoking: [older.0]", "switching: [older.0] old.0", "soaking", "removing: [older.0]", "done ")
	}
}

func TestReplace_KeepsNothing(t *testing.T) {
	d := newDrive(andon.Replace, 1, 1)
	d.in.Plan.Warm = 10 * time.Minute
	d.tells(t,
		"placing: [old.0] new.0",
		"smoking: [new.0]",
		"switching: [new.0] old.0",
		"soaking",
		"removing: [new.0]",
		"done ",
	)
	if Reuses(&d.in.Plan) {
		t.Error("it uses instances again")
	}
}
