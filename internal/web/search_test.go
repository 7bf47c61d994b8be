package web_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/engine/enginetest"
)

func searchFor(text string) string { return "/search?" + url.Values{"q": {text}}.Encode() }

func TestSearch_LeadsToTheOneThingThatIsMeant(t *testing.T) {
	s := twoVersions(t)
	for text, want := range map[string]string{
		"shop 2":                     "/services/shop/versions/2",
		"shop@1":                     "/services/shop/versions/1",
		string(enginetest.Commit(2)): "/services/shop/versions/2",
		"shop.production.1":          "/services/shop/deployments/shop.production.1",
		"shop":                       "/services/shop",
	} {
		answer, body := s.do(http.MethodGet, searchFor(text), nil)
		if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != want {
			t.Errorf("%q: %s, to %q\n%s", text, answer.Status, answer.Header.Get("Location"), body)
		}
	}
}

func TestSearch_ListsWhatIsLikeATextWithTheBoxInEveryFrame(t *testing.T) {
	s := newSite(t)
	s.hostileStory()
	s.signIn()
	shown := html.EscapeString(hostile)
	s.has(searchFor("alert"), "By author", shown, `href="/services/shop/versions/3"`)
	s.has(searchFor("shop.production"), "Deployments", `href="/services/shop/deployments/shop.production.1"`)
	s.has(searchFor("nothing-of-that-name"), "Nothing is called “nothing-of-that-name”")
	s.has(searchFor(hostile), shown)
	s.has(searchFor(strings.Repeat("x", 300)), "longer than 200 bytes")
	s.has("/search", `name="q"`)
	s.has("/queue", `role="search" action="/search"`, `aria-keyshortcuts="/"`)
}
