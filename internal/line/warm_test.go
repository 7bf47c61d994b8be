package line

import (
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

var production = andon.Place{Service: "shop", Environment: "production"}

// warmPlant is a plant with version 2 live in production and version 1 kept warm.
func warmPlant(t *testing.T) *plant {
	p := newPlant(t)
	p.production(andon.Rollout{Strategy: andon.BlueGreen, Soak: time.Second, Warm: 10 * time.Minute})
	p.Deployed("a")
	p.Push("b")
	p.Until("b is live", func() bool { return p.Live("production") == 2 })
	if w := p.place("production").Warm; w == nil || w.Release.Version != 1 || !w.Until.Equal(p.now.Add(10*time.Minute)) {
		t.Fatalf("warm is %+v", w)
	}
	return p
}

// placed counts the copies of a version that should be in production.
func (p *plant) placed(n andon.VersionNumber) int {
	sum := 0
	for _, c := range p.place("production").Desired.Copies {
		if c.Version == n {
			sum++
		}
	}
	return sum
}

func TestWarm_GroupStaysUntilItsTimeIsOver(t *testing.T) {
	p := warmPlant(t)
	w := p.waiting(1, andon.WaitWarm)
	if w.On != "shop.production.1" || !w.Until.Equal(p.place("production").Warm.Until) || w.Action != "andon rollback shop production" {
		t.Errorf("it is shown as %+v", w)
	}
	if p.placed(1) != 2 || p.placed(2) != 2 || len(p.place("production").Desired.Route.Targets) != 2 {
		t.Fatalf("there should be %+v", p.place("production").Desired)
	}
	until := w.Until
	p.reload()
	p.Until("the warm group goes", func() bool { return p.placed(1) == 0 })
	if p.now.Before(until) {
		t.Errorf("it goes at %s, before %s", p.now, until)
	}
	p.Settle()
	if d := p.place("production"); d.Warm != nil || len(d.Copies) != 2 || p.Live("production") != 2 {
		t.Errorf("left: %+v", d)
	}
}

func TestWarm_GroupIsKeptHealthyByItsAgent(t *testing.T) {
	p := warmPlant(t)
	c := p.world.agents["local"].copies["shop.production.1.0"]
	c.phase = andon.PhaseExited
	p.Until("it is well again", func() bool { return c.phase == andon.PhaseHealthy && c.restarts == 1 })
}

func TestWarm_RollbackIsOneSwitchWithoutAStart(t *testing.T) {
	p := warmPlant(t)
	before, switches := len(p.world.agents["local"].copies), p.routeChanges("production")
	p.must(Rollback{Place: production})
	p.Until("a is live", func() bool {
		if n := len(p.world.agents["local"].copies); n > before {
			t.Fatalf("%d copies run, %d ran before", n, before)
		}
		return p.Live("production") == 1
	})
	if n := p.routeChanges("production") - switches; n != 1 {
		t.Errorf("it took %d switches", n)
	}
	p.Settle()
	if d := p.place("production"); d.Group != "shop.production.1" || d.Warm != nil || p.placed(2) != 0 {
		t.Errorf("left: %+v", d)
	}
}

func TestWarm_RollbackStartsAnewWhenAnAgentOfTheGroupIsAway(t *testing.T) {
	p := newPlant(t)
	p.world.connect("web", 1)
	p.production(andon.Rollout{Strategy: andon.BlueGreen, Soak: time.Second, Warm: 10 * time.Minute})
	p.Deployed("a")
	p.Push("b")
	p.Until("b is live", func() bool { return p.Live("production") == 2 })
	place := p.place("production")
	for i := range place.Desired.Copies {
		if c := &place.Desired.Copies[i]; c.Version == 1 {
			c.Agent = "web"
			break
		}
	}
	p.world.agents["web"].away = true
	p.s.Agents["web"].Lost = true
	plan := p.s.complete(andon.Plan{Place: production, Kind: andon.DeployRollback, Group: "shop.production.9", Release: place.Warm.Release, Rollout: andon.Rollout{Strategy: andon.BlueGreen}})
	if plan.Group != "shop.production.9" {
		t.Errorf("it goes back to %s, part of which is away", plan.Group)
	}
}

func TestWarm_NextDeploymentTakesTheGroupAwayFirst(t *testing.T) {
	p := warmPlant(t)
	p.Push("c")
	p.At("production", andon.StepPlacing)
	if p.placed(1) != 0 || p.placed(3) != 2 && p.placed(2) != 2 {
		t.Errorf("there should be %+v", p.place("production").Desired)
	}
	p.Until("c is live", func() bool { return p.Live("production") == 3 })
	if w := p.place("production").Warm; w == nil || w.Release.Version != 2 {
		t.Errorf("warm is %+v", w)
	}
}

func TestWarm_NextDeploymentReusesExactlyThatRelease(t *testing.T) {
	p := warmPlant(t)
	p.must(Deploy{Version: p.ref(1), Environment: "production"})
	p.Until("a is live", func() bool { return p.Live("production") == 1 })
	d := p.place("production")
	if d.Group != "shop.production.1" || d.Warm == nil || d.Warm.Release.Version != 2 {
		t.Errorf("live is %s, warm %+v", d.Group, d.Warm)
	}
}

func TestWarm_GroupGoesWithItsService(t *testing.T) {
	p := warmPlant(t)
	p.must(RemoveService{Service: "shop", Reason: "gone"})
	p.Settle()
	if len(p.s.Places) > 0 || len(p.world.agents["local"].copies) > 0 {
		t.Errorf("left: %s", p.json(p.s))
	}
}

func TestWarm_WorkerIsNeverKept(t *testing.T) {
	p := newPlant(t)
	p.production(andon.Rollout{Strategy: andon.BlueGreen, Soak: time.Second, Warm: 10 * time.Minute})
	p.pipe.Run.Port, p.pipe.Smoke = 0, nil
	p.Deployed("a")
	p.Deployed("b")
	if p.place("production").Warm != nil || p.placed(1) != 0 {
		t.Errorf("it works still: %+v", p.place("production").Desired)
	}
}

func TestReplace_NeverUsesAGroupAgain(t *testing.T) {
	p := newPlant(t)
	p.production(andon.Rollout{Strategy: andon.Replace, Warm: 10 * time.Minute})
	p.Deployed("a")
	p.Push("b")
	p.Until("b is live", func() bool { return p.Live("production") == 2 })
	if p.place("production").Warm != nil {
		t.Fatal("the old group is kept")
	}
	p.must(Rollback{Place: production})
	p.Settle()
	d := p.place("production")
	if d.Last.Plan.Strategy != andon.Replace || d.Group != "shop.production.3" || p.Live("production") != 1 {
		t.Errorf("it went back by %s to group %s", d.Last.Plan.Strategy, d.Group)
	}
}
