package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/line"
)

// gatedYAML is a pipeline that a person lets versions through to production.
const gatedYAML = `service: shop
commit:
  jobs:
    build: {steps: [{run: mkdir -p out}]}
  artifact: {path: out}
run: {command: ./shop, port: 8080}
stages:
  - {name: acceptance, deploy: test, jobs: {accept: {steps: [{run: ./accept}]}}}
  - {name: production, deploy: production, approval: {}}
`

// gated is a site whose versions 1 to n wait for a person before production, superseding each
// other.
func gated(t *testing.T, n int) *site {
	s := newSite(t)
	for i := 1; i <= n; i++ {
		s.plant.Push(enginetest.Commit(i), "main", hostile, hostile, gatedYAML)
		s.plant.Settle(nil)
	}
	s.signIn()
	return s
}

// has fails unless a page has all of some texts.
func (s *site) has(path string, wants ...string) {
	s.t.Helper()
	page := s.page(path, http.StatusOK)
	s.harmless(path, page)
	for _, want := range wants {
		if !strings.Contains(page, want) {
			s.t.Errorf("%s lacks %q:\n%s", path, want, page)
		}
	}
}

// refused fails unless a page says why something cannot be done, and has no button for it.
func (s *site) refused(path string, status int, wants ...string) {
	s.t.Helper()
	page := s.page(path, status)
	s.harmless(path, page)
	if strings.Contains(page, "<form method=\"post\"") {
		s.t.Errorf("%s has a button for what is refused:\n%s", path, page)
	}
	for _, want := range wants {
		if !strings.Contains(page, want) {
			s.t.Errorf("%s lacks %q:\n%s", path, want, page)
		}
	}
}

// version reads a version of the shop.
func (s *site) version(n andon.VersionNumber) (v line.Version) {
	s.plant.View(func(state *line.State) { v = *state.Version(andon.VersionRef{Service: "shop", Number: n}) })
	return v
}

func TestPromotePage_ShowsThePlanOfTheStageAndLetsTheVersionIn(t *testing.T) {
	s := gated(t, 1)
	const path = "/services/shop/versions/1/promote"
	s.has(path, "Promote shop 1 into stage production", "deploys to production", "The plan", "It may be left empty")
	s.confirmed(path, "", "/services/shop/versions/1")
	s.plant.Settle(nil)
	if s.live() != 1 {
		t.Errorf("%d is live", s.live())
	}
	s.refused(path, http.StatusConflict, "shop 1 went through all its stages")
	s.refused("/services/shop/versions/1/promote?stage=production", http.StatusConflict, "the way of shop 1 is over")
	s.refused("/services/shop/versions/1/promote?stage=nowhere", http.StatusBadRequest, "has no stage nowhere")
	s.refused("/services/shop/versions/9/promote", http.StatusNotFound, "there is no version shop 9")
	s.refused("/services/shop/versions/x/promote", http.StatusBadRequest, "is not the number of a version")
	s.refused("/services/%3Cb%3E/versions/1/promote", http.StatusNotFound, "there is no service &lt;b&gt;")
}

func TestDeployPage_AsksWhereThenShowsThePlanAndDoesItOnce(t *testing.T) {
	s := twoVersions(t)
	const path = "/services/shop/versions/1/deploy"
	s.has(path, "To which environment?", `?environment=production`, "where version 2 is live")
	s.has(path+"?environment=production", "Deploy shop 1 to production", "The plan", "Versions that go", "test, where version 2")
	s.refused(path+"?environment=nowhere", http.StatusNotFound, "there is no environment nowhere")
	form := s.form(path+"?environment=production", "to compare")
	const deployed = "/services/shop/deployments/shop.production.3"
	for range 2 { // a double click
		if answer, body := s.send(path, form); answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != deployed {
			t.Fatalf("%s, to %q\n%s", answer.Status, answer.Header.Get("Location"), body)
		}
	}
	s.plant.Settle(nil)
	if s.live() != 1 {
		t.Errorf("%d is live", s.live())
	}
	s.plant.View(func(state *line.State) {
		if n := state.PlaceOf(andon.Place{Service: "shop", Environment: "production"}).Deployments; n != 3 {
			t.Errorf("%d deployments were planned", n)
		}
	})
	s.has(deployed, "to compare")
}

func TestChangePages_ShowAgainWhatHasChangedSinceItWasShown(t *testing.T) {
	s := twoVersions(t)
	const path = "/services/shop/versions/1/deploy?environment=production"
	form := s.form(path, "to compare")
	s.plant.Push(enginetest.Commit(3), "main", "Ada", "Change", shopYAML)
	s.plant.Settle(nil)
	answer, body := s.send(path, form)
	for _, want := range []string{"Things have changed since this was shown", "to compare", "The plan", "<form"} {
		if answer.StatusCode != http.StatusConflict || !strings.Contains(body, want) {
			t.Errorf("%s; the page lacks %q:\n%s", answer.Status, want, body)
		}
	}
	s.plant.Settle(nil)
	if s.live() != 3 {
		t.Errorf("%d is live", s.live())
	}
	s.confirmed(path, "to compare", "/services/shop/deployments/shop.production.4")
}

func TestDeployPage_SaysWhatItWouldWaitForAndWhoseTurnItTakes(t *testing.T) {
	s := twoVersions(t)
	s.plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopeEnvironment, Environment: "production"}, Reason: hostile})
	s.plant.Do(line.Deploy{Version: andon.VersionRef{Service: "shop", Number: 1}, Environment: "production"})
	s.has("/services/shop/versions/1/deploy?environment=production",
		"It will wait: the line is stopped for environment production", "It takes the turn of shop.production.3")
}

func TestCancelPages_SayWhatTheyCut(t *testing.T) {
	s := gated(t, 1)
	const path = "/services/shop/versions/1/cancel"
	s.has(path, "It waits for stage production, and will not enter it", "It can be run again later", "required")
	s.confirmed(path, hostile, "/services/shop/versions/1")
	if v := s.version(1); v.Ended == nil || v.Ended.Outcome != andon.Cancelled || !strings.Contains(v.Ended.Reason, hostile) {
		t.Errorf("it ended %+v", v.Ended)
	}
	s.refused(path, http.StatusConflict, "the way of shop 1 is over", "&lt;script&gt;")

	s.plant.Push(enginetest.Commit(2), "main", "Ada", "Change", gatedYAML)
	s.has("/services/shop/versions/2/cancel", "Job build of stage commit, which runs on agent test, is cut off")
}

func TestCancelPages_OfADeploymentThatHasNotBegun(t *testing.T) {
	s := twoVersions(t)
	s.plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "stop"})
	s.plant.Do(line.Deploy{Version: andon.VersionRef{Service: "shop", Number: 1}, Environment: "production"})
	const record = "/services/shop/deployments/shop.production.3"
	const path = record + "/cancel"
	s.has(record, ">version 2</a></dd>", "<dt>hosts</dt><dd>test") // as it would begin now
	s.has(path, "Abort shop.production.3", "It has not begun, and will not")
	s.confirmed(path, "not now", record)
	s.has(record, "cancelled", "It never began, and changed nothing.")
	if page := s.page(record, http.StatusOK); strings.Contains(page, "before it") || strings.Contains(page, "The plan") {
		t.Errorf("the record tells what came before what never was:\n%s", page)
	}
	s.refused(path, http.StatusConflict, "deployment shop.production.3 has ended")
	s.refused("/services/shop/deployments/shop.production.9/cancel", http.StatusNotFound, "no deployment shop.production.9 is on its way")
	s.refused("/services/cart/deployments/shop.production.3/cancel", http.StatusNotFound, "There is no deployment")

	const again = "/services/shop/deployments/shop.production.3/rerun"
	s.refused("/services/shop/deployments/shop.production.2/rerun", http.StatusNotFound, "is not the last deployment of its place")
	s.has(again, "Deploy shop 1 to production again", "The plan", "It will wait")
	s.confirmed(again, "", "/services/shop/deployments/shop.production.4")
}

func TestRerunPage_TakesAWayUpAgainWhereItEnded(t *testing.T) {
	s := newSite(t)
	s.plant.Fails = func(task andon.Task) bool { return task.Stage == "acceptance" }
	s.plant.Push(enginetest.Commit(1), "main", hostile, hostile, gatedYAML)
	s.plant.Settle(nil)
	s.plant.Fails = nil
	s.signIn()
	const path = "/services/shop/versions/1/rerun"
	s.has(path, "Run shop 1 again from stage acceptance", "Its way ended in stage acceptance", "then runs job accept", "cord-1 is released")
	s.refused(path+"?stage=production", http.StatusForbidden, "cannot go on at stage production")
	s.refused(path+"?stage=commit", http.StatusForbidden, "a version is built once")
	s.confirmed(path, "", "/services/shop/versions/1")
	s.plant.Settle(nil)
	if v := s.version(1); v.Ended != nil || v.Stage() != "production" {
		t.Errorf("it is in stage %s, ended %+v", v.Stage(), v.Ended)
	}
	s.refused(path, http.StatusConflict, "shop 1 is on its way")
}

func TestCordPages_PullAndRelease(t *testing.T) {
	for path, scope := range map[string]string{
		"/services/shop/cord": "service shop", "/environments/production/cord": "environment production", "/cord": "the plant",
	} {
		s := gated(t, 1)
		s.has(path, "Stop the line for "+scope, "Commits still build", "shop 1, waits for stage production", "required")
		s.confirmed(path, hostile, "/board")
		s.plant.Do(line.Promote{Version: andon.VersionRef{Service: "shop", Number: 1}, Stage: "production"})
		s.has(path, "Let the line run again for "+scope, "cord-1: pulled for "+scope+" by admin", "&lt;script&gt;", "shop 1, before stage production")
		s.refused(path+"?do=pull", http.StatusConflict, "is stopped for "+scope+" already", "release the cord that is pulled")
		s.has(path+"?cord=cord-1", "Release cord-1")
		s.refused(path+"?cord=cord-7", http.StatusNotFound, "no cord cord-7 is pulled")
		form := s.form(path, "it is well")
		s.plant.Do(line.ReleaseCord{Cord: "cord-1", Reason: "somebody else was faster"})
		if answer, body := s.send(path, form); answer.StatusCode != http.StatusConflict || !strings.Contains(body, "Things have changed") {
			t.Errorf("%s: a release of what is released: %s\n%s", path, answer.Status, body)
		}
		s.plant.Do(line.PullCord{Scope: scopeOf(scope), Reason: "again"})
		s.confirmed(path, "it is well", "/board")
		s.plant.View(func(state *line.State) {
			if len(state.Cords) > 0 {
				t.Errorf("%s: %d cords are pulled", path, len(state.Cords))
			}
		})
	}
	s := gated(t, 1)
	s.refused("/services/cart/cord", http.StatusNotFound, "there is no service cart")
	s.refused("/environments/moon/cord", http.StatusNotFound, "there is no environment moon")
}

func TestCordPages_ReleaseOnlyTheCordsOfTheirScope(t *testing.T) {
	s := gated(t, 1)
	s.plant.Do(line.PullCord{Scope: scopeOf("the plant"), Reason: "stop"})
	s.refused("/services/shop/cord?cord=cord-1", http.StatusNotFound, "cord-1 is not pulled for service shop")
}

func scopeOf(words string) andon.Scope {
	kind, name, _ := strings.Cut(words, " ")
	switch kind {
	case "service":
		return andon.Scope{Kind: andon.ScopeService, Service: andon.ServiceName(name)}
	case "environment":
		return andon.Scope{Kind: andon.ScopeEnvironment, Environment: andon.EnvironmentName(name)}
	default:
		return andon.Scope{Kind: andon.ScopePlant}
	}
}
