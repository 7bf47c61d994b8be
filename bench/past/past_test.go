package past

import (
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func options() Options {
	return Options{Services: 20, Environments: 5, Events: 20_000, Start: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC), Every: 4 * time.Hour, Seed: 7}
}

func TestMake_TellsAWholeStoryInOrder(t *testing.T) {
	happened := map[string]int{}
	last := time.Time{}
	state, err := Make(options(), func(events []andon.Event) error {
		for _, e := range events {
			happened[e.Body.EventName()]++
			if e.Time.Before(last) {
				t.Fatalf("%s happened before what was told first", e.Body.EventName())
			}
			last = e.Time
			if ended, ok := e.Body.(andon.DeploymentEnded); ok && ended.Outcome == andon.Succeeded && ended.Environment == "production" {
				happened["live"]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"version_created", "live", "cord_pulled", "cord_released", "deployment_ended", "task_ended"} {
		if happened[name] < 10 {
			t.Errorf("%s happened %d times: %v", name, happened[name], happened)
		}
	}
	for _, service := range state.Services {
		if place := state.PlaceOf(andon.Place{Service: service.Name, Environment: "production"}); place == nil || place.Live == nil {
			t.Errorf("%s never reached production", service.Name)
		}
	}
}

func TestMake_IsTheSameForTheSameSeed(t *testing.T) {
	tell := func() (times []time.Time) {
		if _, err := Make(options(), func(events []andon.Event) error {
			for _, e := range events {
				times = append(times, e.Time)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return times
	}
	a, b := tell(), tell()
	if len(a) != len(b) {
		t.Fatalf("%d events, then %d", len(a), len(b))
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			t.Fatalf("event %d differs", i)
		}
	}
}
