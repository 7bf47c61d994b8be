package agent

import (
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestRoutesFor_TellsTheProxyWhichRequestsTheCopiesTake(t *testing.T) {
	d := desired(1, []andon.Copy{copyOf("g", 0), copyOf("g", 1), copyOf("g", 2)}, "g.0", "g.1", "g.2")
	copies := map[andon.InstanceID]andon.InstanceState{}
	for i, c := range d.Copies {
		d.Copies[i].Agent = "local"
		copies[c.ID] = andon.InstanceState{ID: c.ID, Phase: andon.PhaseHealthy, Address: "127.0.0.1:20001"}
	}
	if r := routesFor("local", []andon.Desired{d}, copies)[0]; r.Sticky != "" || r.MaxBody != 0 || r.MaxInFlight != 0 {
		t.Errorf("without a word of requests, the route is %+v", r)
	}
	d.Route.Requests = andon.Requests{MaxBody: 1000, InFlight: 7, Sticky: true}
	if r := routesFor("local", []andon.Desired{d}, copies)[0]; r.Sticky != andon.StickyCookie || r.MaxBody != 1000 || r.MaxInFlight != 3*7 {
		t.Errorf("the route is %+v", r)
	}
	copies["g.1"] = andon.InstanceState{ID: "g.1", Phase: andon.PhaseUnhealthy, Address: "127.0.0.1:20001"}
	if r := routesFor("local", []andon.Desired{d}, copies)[0]; r.MaxInFlight != 2*7 {
		t.Errorf("with two healthy copies, %d requests may be in flight", r.MaxInFlight)
	}
}
