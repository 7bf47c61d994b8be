package line

import (
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func estateOf(names ...andon.EnvironmentName) ApplyEstate {
	a := ApplyEstate{Commit: "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"}
	for _, name := range names {
		a.Environments = append(a.Environments, andon.Environment{
			Name: name, Rollout: andon.Rollout{Strategy: andon.BlueGreen, Soak: time.Second}, Hosts: "{service}." + string(name) + ".example",
		})
	}
	return a
}

func TestApplyEstate_DeclaresWhatChangedAndSaysSoOnce(t *testing.T) {
	p := newPlant(t)
	events := p.must(estateOf("test", "production", "staging"))
	var declared []andon.EnvironmentName
	for _, e := range events {
		if b, ok := e.Body.(andon.EnvironmentDeclared); ok {
			declared = append(declared, b.Environment.Name)
		}
	}
	if len(declared) != 3 || p.s.Environments["staging"] == nil || p.s.Estate == nil || p.s.Estate.By != p.by {
		t.Errorf("declared %v, estate %+v", declared, p.s.Estate)
	}
	if again := p.must(estateOf("test", "production", "staging")); len(again) > 0 {
		t.Errorf("the same estate again causes %d events", len(again))
	}
	if p.must(CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()}); p.s.Environments["test"].Hosts != "{service}.test.example" {
		t.Error("a restart puts the defaults in the place of what the estate declares")
	}
}

func TestApplyEstate_KeepsAnEnvironmentThatIsNeeded(t *testing.T) {
	p := newPlant(t)
	p.must(estateOf("test", "production", "staging"))
	p.Deployed("one")
	p.refused(andon.KindConflict, estateOf("test", "staging"))
	if p.s.Environments["production"] == nil {
		t.Error("a refused estate changed something")
	}
	p.must(estateOf("test", "production"))
	if p.s.Environments["staging"] != nil {
		t.Error("an environment that nothing needs is still there")
	}
	p.refused(andon.KindInvalid, ApplyEstate{Commit: "c0ffee"})
	p.refused(andon.KindInvalid, estateOf("test", "test", "production"))
}

func TestApplyEstate_ChangesTheNextDeployment(t *testing.T) {
	p := newPlant(t)
	p.Deployed("one")
	estate := estateOf("test", "production")
	estate.Environments[1].Rollout = andon.Rollout{Strategy: andon.Canary, Canary: []andon.CanaryStep{{Weight: 10, Pause: time.Second}}}
	p.must(estate)
	p.Deployed("two")
	if last := p.s.PlaceOf(andon.Place{Service: "shop", Environment: "production"}).Last; last.Plan.Strategy != andon.Canary || last.Outcome != andon.Succeeded {
		t.Errorf("the last deployment was %s: %s", last.Plan.Strategy, last.Outcome)
	}
}
