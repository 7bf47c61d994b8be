package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/line"
)

func TestQueue_SaysWhatAnEmptyOneMeans(t *testing.T) {
	s := newSite(t)
	s.signIn()
	s.has("/queue", "Nothing waits: no cord holds anything", "Nothing is on its way either", `data-live="/queue/live"`, `data-state="running"`)
	s.plant.Push(enginetest.Commit(1), "main", "Ada", "Change", shopYAML)
	s.has("/queue", "Waits for a host", "no agent is connected", "job build waits for an agent")
	s.plant.Settle(nil)
	s.plant.Push(enginetest.Commit(2), "main", "Ada", "Change", shopYAML)
	s.has("/queue", "Nothing waits", "1 on its way goes on by itself")
}

func TestQueue_SaysWhoUnblocksWhatAndLeadsThere(t *testing.T) {
	s := gated(t, 1)
	s.has("/queue", "One thing waits", "Waits for a person", "Anybody who may promote it",
		`href="/services/shop/versions/1/promote"`, "shop 1</a></strong>, production")
	s.has("/services/shop/versions/1/promote", "Promote shop 1 into stage production") // where it leads
	s.plant.Pass(time.Minute)
	s.plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopeService, Service: "shop"}, Reason: hostile})
	s.plant.Do(line.Promote{Version: andon.VersionRef{Service: "shop", Number: 1}, Stage: "production"})
	s.has("/queue", "The line stands", "&lt;script&gt;", "admin, who pulled cord-1, or anybody else with a reason",
		`href="/services/shop/cord?cord=cord-1"`, `data-state="stopped"`)
	s.has("/services/shop/cord?cord=cord-1", "Release cord-1")
}

func TestQueue_SaysWhenWhatGoesOnShouldEndIfTheRecordsSay(t *testing.T) {
	s := twoVersions(t)
	place := andon.Place{Service: "shop", Environment: "production"}
	s.plant.Do(line.Deploy{Version: andon.VersionRef{Service: "shop", Number: 1}, Environment: "production"})
	s.plant.Do(line.Deploy{Version: andon.VersionRef{Service: "shop", Number: 2}, Environment: "production"})
	s.plant.CaughtUp()
	s.plant.View(func(state *line.State) {
		if p := state.PlaceOf(place); p.Active == nil || len(p.Queued) != 1 {
			t.Fatalf("active %+v, queued %+v", p.Active, p.Queued)
		}
	})
	page := s.page("/queue", http.StatusOK)
	for _, want := range []string{"It goes on, and others wait their turn", "Should end at", "from the last like it", "shop.production.4", `href="/services/shop/deployments/shop.production.3/cancel"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}
