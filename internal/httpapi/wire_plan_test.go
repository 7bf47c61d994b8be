package httpapi

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func told(p andon.Plan) []string {
	var steps []string
	for _, s := range planSteps(p) {
		steps = append(steps, string(s.Step)+": "+s.Does)
	}
	return steps
}

func TestPlan_SaysWhatEachStrategyDoes(t *testing.T) {
	release := func(n andon.VersionNumber) andon.Release {
		return andon.Release{Version: n, Spec: andon.RunSpec{Port: 80, Instances: 2, Drain: 10 * time.Second}}
	}
	before := release(1)
	plan := func(r andon.Rollout) andon.Plan {
		return andon.Plan{Rollout: r, Group: "new", Base: "old", Release: release(2), Previous: &before, Hosts: []string{"shop.localhost"}}
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
			place, "switching: move all traffic to them at once", drain, "removing: keep 2 copies of version 1 warm, without traffic, for 10m0s, and stop them then",
		}},
		"canary": {andon.Rollout{
			Strategy: andon.Canary, Soak: time.Minute, Watch: &andon.Watch{Errors: 0.5, Latency: 1.5},
			Canary: []andon.CanaryStep{{Weight: 10, Pause: time.Minute}},
		}, []string{
			place, "switching: give them 10 % of the traffic",
			"pausing: watch them for 1m0s, and go back if more than 0.5 percentage points more of their requests fail than of those to the old copies or the 95th percentile of their latency is more than 1.5 times that of the old ones",
			"switching: give them all of the traffic",
			"soaking: watch them for 1m0s, and go back if more than 0.5 percentage points more of their requests fail than of those to the old copies or the 95th percentile of their latency is more than 1.5 times that of the old ones",
			drain, stop,
		}},
		"replace": {andon.Rollout{Strategy: andon.Replace}, []string{
			"placing: start 2 copies of version 2 as new instances and wait until they are healthy", "switching: move all traffic to them at once", drain, stop,
		}},
	} {
		if got := told(plan(c.rollout)); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n\t%s\nwant\n\t%s", name, strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
		}
	}
}
