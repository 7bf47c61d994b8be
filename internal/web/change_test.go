package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	nethtml "golang.org/x/net/html"

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

// form reads a page that asks whether something is to be done, and fills its form in.
func (s *site) form(path, reason string) url.Values {
	s.t.Helper()
	page := s.page(path, http.StatusOK)
	s.harmless(path, page)
	form := url.Values{}
	for tokens := nethtml.NewTokenizer(strings.NewReader(page)); ; {
		switch tokens.Next() {
		case nethtml.ErrorToken:
			return form
		case nethtml.StartTagToken, nethtml.SelfClosingTagToken:
			token := tokens.Token()
			if token.Data == "textarea" {
				form.Set("reason", reason)
			}
			if of := attributes(token); token.Data == "input" && of["type"] == "hidden" {
				form.Set(of["name"], of["value"])
			}
		}
	}
}

func attributes(token nethtml.Token) map[string]string {
	of := map[string]string{}
	for _, a := range token.Attr {
		of[a.Key] = a.Val
	}
	return of
}

// send sends a form as a browser does that shows our page.
func (s *site) send(path string, form url.Values) (*http.Response, string) {
	s.t.Helper()
	path, _, _ = strings.Cut(path, "?")
	return s.do(http.MethodPost, path, form, "Sec-Fetch-Site", "same-origin")
}

// confirm has done what a page shows.
func (s *site) confirm(path, reason string) (*http.Response, string) {
	s.t.Helper()
	return s.send(path, s.form(path, reason))
}

// confirmed has done what a page shows, and checks where that leads.
func (s *site) confirmed(path, reason, leadsTo string) {
	s.t.Helper()
	answer, body := s.confirm(path, reason)
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != leadsTo {
		s.t.Fatalf("%s: %s, to %q\n%s", path, answer.Status, answer.Header.Get("Location"), body)
	}
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
	s.confirmed(rollbackPage, " orders are lost ", "/services/shop/deployments/shop.production.3")
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
	if answer, _ := s.do(http.MethodPost, rollbackPage, reason, "Sec-Fetch-Site", "same-origin"); answer.StatusCode != http.StatusConflict {
		t.Errorf("without having seen what it does: %s", answer.Status)
	}
	for name, text := range map[string]string{"no reason": "  ", "a long one": strings.Repeat("ü", line.LongestReason+1)} {
		answer, body := s.confirm(rollbackPage, text)
		if answer.StatusCode != http.StatusBadRequest || !strings.Contains(body, "eason ") || !strings.Contains(body, "The plan") {
			t.Errorf("with %s: %s\n%s", name, answer.Status, body)
		}
	}
	s.plant.Settle(nil)
	if s.live() != 2 {
		t.Error("something was rolled back")
	}
	longest := strings.Repeat("ü\r\n", line.LongestReason/2) // as browsers send it
	if answer, body := s.do(http.MethodPost, rollbackPage, s.form(rollbackPage, longest), "Origin", s.server.URL); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("an older browser, from our page: %s\n%s", answer.Status, body)
	}
}
