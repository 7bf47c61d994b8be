package browser_test

import "github.com/andon-cd/andon/e2e/browser"

// paper is an A4 sheet of somebody whose screen is dark.
var paper = browser.Look{Width: 794, Height: 1123, Media: "print", Dark: true}

// keepsMedia: nothing moves before those who ask for stillness; and paper is white, has nothing to
// click or to fill in, and shows what the page says.
func (b *tab) keepsMedia(page string) {
	b.t.Helper()
	b.look(browser.Look{Width: desk.Width, Height: desk.Height, Still: true})
	if eval[bool](b, moves) {
		b.t.Errorf("%s: something moves before the eyes of those who asked for stillness", page)
	}
	b.look(paper)
	if printed := eval[string](b, clickable); printed != "" {
		b.t.Errorf("%s: this is printed: %s", page, printed)
	}
	if white := b.colour("body"); white != "rgb(255, 255, 255)" {
		b.t.Errorf("%s: the paper is %s", page, white)
	}
	if !eval[bool](b, `document.querySelector("main h1").checkVisibility()`) {
		b.t.Errorf("%s: its title is not printed", page)
	}
	if eval[int64](b, "document.documentElement.scrollWidth") > paper.Width {
		b.t.Errorf("%s: it is wider than the paper: %s", page, eval[string](b, tooWide))
	}
	b.look(desk)
}

const (
	moves     = `document.getAnimations().length > 0`
	clickable = `[...document.querySelectorAll("nav, form, button, input, textarea, select, .button, .skip")]
  .filter((e) => e.checkVisibility()).map((e) => e.localName + "." + e.className).join(" ")`
)

// motionIsKept: what moves on the board that is shown stands still for those who ask for that.
func motionIsKept(b *tab) {
	b.t.Helper()
	// In one expression: the row may be drawn again at any moment.
	if !eval[bool](b, `document.querySelector("#row-shop td:last-child").append(Object.assign(document.createElement("div"), {className: "moving", textContent: "→"})), `+moves) {
		b.t.Error("what moves does not")
	}
	b.keepsMedia("a board on which something moves")
}
