package deploy

import (
	"slices"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// weights returns the share of the requests that the new group has, in percent; 0 to 100.
func weights(d andon.Desired) float64 {
	var after, all int
	for _, t := range d.Route.Targets {
		all += t.Weight
		if t.Instance.Group() == "new" {
			after += t.Weight
		}
	}
	return 100 * float64(after) / float64(all)
}

func TestCanary_GivesTheNewGroupItsSharesOneAfterTheOther(t *testing.T) {
	d := newDrive(andon.Canary, 3, 2)
	d.in.Plan.Canary = []andon.CanaryStep{{Weight: 5, Pause: time.Minute}, {Weight: 25, Pause: 2 * time.Minute}, {Weight: 50}}
	d.in.Plan.Soak = 0
	began, pauses := d.in.Now, 0
	var shares []float64
	for range 100 {
		step := Next(d.in)
		if step.Done {
			break
		}
		if step.At == andon.StepPausing {
			pauses++
			d.in.Step, d.in.StepSince = step.At, d.in.Now
			d.in.Now = step.Waits[0].Until
			continue
		}
		if step.Desired != nil && step.At == andon.StepSwitching {
			shares = append(shares, weights(*step.Desired))
		}
		d.once(t)
	}
	if !slices.Equal(shares, []float64{5, 25, 50, 100}) || pauses != 2 || d.in.Now.Sub(began) != 3*time.Minute {
		t.Errorf("shares %v, %d pauses in %s", shares, pauses, d.in.Now.Sub(began))
	}
	if d.picture() != "[new.0] [new.1]" {
		t.Errorf("it ends with %s", d.picture())
	}
}

func TestCanary_TellsItsStory(t *testing.T) {
	d := newDrive(andon.Canary, 1, 1)
	d.in.Plan.Canary = []andon.CanaryStep{{Weight: 10}, {Weight: 5}, {Weight: 0}, {Weight: 100}}
	d.tells(t,
		"placing: [old.0] new.0",
		"smoking: [new.0]",
		"switching: [new.0] [old.0]", // 10 %; the rest are no steps upwards
		"switching: [new.0] old.0",
		"soaking",
		"removing: [new.0]",
		"done ",
	)
}

func TestCanary_WithNothingToShareIsOneSwitch(t *testing.T) {
	d := newDrive(andon.Canary, 0, 1)
	d.in.Plan.Canary = []andon.CanaryStep{{Weight: 10, Pause: time.Minute}}
	d.tells(t, "placing: new.0", "smoking: [new.0]", "switching: [new.0]", "soaking", "done ")
}

func TestCanary_ThatIsFoundWorseGoesBackInOneSwitch(t *testing.T) {
	d := newDrive(andon.Canary, 2, 2)
	d.in.Plan.Canary = []andon.CanaryStep{{Weight: 10, Pause: time.Minute}}
	for d.in.Step != andon.StepPausing {
		step := Next(d.in)
		if d.in.Step = step.At; step.At != andon.StepPausing {
			d.once(t)
		}
	}
	d.in.StepSince, d.story, d.in.Worse = d.in.Now, nil, "all fail"
	d.tells(t,
		"failed: the new group is worse than the old one: all fail",
		"reverting: [old.0] [old.1] new.0 new.1",
		"reverting: [old.0] [old.1]",
		"done ",
	)
}

func TestSplit_IsExactForAllNumbersOfCopies(t *testing.T) {
	for percent := 1; percent < 100; percent++ {
		for after := 1; after <= 30; after++ {
			for before := 1; before <= 30; before++ {
				a, b := Split(percent, after, before)
				if a < 1 || b < 1 || a*after*100 != percent*(a*after+b*before) {
					t.Fatalf("%d %% of %d new and %d old copies: weights %d and %d", percent, after, before, a, b)
				}
			}
		}
	}
}
