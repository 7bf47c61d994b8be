package line

import (
	"slices"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

// fleet returns a plant with three hosts for production and an edge.
func fleet(t *testing.T) *plant {
	p := newPlant(t)
	for _, name := range []andon.AgentName{"web-1", "web-2", "web-3"} {
		p.world.label(name, andon.LabelEnvironment, "production")
	}
	p.world.label("edge", andon.LabelRole, andon.RoleEdge)
	p.pipe.Run.Instances = 3
	return p
}

func TestHosts_CopiesAreSpreadOverTheLabelledOnesAndRoutedAtTheEdge(t *testing.T) {
	p := fleet(t)
	p.Deployed("one")
	place := p.place("production")
	var hosts []andon.AgentName
	for _, c := range place.Desired.Copies {
		hosts = append(hosts, c.Agent)
	}
	slices.Sort(hosts)
	if want := []andon.AgentName{"web-1", "web-2", "web-3"}; !slices.Equal(hosts, want) {
		t.Errorf("the copies are on %v, want %v", hosts, want)
	}
	if !slices.Equal(place.Desired.Route.Edges, []andon.AgentName{"edge"}) {
		t.Errorf("the route is at %v", place.Desired.Route.Edges)
	}
	if rs := place.Routes["edge"]; rs == nil || len(rs.Targets) != 3 {
		t.Errorf("the edge serves %+v, want all three", rs)
	}
	if rs := place.Routes["web-1"]; rs != nil && len(rs.Targets) > 0 {
		t.Errorf("a host that is no edge serves %+v", rs)
	}
	if n := len(p.s.WorkFor("edge").Addresses); n != 6 { // three in production, and three in test on local
		t.Errorf("the edge is told %d addresses, want 6", n)
	}
	if n := len(p.s.WorkFor("web-1").Addresses); n != 0 {
		t.Errorf("a host that is no edge is told %d addresses", n)
	}
}

func TestHosts_DeploymentGoesOnWithoutAHostAndAnEdgeThatWereAwayBefore(t *testing.T) {
	p := fleet(t)
	p.world.label("edge-2", andon.LabelRole, andon.RoleEdge)
	p.Deployed("one")
	p.world.lose(p.world.agents["edge-2"])
	p.world.lose(p.world.agents["web-2"])
	two := p.Deployed("two")
	for _, c := range p.place("production").Desired.Copies {
		if c.Agent == "web-2" {
			t.Errorf("%s was placed on a host that is away", c.ID)
		}
	}
	p.world.connect("edge-2", 1)
	p.world.connect("web-2", 1)
	p.Settle()
	if rs := p.place("production").Routes["edge-2"]; rs == nil || len(rs.Targets) != 3 || rs.Generation < p.place("production").RouteGeneration {
		t.Errorf("back again, the edge serves %+v", rs)
	}
	for id := range p.world.agents["web-2"].copies {
		t.Errorf("back again, the host keeps %s", id)
	}
	if p.Live("production") != two {
		t.Errorf("version %s is live", p.Live("production"))
	}
}

func TestHosts_WaitSaysThatNoHostHasThePlatform(t *testing.T) {
	p := newPlant(t)
	envs := andon.DefaultEnvironments()
	envs[0].Platform = "docker"
	p.must(CreatePlant{Environments: envs})
	n := p.Built("one")
	w := p.waiting(n, andon.WaitAgent)
	if want := "no agent that is there runs shop in test on the platform docker"; w.Reason != want {
		t.Errorf("it waits because %q, want %q", w.Reason, want)
	}
}

func TestHosts_EdgeIsWokenWhenACopyElsewhereListensElsewhere(t *testing.T) {
	p := fleet(t)
	p.Deployed("one")
	c := p.place("production").Desired.Copies[0]
	e := andon.Event{Body: andon.Observed{Observation: andon.Observation{Agent: c.Agent, Instances: []andon.InstanceState{{ID: c.ID, Address: "127.0.0.1:2"}}}}}
	if who := p.s.Concerned(e); !slices.Equal(who, []andon.AgentName{"edge"}) {
		t.Errorf("it concerns %v, want the edge alone", who)
	}
}
