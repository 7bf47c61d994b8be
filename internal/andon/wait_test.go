package andon_test

import (
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestWait_IsHeldByThoseOfWhatItWaitsFor(t *testing.T) {
	job := andon.Wait{Service: "shop", Version: 3, Kind: andon.WaitAgent, Task: "shop.3.commit.build.1", On: "local"}
	deployment := andon.Wait{Service: "shop", Version: 2, Kind: andon.WaitSoak, Deployment: "shop.test.4"}
	other := andon.Wait{Service: "cart", Version: 2, Kind: andon.WaitApproval, On: "certify"}
	for _, c := range []struct {
		name string
		wait andon.Wait
		by   map[andon.Wait]bool
	}{
		{"a task", andon.Wait{Service: "shop", Version: 3, Kind: andon.WaitTask, On: "shop.3.commit.build.1", Task: "shop.3.commit.build.1"}, map[andon.Wait]bool{job: true}},
		{"a deployment", andon.Wait{Service: "shop", Version: 2, Kind: andon.WaitDeployment, On: "shop.test.4", Deployment: "shop.test.4"}, map[andon.Wait]bool{deployment: true}},
		{"a place that a deployment has", andon.Wait{Service: "shop", Version: 5, Kind: andon.WaitLock, On: "shop.test.4"}, map[andon.Wait]bool{deployment: true}},
		{"a place that a version has", andon.Wait{Service: "shop", Version: 5, Kind: andon.WaitLock, On: "shop 2"}, map[andon.Wait]bool{deployment: true}},
		{"a person", other, nil},
		{"nothing in particular", andon.Wait{Service: "shop", Version: 2, Kind: andon.WaitLock}, nil},
	} {
		for _, next := range []andon.Wait{job, deployment, other, c.wait} {
			if got := c.wait.HeldBy(next); got != c.by[next] {
				t.Errorf("what waits for %s is held by %+v: %v", c.name, next, got)
			}
		}
	}
}
