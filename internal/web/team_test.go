package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/line"
)

// ofTeam returns the least that a service of a team says; without one, it has none.
func ofTeam(service, team string) string {
	if team != "" {
		team = "team: " + team + "\n"
	}
	return "service: " + service + "\n" + team + "commit: {jobs: {test: {steps: [make]}}}\n"
}

// threeTeams has services of two teams, and one of none.
func threeTeams(t *testing.T) *site {
	s := newSite(t)
	for i, yaml := range []string{ofTeam("pay", "checkout"), ofTeam("cart", "checkout"), ofTeam("find", "search"), ofTeam("stray", "")} {
		s.plant.Push(enginetest.Commit(i+1), "main", "Ada <ada@example.com>", "first", yaml)
	}
	s.signIn()
	return s
}

// boardRows returns the services that a board has rows of.
func boardRows(body string) (names []string) {
	for _, part := range strings.Split(body, `<tr id="row-`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		names = append(names, name)
	}
	return names
}

func TestBoard_OfATeamHasItsServicesAndEveryStop(t *testing.T) {
	s := threeTeams(t)
	for path, want := range map[string]string{
		"/board": "cart find pay stray", "/board?team=checkout": "cart pay", "/board?team=search": "find", "/board?team=-": "stray",
		"/board?team=search&rotate=30s": "find",
	} {
		if got := strings.Join(boardRows(s.page(path, http.StatusOK)), " "); got != want {
			t.Errorf("%s has rows of %s, not %s", path, got, want)
		}
	}
	s.plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopeService, Service: "pay"}, Reason: "orders are lost"})
	elsewhere := s.page("/board?team=search", http.StatusOK)
	for _, want := range []string{"orders are lost", "1 elsewhere", `data-state="stopped"`, "The line runs"} {
		if !strings.Contains(elsewhere, want) {
			t.Errorf("the board of another team does not say %q", want)
		}
	}
	own := s.page("/board?team=checkout", http.StatusOK)
	if !strings.Contains(own, "The line stands") || strings.Contains(own, "elsewhere") {
		t.Error("the board of the team does not say that its line stands")
	}
	s.plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "lunch"})
	if both := s.page("/board?team=search", http.StatusOK); strings.Index(both, "lunch") > strings.Index(both, "orders are lost") {
		t.Error("what stops a team's own line does not come first")
	}
	for path, status := range map[string]int{
		"/board?team=nobody": http.StatusNotFound, "/board?team=No+Body": http.StatusBadRequest, "/board?team=<b>": http.StatusBadRequest,
		"/board?rotate=often": http.StatusBadRequest, "/board?rotate=1s": http.StatusBadRequest, "/board?rotate=61m": http.StatusBadRequest, "/board?rotate=-30s": http.StatusBadRequest,
	} {
		s.page(path, status)
	}
}

func TestBoard_ShowsTheNewestStopsAndCountsTheOthers(t *testing.T) {
	s := threeTeams(t)
	for n := 1; n <= 12; n++ {
		name := andon.ServiceName(fmt.Sprintf("service-%d", n))
		s.plant.Do(line.AddService{Service: name})
		s.plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopeService, Service: name}, Reason: fmt.Sprintf("stop number %d.", n)})
	}
	page := s.page("/board", http.StatusOK)
	for n := 1; n <= 12; n++ {
		if shown := strings.Contains(page, fmt.Sprintf("stop number %d.", n)); shown != (n > 2) {
			t.Errorf("stop number %d is shown: %v", n, shown)
		}
	}
	if !strings.Contains(page, "and 2 more cords") || strings.Index(page, "stop number 12.") > strings.Index(page, "stop number 3.") {
		t.Error("the newest stop does not come first, or the others are not counted")
	}
}

func TestBoard_OfATeamFollowsItAsServicesComeAndGo(t *testing.T) {
	s := threeTeams(t)
	found := editionOf.FindStringSubmatch(s.page("/board?team=search", http.StatusOK))
	next := s.follow("/board/live?team=search&after="+found[1], "")
	s.plant.Push(enginetest.Commit(10), "main", "Ada", "ours now", ofTeam("stray", "search"))
	for c := next(); c.name != "anew"; c = next() {
		if c.parts["row-stray"] != "" {
			t.Fatal("a row comes that the page has no place for")
		}
	}
	page := s.page("/board?team=search", http.StatusOK)
	if got := strings.Join(boardRows(page), " "); got != "find stray" {
		t.Errorf("the team has %s", got)
	}
	next = s.follow("/board/live?team=search&after="+editionOf.FindStringSubmatch(page)[1], "")
	s.plant.Push(enginetest.Commit(11), "main", "Ada", "not ours", ofTeam("cart", "checkout"))
	s.plant.Push(enginetest.Commit(12), "main", "Ada", "ours", ofTeam("find", "search"))
	for c := next(); !strings.Contains(c.parts["row-find"], "ours"); c = next() {
		if c.name != "parts" || c.parts["row-cart"] != "" {
			t.Fatalf("what another team does is sent: %v", c)
		}
	}
	s.plant.Push(enginetest.Commit(13), "main", "Ada", "theirs", ofTeam("find", "checkout"))
	s.plant.Push(enginetest.Commit(14), "main", "Ada", "theirs", ofTeam("stray", "checkout"))
	for c := next(); c.name != "anew"; c = next() {
		if c.parts["row-cart"] != "" {
			t.Fatal("what another team does is sent")
		}
	}
	s.page("/board?team=search", http.StatusNotFound)
}

func TestBoard_GoesFromTeamToTeam(t *testing.T) {
	s := threeTeams(t)
	for path, want := range map[string]string{
		"/board?rotate=30s":                       "/board?rotate=30s&team=checkout",
		"/board/next?rotate=30s&team=checkout":    "/board?rotate=30s&team=search",
		"/board/next?rotate=30s&team=search":      "/board?rotate=30s&team=-",
		"/board/next?rotate=30s&team=-":           "/board?rotate=30s&team=checkout",
		"/board/next?rotate=2m&team=gone-already": "/board?rotate=2m&team=search",
		"/board?rotate=30s&team=zz-gone":          "/board?rotate=30s&team=-",
	} {
		answer, _ := s.do(http.MethodGet, path, nil)
		if got := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("%s leads to %s with %s, not to %s", path, got, answer.Status, want)
		}
	}
	alone := twoServices(t)
	if got := strings.Join(boardRows(alone.page("/board?rotate=30s", http.StatusOK)), " "); got != "cart shop" {
		t.Errorf("a plant without teams shows %s", got)
	}
	if answer, _ := alone.do(http.MethodGet, "/board/next?rotate=30s", nil); answer.Header.Get("Location") != "/board?rotate=30s" {
		t.Errorf("a plant without teams turns to %s", answer.Header.Get("Location"))
	}
}

func TestBoard_ShowsACommitOfTheEstateThatWasRefused(t *testing.T) {
	s := twoServices(t)
	next := s.watch("?after="+s.edition(), "")
	s.plant.Do(line.FollowEstate{Source: andon.Source{URL: "https://git.example/estate.git", Trunk: "main"}})
	bad := andon.Errorf(andon.KindInvalid, "unknown key %q", hostile).WithHint("did you mean strategy?")
	bad.File, bad.Line, bad.Column = "environments/production.yaml", 3, 1
	s.plant.Do(line.RefuseEstate{Commit: enginetest.Commit(77), Problems: []*andon.Error{bad, bad}})
	c := next()
	for !strings.Contains(c.parts["stops"], "of the estate was refused") {
		c = next()
	}
	for _, want := range []string{"environments/production.yaml:3:1: unknown key", "did you mean strategy?", "and 1 more"} {
		if !strings.Contains(c.parts["stops"], want) {
			t.Errorf("the board does not say %q: %s", want, c.parts["stops"])
		}
	}
	s.harmless("the board", s.page("/board", http.StatusOK))
	var environments []andon.Environment
	s.plant.View(func(st *line.State) {
		for _, e := range st.Environments {
			environments = append(environments, *e)
		}
	})
	s.plant.Do(line.ApplyEstate{Commit: enginetest.Commit(78), Environments: environments, Origin: andon.EstateWatched})
	for strings.Contains(c.parts["stops"], "refused") || c.parts["stops"] == "" {
		c = next()
	}
}
