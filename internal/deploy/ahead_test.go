package deploy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func ahead(p andon.Plan) []string {
	var steps []string
	for _, s := range Ahead(p) {
		steps = append(steps, string(s.Step)+": "+s.Does)
	}
	return steps
}

func TestAhead_SaysWhatEachStrategyDoes(t *testing.T) {
	release := func(n andon.VersionNumber) andon.Release {
		return andon.Release{Version: n, Spec: andon.RunSpec{Port: 80, Instances: 2, Drain: 10 * time.Second}}
	}
	before := release(1)
	plan := func(r andon.Rollout) andon.Plan {
		return andon.Plan{Rollout: r, ID: "new", Group: "new", Base: "old", Release: release(2), Previous: &before, Hosts: []string{"shop.localhost"}}
	}
	place := "placing: start 2 copies of version 2 and wait until they are healthy"
	drain := "draining: let requests on the old copies end, for at most 10s"
	stop := "removing: stop 2 copies of version 1"
	for name, c := range map[string]struct {
		rollout andon.Rollout
		want    []string
	}{
		"rolling": {andon.Rollout{Strategy: andon.Rolling}, []string{place, "switching: move traffic to them, one copy at a time", drain, stop}},
		"rolling in numbers": {andon.Rollout{Strategy: andon.Rolling, MaxSurge: 1, MaxUnavailable: 2}, []string{
			place, "switching: move traffic to them, with at most 1 copy more than wanted, and at most 2 fewer in traffic", drain, stop,
		}},
		"blue-green": {andon.Rollout{Strategy: andon.BlueGreen, Warm: 10 * time.Minute}, []string{
			place, "switching: move all traffic to them at once", drain, "removing: keep 2 copies of version 1 warm, without traffic, for 10m, and stop them then",
		}},
		"canary": {andon.Rollout{
			Strategy: andon.Canary, Soak: time.Minute, Watch: &andon.Watch{Errors: 0.5, Latency: 1.5},
			Canary: []andon.CanaryStep{{Weight: 10, Pause: time.Minute}},
		}, []string{
			place, "switching: give them 10 % of the traffic",
			"pausing: watch them for 1m, and go back if more than 0.5 percentage points more of their requests fail than of those to the old copies or the 95th percentile of their latency is more than 1.5 times that of the old ones",
			"switching: give them all of the traffic",
			"soaking: watch them for 1m, and go back if more than 0.5 percentage points more of their requests fail than of those to the old copies or the 95th percentile of their latency is more than 1.5 times that of the old ones",
			drain, stop,
		}},
		"replace": {andon.Rollout{Strategy: andon.Replace}, []string{
			"placing: start 2 copies of version 2 as new instances and wait until they are healthy", "switching: move all traffic to them at once", drain, stop,
		}},
	} {
		if got := ahead(plan(c.rollout)); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n\t%s\nwant\n\t%s", name, strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
		}
	}
}

func TestAhead_UsesAGroupAgainThatIsThere(t *testing.T) {
	was := andon.Release{Version: 2, Spec: andon.RunSpec{Port: 80, Instances: 2}}
	p := andon.Plan{
		ID: "d3", Group: "d1", Base: "d2", Kind: andon.DeployRollback, Rollout: andon.Rollout{Strategy: andon.BlueGreen}, Hosts: []string{"shop.localhost"},
		Release: andon.Release{Version: 1, Spec: andon.RunSpec{Port: 80, Instances: 2}}, Previous: &was, Agents: []andon.AgentName{"a", "b"},
	}
	if got := ahead(p)[0]; got != "placing: use the 2 copies of version 1 again that are still there, once they are healthy" {
		t.Errorf("it begins with %s", got)
	}
	if n := len(Shares(p)); n != 0 {
		t.Errorf("it starts copies on %d hosts", n)
	}
	p.Group = "d3"
	if s := Shares(p); s["a"] != 1 || s["b"] != 1 {
		t.Errorf("the hosts get %v", s)
	}
}

func TestPace_IsTheMedianBeyondThePausesOfEach(t *testing.T) {
	plan := func(soak time.Duration) andon.Plan {
		return andon.Plan{Rollout: andon.Rollout{Strategy: andon.BlueGreen, Soak: soak}}
	}
	if p := PaceOf(plan(time.Minute), nil); p != (Pace{Least: time.Minute}) {
		t.Errorf("with nothing like it: %+v", p)
	}
	like := []Took{{plan(time.Second), 4 * time.Second}, {plan(time.Hour), time.Hour + 9*time.Second}, {plan(0), 5 * time.Second}}
	if p := PaceOf(plan(time.Minute), like); p != (Pace{Takes: 65 * time.Second, Least: time.Minute, From: 3}) {
		t.Errorf("it is %+v", p)
	}
}

func TestSettings_TellWhatDiffersButNoSecret(t *testing.T) {
	from := andon.RunSpec{Command: []string{"./shop", "--key=old"}, Port: 80, Env: map[string]string{"A": "1", "B": "2"}}
	to := andon.RunSpec{Command: []string{"./shop", "--key=new"}, Env: map[string]string{"A": "3", "C": "4"}, Limits: andon.Limits{Memory: 1 << 20}, Platform: andon.PlatformDocker}
	want := []KeyDifference{
		{Key: "command", Change: KeyChanged}, {"platform", KeyChanged, andon.PlatformProcess, andon.PlatformDocker},
		{"port", KeyRemoved, "80", ""}, {"limits.memory", KeyAdded, "", "1048576"},
	}
	if got := Settings(from, to); !slices.Equal(got, want) {
		t.Errorf("they are %+v", got)
	}
	vars := []KeyDifference{{Key: "A", Change: KeyChanged}, {Key: "B", Change: KeyRemoved}, {Key: "C", Change: KeyAdded}}
	if got := Variables(from, to); !slices.Equal(got, vars) {
		t.Errorf("the variables are %+v", got)
	}
}
