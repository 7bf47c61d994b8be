package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/line"
)

const rollbackPage = "/services/shop/environments/production/rollback"

// twoVersions is a site whose production had version 1, and has version 2.
func twoVersions(t *testing.T) *site {
	s := newSite(t)
	for n := 1; n <= 2; n++ {
		s.plant.Push(enginetest.Commit(n), "main", "Ada", "Change", shopYAML)
		s.plant.Settle(nil)
	}
	s.signIn()
	return s
}

// live returns what is live in production.
func (s *site) live() (n andon.VersionNumber) {
	s.plant.View(func(state *line.State) {
		n = state.PlaceOf(andon.Place{Service: "shop", Environment: "production"}).Live.Version
	})
	return n
}

func TestRollbackPage_ShowsThePlanAndDoesItForAReason(t *testing.T) {
	s := twoVersions(t)
	page := s.page("/services/shop/deployments/shop.production.2", http.StatusOK)
	if !strings.Contains(page, `href="`+rollbackPage+`"`) || !strings.Contains(page, "Roll back to 1") {
		t.Errorf("the page of what is live leads to no rollback:\n%s", page)
	}
	page = s.page(rollbackPage, http.StatusOK)
	for _, want := range []string{"back to version 1", "Version 2 will be quarantined", "The plan", "Versions that go", `method="post"`, `name="reason"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	s.harmless(rollbackPage, page)
	if s.live() != 2 {
		t.Fatal("looking at the plan does it")
	}
	answer, body := s.do(http.MethodPost, rollbackPage, url.Values{"reason": {" orders are lost "}}, "Sec-Fetch-Site", "same-origin")
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/services/shop/deployments/shop.production.3" {
		t.Fatalf("%s, %v\n%s", answer.Status, answer.Header, body)
	}
	s.plant.Settle(nil)
	if s.live() != 1 {
		t.Errorf("%d is live", s.live())
	}
	page = s.page("/services/shop/deployments/shop.production.3", http.StatusOK)
	for _, want := range []string{"↶ Back to", "orders are lost", "admin", "succeeded"} {
		if !strings.Contains(page, want) {
			t.Errorf("the record lacks %q:\n%s", want, page)
		}
	}
	if page := s.page("/services/shop/deployments/shop.production.2", http.StatusOK); !strings.Contains(page, "quarantined") {
		t.Errorf("the record of the bad version does not say so:\n%s", page)
	}
}

func TestChangeForms_AreTakenFromOurOwnPagesAlone(t *testing.T) {
	s := twoVersions(t)
	reason := url.Values{"reason": {"because"}}
	for name, header := range map[string][]string{
		"another site":     {"Sec-Fetch-Site", "cross-site"},
		"a sibling":        {"Sec-Fetch-Site", "same-site"},
		"typed":            {"Sec-Fetch-Site", "none"},
		"no browser":       nil,
		"an opaque origin": {"Origin", "null"},
		"another's origin": {"Origin", "https://evil.example"},
	} {
		for _, path := range []string{rollbackPage, "/services/shop/deployments/shop.production.2/cancel"} {
			if answer, _ := s.do(http.MethodPost, path, reason, header...); answer.StatusCode != http.StatusForbidden {
				t.Errorf("%s from %s: %s", path, name, answer.Status)
			}
		}
	}
	for name, form := range map[string]url.Values{"no reason": {"reason": {"  "}}, "a long one": {"reason": {strings.Repeat("x", 2000)}}} {
		if answer, _ := s.do(http.MethodPost, rollbackPage, form, "Sec-Fetch-Site", "same-origin"); answer.StatusCode != http.StatusBadRequest {
			t.Errorf("with %s: %s", name, answer.Status)
		}
	}
	s.plant.Settle(nil)
	if s.live() != 2 {
		t.Error("something was rolled back")
	}
	if answer, body := s.do(http.MethodPost, rollbackPage, reason, "Origin", s.server.URL); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("an older browser, from our page: %s\n%s", answer.Status, body)
	}
}
