package browser_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/andon-cd/andon/e2e/browser"
	"github.com/andon-cd/andon/e2e/planttest"
)

//go:embed testdata/axe/axe.min.js
var axe string

// A violation is a rule of axe that a page breaks.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML           string
		FailureSummary string
	}
}

// violations asks axe what is wrong with the page that is shown, with all its rules, those of WCAG
// 2.2 and of best practice among them.
func (b *tab) violations() []violation {
	b.t.Helper()
	if !eval[bool](b, "typeof window.axe === 'object'") {
		if _, err := browser.Eval[bool](b.Tab, axe+"\n;true"); err != nil {
			b.t.Fatal(err)
		}
	}
	found := eval[string](b, `axe.run(document, {resultTypes: ["violations"], rules: {"target-size": {enabled: true}}}).then((r) => JSON.stringify(r.violations))`)
	var all []violation
	if err := json.Unmarshal([]byte(found), &all); err != nil {
		b.t.Fatal(err)
	}
	return all
}

// accessible fails the test for each violation, at a desk and on a phone, in light and in dark.
func (b *tab) accessible(page string) {
	b.t.Helper()
	found := map[string][]string{} // what is wrong → in which looks
	for _, l := range []browser.Look{desk, phone} {
		if b.look(l); eval[int64](b, "document.documentElement.scrollWidth") > l.Width {
			b.t.Errorf("%s has to be scrolled sideways at a width of %d: %s", page, l.Width, eval[string](b, tooWide))
		}
		for _, l.Dark = range []bool{false, true} {
			b.look(l)
			look := fmt.Sprintf("%d wide, dark %t", l.Width, l.Dark)
			for _, v := range b.violations() {
				for _, n := range v.Nodes {
					what := fmt.Sprintf("%s (%s): %s\n  %.300s\n  %s", v.ID, v.Impact, v.Help, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " "))
					found[what] = append(found[what], look)
				}
			}
		}
	}
	for what, looks := range found {
		b.t.Errorf("%s, %s: %s", page, strings.Join(looks, "; "), what)
	}
	b.look(desk)
}

// tooWide names what sticks out of the page.
const tooWide = `[...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scrolls"))
  .map((e) => e.localName + "." + e.className + " " + e.textContent.trim().slice(0, 40)).slice(0, 3).join(" | ")`

// everyPageIsAccessible judges every page of a plant as it is now.
func everyPageIsAccessible(b *tab, p *planttest.Plant) {
	b.t.Helper()
	pages, err := browser.Pages(b.t.Context(), p.Client)
	b.must(err)
	stranger := openTab(b.t, p.URL)
	for _, page := range pages {
		who := b
		if page.Anyone {
			who = stranger
		}
		if page.Status != 0 {
			who.except = append(who.except, fmt.Sprintf("the server responded with a status of %d", page.Status))
		}
		who.open(page.Path)
		who.accessible(page.Name)
	}
}
