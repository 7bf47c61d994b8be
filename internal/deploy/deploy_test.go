package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// drive carries a deployment out in a world without faults and writes down what happens.
type drive struct {
	in    Input
	sick  map[andon.GroupID]andon.InstanceState // what copies of a group become instead of healthy
	story []string
}

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func release(n andon.VersionNumber, instances int) andon.Release {
	spec := andon.RunSpec{
		Port: 80, Instances: instances, Drain: 10 * time.Second, Stop: 10 * time.Second,
		Health: andon.Health{Start: 30 * time.Second}, Requests: andon.Requests{InFlight: int64(n)},
	}
	return andon.Release{
		Version: n, Artifact: andon.Digest(fmt.Sprintf("sha256:%064d", n)), Config: spec.Hash(), Spec: spec,
		Smoke: []andon.Check{{Run: "true"}},
	}
}

// newDrive returns the deployment of version 2 over version 1; before is how many copies are live.
func newDrive(strategy andon.Strategy, before, after int) *drive {
	place := andon.Place{Service: "shop", Environment: "test"}
	plan := andon.Plan{
		Place: place, Rollout: andon.Rollout{Strategy: strategy, Soak: time.Minute}, ID: "new", Kind: andon.DeployForward, Group: "new", Release: release(2, after),
		Agents: []andon.AgentName{"local"}, Hosts: []string{"shop.localhost"},
	}
	d := &drive{in: Input{
		Plan: plan, Step: andon.StepPlacing, StepSince: start, Started: start, Desired: andon.Desired{Place: place},
		Copies: map[andon.InstanceID]*Record{}, Routes: map[andon.AgentName]*andon.RouteState{}, Smokes: map[andon.InstanceID]*Smoke{}, Now: start,
	}, sick: map[andon.GroupID]andon.InstanceState{}}
	if before > 0 {
		old := release(1, before)
		d.in.Plan.Previous, d.in.Plan.Base = &old, "old"
		v := &view{Input: d.in, group: "old", release: &old}
		d.in.Desired = *v.place(before)
		v.Desired = d.in.Desired
		d.change(*v.route(ids(d.in.Desired.Copies)))
		d.converge()
	}
	d.story = nil
	return d
}

func (d *drive) say(format string, args ...any) {
	d.story = append(d.story, fmt.Sprintf(format, args...))
}

// change makes a Desired the present one, as the line does.
func (d *drive) change(next andon.Desired) {
	old := d.in.Desired
	next.Generation = old.Generation + 1
	for _, c := range next.Copies {
		r := d.in.Copies[c.ID]
		if r == nil {
			r = &Record{Agent: c.Agent, Placed: d.in.Now}
			d.in.Copies[c.ID] = r
		}
		if old.Routed(c.ID) && !next.Routed(c.ID) {
			r.Unrouted = d.in.Now
		}
	}
	for _, c := range old.Copies {
		if _, kept := next.Copy(c.ID); !kept {
			d.in.Copies[c.ID].Removed = d.in.Now
		}
	}
	if next.Route != nil {
		d.in.RouteGeneration, d.in.RouteChanged = next.Generation, d.in.Now
	}
	d.in.Desired = next
}

// converge lets the agent do and attest all that should be.
func (d *drive) converge() {
	for _, c := range d.in.Desired.Copies {
		o := andon.InstanceState{Phase: andon.PhaseHealthy}
		if s, ok := d.sick[c.Group]; ok {
			o = s
		}
		o.ID, o.Artifact, o.Config = c.ID, c.Artifact, c.Config
		d.in.Copies[c.ID].Saw(o, d.in.Now)
	}
	for id, r := range d.in.Copies {
		if !r.Removed.IsZero() {
			delete(d.in.Copies, id)
		}
	}
	rs := &andon.RouteState{Generation: d.in.Desired.Generation}
	if d.in.Desired.Route != nil {
		for _, t := range d.in.Desired.Route.Targets {
			if d.in.Copies[t.Instance].Observed.Phase == andon.PhaseHealthy {
				rs.Targets = append(rs.Targets, t.Instance)
			}
		}
	}
	d.in.Routes["local"] = rs
}

func (d *drive) picture() string {
	var all []string
	for _, c := range d.in.Desired.Copies {
		name := string(c.ID)
		if d.in.Desired.Routed(c.ID) {
			name = "[" + name + "]"
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// run goes on until the deployment ends, at most so many steps.
func (d *drive) run(t *testing.T) {
	t.Helper()
	for range 200 {
		step := Next(d.in)
		if step.At != d.in.Step && !step.Done && step.Failed == "" {
			d.in.Step, d.in.StepSince = step.At, d.in.Now
		}
		switch {
		case step.Done:
			d.say("done %s", step.Attention)
			return
		case step.Failed != "":
			d.say("failed: %s", step.Failed)
			d.in.Reverting, d.in.Step, d.in.StepSince = true, andon.StepReverting, d.in.Now
		case step.Desired != nil:
			d.change(*step.Desired)
			d.say("%s: %s", step.At, d.picture())
		case len(step.Smoke) > 0:
			for _, id := range step.Smoke {
				d.in.Smokes[id] = &Smoke{Task: "t", Outcome: andon.Succeeded}
			}
			d.say("%s: %v", step.At, step.Smoke)
		case len(step.Waits) == 0:
			t.Fatalf("nothing follows and nothing is waited for after %v", d.story)
		case step.Waits[0].Kind == andon.WaitSoak:
			d.say("soaking")
			d.in.Now = step.Waits[0].Until
		default:
			before := Next(d.in)
			d.converge()
			if after := Next(d.in); len(after.Waits) > 0 && len(before.Waits) == len(after.Waits) && after.Waits[0] == before.Waits[0] {
				d.in.Now = after.Waits[0].Until
			}
		}
	}
	t.Fatalf("it does not end: %v", d.story)
}

func (d *drive) tells(t *testing.T, want ...string) {
	t.Helper()
	d.run(t)
	if !slices.Equal(d.story, want) {
		t.Errorf("the story is\n\t%s\ninstead of\n\t%s", strings.Join(d.story, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestBlueGreen_SwitchesOnceAndKeepsTheOldGroupWarm(t *testing.T) {
	newDrive(andon.BlueGreen, 2, 2).tells(t,
		"placing: [old.0] [old.1] new.0 new.1",
		"smoking: [new.0 new.1]",
		"switching: [new.0] [new.1] old.0 old.1",
		"soaking",
		"removing: [new.0] [new.1]",
		"done ",
	)
}

func TestBlueGreen_FailsInSoakAndSwitchesBack(t *testing.T) {
	d := newDrive(andon.BlueGreen, 2, 2)
	for d.in.Step != andon.StepSoaking {
		d.once(t)
	}
	d.story = nil
	d.sick["new"] = andon.InstanceState{Phase: andon.PhaseUnhealthy, Reason: "503"}
	d.converge()
	d.tells(t,
		"failed: new.0 is unhealthy: 503, although it had been healthy",
		"reverting: [old.0] [old.1] new.0 new.1",
		"reverting: [old.0] [old.1]",
		"done ",
	)
}

// once takes one step, with a faultless world after it.
func (d *drive) once(t *testing.T) {
	t.Helper()
	step := Next(d.in)
	d.in.Step = step.At
	switch {
	case step.Desired != nil:
		d.change(*step.Desired)
	case len(step.Smoke) > 0:
		for _, id := range step.Smoke {
			d.in.Smokes[id] = &Smoke{Outcome: andon.Succeeded}
		}
	case step.Done || step.Failed != "":
		t.Fatalf("it ended: %+v", step)
	}
	d.converge()
}

func TestRolling_ReplacesOneCopyAtATime(t *testing.T) {
	newDrive(andon.Rolling, 2, 2).tells(t,
		"placing: [old.0] [old.1] new.0",
		"smoking: [new.0]",
		"switching: [new.0] [old.0] old.1",
		"removing: [new.0] [old.0]",
		"placing: [new.0] [old.0] new.1",
		"smoking: [new.1]",
		"switching: [new.0] [new.1] old.0",
		"removing: [new.0] [new.1]",
		"soaking",
		"done ",
	)
}

func TestRolling_IntoAnEmptyPlaceComesAtOnce(t *testing.T) {
	newDrive(andon.Rolling, 0, 2).tells(t,
		"placing: new.0 new.1",
		"smoking: [new.0 new.1]",
		"switching: [new.0] [new.1]",
		"soaking",
		"done ",
	)
}

func TestRolling_ToFewerAndToMoreCopies(t *testing.T) {
	newDrive(andon.Rolling, 3, 1).tells(t,
		"placing: [old.0] [old.1] [old.2] new.0",
		"smoking: [new.0]",
		"switching: [new.0] old.0 old.1 old.2",
		"removing: [new.0]",
		"soaking",
		"done ",
	)
	newDrive(andon.Rolling, 1, 3).tells(t,
		"placing: [old.0] new.0",
		"smoking: [new.0]",
		"switching: [new.0] old.0",
		"removing: [new.0]",
		"placing: [new.0] new.1 new.2",
		"smoking: [new.1 new.2]",
		"switching: [new.0] [new.1] [new.2]",
		"soaking",
		"done ",
	)
}

func TestRolling_FailsInTheMiddleAndBringsTheOldCopiesBack(t *testing.T) {
	d := newDrive(andon.Rolling, 2, 2)
	for len(d.in.Desired.Copies) != 2 || d.in.Desired.Copies[1].Group != "new" {
		d.once(t)
	}
	d.story = nil
	d.sick["new"] = andon.InstanceState{Phase: andon.PhaseUnhealthy}
	d.converge()
	d.tells(t,
		"failed: new.0 is unhealthy, although it had been healthy",
		"reverting: [new.0] [old.0] old.1",
		"reverting: [old.0] new.0 old.1",
		"reverting: [old.0] [old.1] new.0",
		"reverting: [old.0] [old.1]",
		"done ",
	)
}

func TestFailure_ReasonsNameTheCopyAndTheCause(t *testing.T) {
	for name, c := range map[string]struct {
		state andon.InstanceState
		want  string
	}{
		"cannot run": {andon.InstanceState{Phase: andon.PhaseFailed, Reason: "no such file"}, "failed: new.0 cannot run: no such file"},
		"crash loop": {andon.InstanceState{Phase: andon.PhaseExited, Restarts: 3, Reason: "exit status 2"}, "failed: new.0 is in a crash loop: it was restarted 3 times: exit status 2"},
		"too slow":   {andon.InstanceState{Phase: andon.PhaseStarting}, "failed: not healthy within 30s: new.0 is starting"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, strategy := range andon.Strategies() {
				d := newDrive(strategy, 0, 1)
				d.sick["new"] = c.state
				d.tells(t, "placing: new.0", c.want, "reverting: ", "done ")
			}
		})
	}
}

func TestFailure_OfASmokeTestNeverTouchesTheRoute(t *testing.T) {
	for _, strategy := range andon.Strategies() {
		d := newDrive(strategy, 1, 1)
		for len(d.in.Smokes) == 0 {
			d.once(t)
		}
		d.in.Smokes["new.0"] = &Smoke{Outcome: andon.Failed, Reason: "500 instead of 200"}
		d.story = nil
		d.tells(t, "failed: the smoke test of new.0 failed: 500 instead of 200", "reverting: [old.0]", "done ")
	}
}

func TestSmoke_OfACopyThatRestartedIsRepeatedBeforeItHasTraffic(t *testing.T) {
	for _, strategy := range []andon.Strategy{andon.Rolling, andon.BlueGreen} {
		d := newDrive(strategy, 1, 1)
		for len(d.in.Smokes) == 0 {
			d.once(t)
		}
		d.in.Smokes["new.0"].Run = 1
		d.in.Copies["new.0"].Observed.Run = 1
		if step := Next(d.in); step.At != andon.StepSwitching || step.Desired == nil {
			t.Errorf("%s: after the test comes %+v, want the switch", strategy, step)
		}
		d.in.Copies["new.0"].Observed.Run = 2
		if step := Next(d.in); !slices.Equal(step.Smoke, []andon.InstanceID{"new.0"}) || step.Desired != nil {
			t.Errorf("%s: after the copy restarted comes %+v, want another test", strategy, step)
		}
		d.in.Smokes["new.0"].Outcome = "" // the test goes on: it ends first
		if step := Next(d.in); len(step.Smoke) > 0 || len(step.Waits) != 1 || step.Waits[0].Kind != andon.WaitTask {
			t.Errorf("%s: while the test goes on comes %+v, want that it is waited for", strategy, step)
		}
	}
}

func TestHealthy_MeansExactlyWhatShouldRun(t *testing.T) {
	d := newDrive(andon.BlueGreen, 0, 1)
	d.once(t)
	d.in.Copies["new.0"].Observed.Artifact = "sha256:another"
	step := Next(d.in)
	if len(step.Waits) != 1 || !strings.Contains(step.Waits[0].Reason, "instead of") {
		t.Errorf("it goes on with %+v", step)
	}
}

func TestDrain_KeepsACopyUntilItsRequestsEnd(t *testing.T) {
	d := newDrive(andon.BlueGreen, 1, 1)
	d.in.Plan.Soak = 0
	for !d.in.Desired.Routed("new.0") {
		d.once(t)
	}
	d.in.Routes["local"].Draining = []andon.InstanceID{"old.0"}
	step := Next(d.in)
	if len(step.Waits) != 1 || step.Waits[0].Kind != andon.WaitDrain {
		t.Fatalf("it does not wait: %+v", step)
	}
	d.in.Now = step.Waits[0].Until
	if step = Next(d.in); step.Desired == nil {
		t.Errorf("it waits after the drain time: %+v", step)
	}
}

func TestStop_ThatIsNeverAttestedEndsWithItsTime(t *testing.T) {
	d := newDrive(andon.BlueGreen, 1, 1)
	d.in.Plan.Soak = 0
	for len(d.in.Desired.Copies) != 1 || !d.in.Desired.Routed("new.0") {
		d.once(t)
	}
	d.in.Copies["old.0"] = &Record{Agent: "local", Observed: andon.InstanceState{Phase: andon.PhaseHealthy}, Removed: d.in.Now, Stop: 10 * time.Second}
	step := Next(d.in)
	if len(step.Waits) != 1 || step.Waits[0].Kind != andon.WaitStop || step.Waits[0].Until != d.in.Now.Add(10*time.Second+StopLimit) {
		t.Fatalf("it does not wait: %+v", step)
	}
	d.in.Now = step.Waits[0].Until
	if step = Next(d.in); !step.Done {
		t.Errorf("it hangs: %+v", step)
	}
}

func TestRevert_DoesNotWaitForAnAgentThatIsAway(t *testing.T) {
	d := newDrive(andon.BlueGreen, 1, 1)
	d.once(t)
	d.in.Lost = map[andon.AgentName]time.Time{"local": d.in.Now}
	if step := Next(d.in); len(step.Waits) != 1 || step.Waits[0].Kind != andon.WaitAgent {
		t.Fatalf("forward, it does not wait: %+v", step)
	}
	d.in.Reverting, d.in.Step, d.in.StepSince = true, andon.StepReverting, d.in.Now
	step := Next(d.in)
	if step.Desired == nil || len(step.Desired.Copies) != 1 {
		t.Fatalf("it does not take the new copy away: %+v", step)
	}
	d.change(*step.Desired)
	if step = Next(d.in); !step.Done {
		t.Errorf("it waits: %+v", step)
	}
}

func TestClock_SetBackDoesNotHangADeployment(t *testing.T) {
	d := newDrive(andon.BlueGreen, 1, 1)
	for d.in.Step != andon.StepSoaking {
		d.once(t)
	}
	d.in.StepSince = d.in.Now
	d.in.Now = d.in.Now.Add(-24 * time.Hour)
	if step := Next(d.in); len(step.Waits) > 0 && step.Waits[0].Kind == andon.WaitSoak {
		t.Errorf("it soaks for a day: %+v", step)
	}
}

func TestClock_SetBackALittleLeavesTheOldCopiesTheirTimeToRecover(t *testing.T) {
	d := newDrive(andon.BlueGreen, 1, 1)
	for !d.in.Desired.Routed("new.0") {
		d.once(t)
	}
	d.sick["old"] = andon.InstanceState{Phase: andon.PhaseUnhealthy}
	d.converge()
	d.in.Copies["old.0"].Placed = d.in.Now.Add(-time.Hour)
	d.in.Reverting, d.in.Step, d.in.StepSince = true, andon.StepReverting, d.in.Now
	for _, back := range []time.Duration{0, ClockSlack / 2} {
		d.in.Now = d.in.Now.Add(-back)
		if step := Next(d.in); len(step.Waits) != 1 || step.Waits[0].Kind != andon.WaitCopies {
			t.Errorf("set back by %s, it does not wait for the old copy: %+v", back, step)
		}
	}
}

func TestNext_ChangesNothingInItsInput(t *testing.T) {
	d := newDrive(andon.Rolling, 2, 2)
	before := fmt.Sprintf("%+v", d.in.Desired)
	for range 3 {
		if step := Next(d.in); step.Desired != nil {
			step.Desired.Copies[0].ID = "changed"
		}
	}
	if after := fmt.Sprintf("%+v", d.in.Desired); after != before {
		t.Errorf("it was %s and is %s", before, after)
	}
}

// TestRetire_WaitsForProxiesThatHadTheRoute: a route that is gone has no edges any more, and what a
// proxy told of it before may not be all that it did.
func TestRetire_WaitsForProxiesThatHadTheRoute(t *testing.T) {
	in := newDrive(andon.BlueGreen, 2, 2).in
	in.Desired.Route, in.RouteGeneration = nil, 7
	old := in.Desired.Copies[0]
	in.Copies[old.ID].Unrouted = in.Now
	for _, proxy := range []struct {
		knows   int64
		lost    bool
		carries bool
	}{{6, false, true}, {7, false, false}, {6, true, false}} {
		in.Routes, in.Lost = map[andon.AgentName]*andon.RouteState{"edge": {Generation: proxy.knows}}, nil
		if proxy.lost {
			in.Lost = map[andon.AgentName]time.Time{"edge": in.Now}
		}
		if got := look(in).draining(old); got != proxy.carries {
			t.Errorf("%+v: draining is %v", proxy, got)
		}
	}
}

// fall has a copy of the new group fail its probe after a time.
func (d *drive) fall(id andon.InstanceID, after time.Duration, phase andon.Phase) {
	d.in.Now = d.in.Now.Add(after)
	r := d.in.Copies[id]
	o := r.Observed
	o.Phase, o.Reason = phase, "no answer in time"
	r.Saw(o, d.in.Now)
}

func TestProbe_ThatFailsOnceIsForgivenAndTheSecondIsNot(t *testing.T) {
	for _, strategy := range []andon.Strategy{andon.BlueGreen, andon.Rolling} {
		t.Run(string(strategy), func(t *testing.T) {
			d := newDrive(strategy, 2, 2)
			d.in.Plan.Soak = time.Hour
			for d.in.Step != andon.StepSoaking {
				d.once(t)
			}
			health := d.in.Plan.Release.Spec.Health
			health.Interval, health.Timeout = time.Second, time.Second
			for i := range d.in.Desired.Copies {
				d.in.Desired.Copies[i].Spec.Health = health
			}
			since := d.in.StepSince
			d.fall("new.0", time.Minute, andon.PhaseUnhealthy) // its time to start is long over
			step := Next(d.in)
			if len(step.Waits) != 1 || step.Waits[0].On != "new.0" || !step.Waits[0].Until.Equal(d.in.Now.Add(2*time.Second)) || step.At != andon.StepSoaking {
				t.Fatalf("after the first probe that fails %+v", step)
			}
			late := d.in
			late.Now = late.Now.Add(2 * time.Second)
			if step := Next(late); !strings.Contains(step.Failed, "new.0 is unhealthy: no answer in time, although it had been healthy") {
				t.Errorf("after two probes that fail in a row %+v", step)
			}
			d.fall("new.0", time.Second, andon.PhaseHealthy)
			if step := Next(d.in); len(step.Waits) != 1 || step.Waits[0].Kind != andon.WaitSoak || !step.Waits[0].Until.Equal(since.Add(time.Hour)) {
				t.Fatalf("when the next probe finds it well %+v", step)
			}
			d.fall("new.0", time.Minute, andon.PhaseUnhealthy)
			if step := Next(d.in); step.Failed == "" {
				t.Errorf("after the second probe that fails %+v", step)
			}
		})
	}
}

func TestProbe_ThatFailsBeforeTheSoakEndsHoldsItUp(t *testing.T) {
	d := newDrive(andon.BlueGreen, 2, 2)
	for d.in.Step != andon.StepSoaking {
		d.once(t)
	}
	for i := range d.in.Desired.Copies {
		d.in.Desired.Copies[i].Spec.Health = andon.Health{Interval: time.Second, Timeout: time.Second}
	}
	d.fall("new.1", d.in.Plan.Soak, andon.PhaseUnhealthy)
	if step := Next(d.in); len(step.Waits) != 1 || step.Waits[0].On != "new.1" {
		t.Errorf("the soak has ended, and a copy is not well: %+v", step)
	}
}
