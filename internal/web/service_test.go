package web_test

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/line"
)

var (
	pictureLink = regexp.MustCompile(`(?s)<a href="[^"]*" aria-label="([^"]*)"><rect class="hit".*?(<text.*?)</a>`)
	anyTag      = regexp.MustCompile(`<title>.*?</title>|<[^>]*>`)
)

func TestService_NamesTheLinksOfItsPictureByWhatIsSeen(t *testing.T) {
	s := newSite(t)
	s.signIn()
	s.plant.Push(enginetest.Commit(1), "main", "Ada", "Open the shop", shopYAML)
	s.plant.Settle(nil)
	s.plant.Push(enginetest.Commit(2), strings.Repeat("a-long-branch-", 6), "Ada", strings.Repeat("商店开门", 20), shopYAML)
	s.plant.Do(line.Deploy{Version: andon.VersionRef{Service: "shop", Number: 1}, Environment: "test"}) // it moves
	body := s.shows("/services/shop", "商店开门", "…")
	links := pictureLink.FindAllStringSubmatch(body, -1)
	if len(links) < 10 {
		t.Fatalf("%d links in\n%s", len(links), body)
	}
	for _, link := range links {
		label, seen := html.UnescapeString(link[1]), html.UnescapeString(anyTag.ReplaceAllString(link[2], ""))
		if seen = strings.TrimSpace(strings.TrimLeft(seen, "✓✕▸‖·→↶ ")); seen == "" || !strings.Contains(label, seen) {
			t.Errorf("the link that shows %q is called %q", seen, label)
		}
	}
}

func TestService_DrawsALineOfAnyLength(t *testing.T) {
	s := newSite(t)
	s.signIn()
	yaml := &strings.Builder{}
	yaml.WriteString("service: shop\ncommit:\n  jobs:\n")
	for i := range 12 {
		fmt.Fprintf(yaml, "    job-%02d: {steps: [{run: make}]}\n", i)
	}
	yaml.WriteString("stages:\n")
	for i := range 9 {
		fmt.Fprintf(yaml, "  - {name: stage-%d, approval: {}}\n", i)
	}
	s.plant.Push(enginetest.Commit(1), "main", "Ada", "Open the shop", yaml.String())
	for n := range 6 { // more than are named at one stage
		s.plant.Push(enginetest.Commit(n+2), "main", "Ada", "Wait for it", yaml.String())
	}
	s.shows("/services/shop", "across long", "The line of shop has 10 stages", "Stage stage-8", ">job-07<", ">and 4 more<", "and 3 more", "not", ">job-08<")
	s.plant.Do(line.AddService{Service: "empty"})
	s.plant.CaughtUp()
	s.shows("/services/empty", "No commit of the trunk has a pipeline yet", "Nothing is on its way.", "not", "<svg")
}
