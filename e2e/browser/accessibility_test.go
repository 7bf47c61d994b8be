package browser_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/andon-cd/andon/e2e/browser"
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

// What axe judges by: all its rules, those of WCAG 2.2 and of best practice among them; or those that
// look at colours.
const (
	allRules = `{resultTypes: ["violations"], rules: {"target-size": {enabled: true}}}`
	ofColour = `{resultTypes: ["violations"], runOnly: {type: "rule", values: ["color-contrast", "link-in-text-block"]}}`
)

// violations asks axe what is wrong with the page that is shown.
func (b *tab) violations(rules string) []violation {
	b.t.Helper()
	if !eval[bool](b, "typeof window.axe === 'object'") {
		if _, err := browser.Eval[bool](b.Tab, axe+"\n;true"); err != nil {
			b.t.Fatal(err)
		}
	}
	found := eval[string](b, "axe.run(document, "+rules+").then((r) => JSON.stringify(r.violations))")
	var all []violation
	if err := json.Unmarshal([]byte(found), &all); err != nil {
		b.t.Fatal(err)
	}
	return all
}

// faults returns what is wrong with the page that is shown at a desk and on a phone, in light and in
// dark, with the looks in which it is. The pages say each colour with light-dark(), and nothing else
// in another way for the dark, so that there the rules of colours can differ and no others:
// schemesApart holds them to that.
func (b *tab) faults() map[string][]string {
	b.t.Helper()
	found := map[string][]string{}
	for _, l := range []browser.Look{desk, phone} {
		for _, l.Dark = range []bool{false, true} {
			rules := allRules
			if l.Dark {
				rules = ofColour
			}
			b.look(l)
			look := fmt.Sprintf("%d wide, dark %t", l.Width, l.Dark)
			for _, v := range b.violations(rules) {
				for _, n := range v.Nodes {
					what := fmt.Sprintf("%s (%s): %s\n  %.300s\n  %s", v.ID, v.Impact, v.Help, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " "))
					found[what] = append(found[what], look)
				}
			}
			if eval[int64](b, "document.documentElement.scrollWidth") > l.Width {
				what := "it has to be scrolled sideways: " + eval[string](b, tooWide)
				found[what] = append(found[what], look)
			}
		}
	}
	b.look(desk)
	return found
}

// accessible fails the test for each fault of the page that is shown.
func (b *tab) accessible(page string) {
	b.t.Helper()
	if eval[bool](b, schemesApart) {
		b.t.Errorf("%s has rules for one colour scheme alone", page)
	}
	for what, looks := range b.faults() {
		b.t.Errorf("%s, %s: %s", page, strings.Join(looks, "; "), what)
	}
}

// schemesApart reports whether a style sheet has rules for one colour scheme alone.
const schemesApart = `[...document.styleSheets].some((s) => [...s.cssRules].some((r) => r.conditionText?.includes("prefers-color-scheme")))`

// tooWide names what sticks out of the page.
const tooWide = `[...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scrolls"))
  .map((e) => e.localName + "." + e.className + " " + e.textContent.trim().slice(0, 40)).slice(0, 3).join(" | ")`
