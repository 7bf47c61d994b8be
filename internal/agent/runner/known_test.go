package runner_test

import (
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
)

func TestTask_OfAKindThatIsNotKnownIsRefusedAndDoesNothing(t *testing.T) {
	b := newBed(t, map[string]string{"file": ""})
	bake := b.job("echo baked")
	bake.Task.Kind = "bake"
	step := b.job("echo first", "")
	smoke := b.job()
	smoke.Task.Kind, smoke.Task.Checks = andon.TaskSmoke, []andon.Check{{Run: "echo checked"}, {}}
	for name, lease := range map[string]andon.Lease{
		`the task is of kind "bake"`:                    bake,
		"step 2 of the job is of another kind":          step,
		"check 2 of the smoke tests is of another kind": smoke,
	} {
		log := newLog()
		result := b.runner.Run(t.Context(), lease, runner.Surroundings{Log: log})
		b.leftNothing()
		if result.Outcome != andon.Failed || !strings.Contains(result.Reason, name+", which this agent does not know") || strings.Contains(log.String(), "echo") {
			t.Errorf("%s: %+v\n%s", name, result, log.String())
		}
	}
}
