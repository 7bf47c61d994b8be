package httpapi

import (
	"strings"
	"testing"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

func TestStatus_CallsNothingHealthyThatNobodyAttests(t *testing.T) {
	p := newPlant(t)
	p.connect()
	p.push("a", "main", "Begin", shopYAML)
	p.settle()
	copies := func() (api.Copies, []api.Copy) {
		t.Helper()
		s, err := p.client.Service(t.Context(), "shop")
		p.must(err)
		return s.Places[0].Copies, s.Places[0].CopyList
	}
	if c, _ := copies(); c != (api.Copies{Wanted: 2, Healthy: 2, InTraffic: 2}) {
		t.Fatalf("copies = %+v", c)
	}
	check := func(when, reason string) {
		t.Helper()
		c, list := copies()
		if c != (api.Copies{Wanted: 2, Unattested: 2}) {
			t.Errorf("%s: copies = %+v", when, c)
		}
		for _, one := range list {
			if one.Phase != "" || one.InTraffic || !strings.Contains(one.Reason, reason) {
				t.Errorf("%s: %+v", when, one)
			}
		}
	}
	p.do(line.LoseAgent{Agent: "local", Epoch: p.epoch, Reason: "not heard of"})
	check("while the agent is away", "away")
	var welcome andon.Welcome
	p.say("hello", andon.Hello{Agent: "local", Slots: 2, Proxy: "http://127.0.0.1:8601"}, &welcome)
	p.epoch = welcome.Epoch
	check("before it has said what runs", "has not said yet")
	p.work()
	if c, _ := copies(); c != (api.Copies{Wanted: 2, Healthy: 2, InTraffic: 2}) {
		t.Errorf("after it has said what runs: copies = %+v", c)
	}
}

func TestStatus_ShowsThePlantAtAGlance(t *testing.T) {
	p := story(t)
	s, err := p.client.Status(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if s.Line != api.Stopped || len(s.Cords) != 1 || s.Cords[0].Fix.Stage != "acceptance" {
		t.Errorf("the line is %s, the cords %+v", s.Line, s.Cords)
	}
	shop := s.Services[0]
	if len(shop.OnItsWay) != 1 || shop.OnItsWay[0].Version != 4 || shop.OnItsWay[0].Stage != "commit" {
		t.Errorf("on its way: %+v", shop.OnItsWay)
	}
	if len(s.Environments) != 2 || s.Environments[0] != "test" || len(shop.Environments) != 2 {
		t.Fatalf("the environments are %v, shop's %+v", s.Environments, shop.Environments)
	}
	production := shop.Environments[1]
	if production.Live == nil || production.Live.Version != 2 || production.Copies != (api.Copies{Wanted: 2, Healthy: 2, InTraffic: 2}) {
		t.Errorf("production: %+v, live %+v", production, production.Live)
	}
	if len(production.URLs) != 1 || production.URLs[0] != "http://shop.localhost:8601" {
		t.Errorf("the URLs are %v", production.URLs)
	}
	if want := (api.Totals{Services: 1, OnTheirWay: 1, Cords: 1, Copies: 4, Healthy: 4, Agents: 1, TasksRunning: 2}); s.Totals != want {
		t.Errorf("totals %+v", s.Totals)
	}
	if _, err := p.client.Status(t.Context(), "nothing"); kindOf(err) != api.KindNotFound {
		t.Errorf("an unknown service: %v", err)
	}
}
