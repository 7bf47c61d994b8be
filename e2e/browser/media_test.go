package browser_test

import "github.com/andon-cd/andon/e2e/browser"

// mediaAreKept: what moves stands still for those who ask for that, and paper has no navigation, no
// buttons, and is white. The page that is shown is the board.
func mediaAreKept(b *tab) {
	b.t.Helper()
	eval[bool](b, `document.querySelector("#row-shop td:last-child").append(Object.assign(document.createElement("div"), {className: "moving", textContent: "→"})), true`)
	const moves = `document.getAnimations().length > 0`
	if !eval[bool](b, moves) {
		b.t.Error("what moves does not")
	}
	b.look(browser.Look{Width: desk.Width, Height: desk.Height, Still: true})
	if eval[bool](b, moves) {
		b.t.Error("something moves before the eyes of those who asked for stillness")
	}
	b.look(browser.Look{Width: 794, Height: 1123, Media: "print", Dark: true})
	if eval[bool](b, `document.querySelector("nav").checkVisibility() || document.querySelector(".skip").checkVisibility()`) {
		b.t.Error("the navigation is printed")
	}
	if paper := b.colour("body"); paper != "rgb(255, 255, 255)" {
		b.t.Errorf("the paper is %s", paper)
	}
	if !eval[bool](b, `document.querySelector("#row-shop .live").checkVisibility()`) {
		b.t.Error("the rows are not printed")
	}
	b.look(desk)
}
