package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/andon-cd/andon/e2e/planttest"
)

// focused returns what has the focus: its address, or else its name.
const focused = `(() => { const e = document.activeElement; return e.getAttribute("href") || e.id || e.localName; })()`

func (b *tab) press(keys string) {
	b.t.Helper()
	b.must(b.Press(keys))
}

// TestKeyboard signs in, reads the board and goes to other pages without a mouse.
func TestKeyboard(t *testing.T) {
	needChromium(t)
	t.Parallel()
	p := planttest.Start(t)
	shop := p.NewShop()
	shop.ShipFirst()
	b := openTab(t, p.URL)
	b.except = append(b.except, "401 (Unauthorized)")
	b.open("/board")
	b.holds(`document.activeElement.id === "token"`) // by itself
	b.press(p.Token)
	b.press(kb.Enter)
	b.sees("#row-shop")

	var order []string
	for range 6 {
		b.press(kb.Tab)
		order = append(order, eval[string](b, focused))
		if !eval[bool](b, `(() => { const e = document.activeElement, r = e.getBoundingClientRect();
  return r.left >= 0 && r.right <= innerWidth && parseFloat(getComputedStyle(e).outlineWidth) >= 2; })()`) {
			t.Errorf("%s has the focus, and that is not to be seen", order[len(order)-1])
		}
	}
	if got := strings.Join(order, " "); !strings.HasPrefix(got, "#main /board /board /") {
		t.Errorf("the tab key leads to %s", got)
	}

	b.open("/board")
	b.press(kb.Tab)
	b.press(kb.Enter)
	b.press(kb.Tab)
	if !eval[bool](b, `document.getElementById("main").contains(document.activeElement)`) {
		t.Errorf("after the link to the content comes %s", eval[string](b, focused))
	}
	for n := 0; n < 10 && eval[string](b, focused) != "/services/shop/versions/1"; n++ {
		b.press(kb.Tab)
	}
	b.press(kb.Enter)
	b.holds(`location.pathname === "/services/shop/versions/1"`)
	b.sees("h1", "shop")
	slashSearches(b)
	keysOfALog(b, shop)
}

// slashSearches: the key leads to the search of the plant, in which it is a letter like others; what
// is found exactly is opened.
func slashSearches(b *tab) {
	b.t.Helper()
	b.open("/board")
	b.press("/")
	if is := eval[string](b, focused); is != "q" {
		b.t.Fatalf("the slash leads to %s", is)
	}
	b.press("/")
	if text := eval[string](b, `document.getElementById("q").value`); text != "/" {
		b.t.Errorf("a slash that is searched for is written %q", text)
	}
	b.press(kb.Backspace)
	b.press("shop 1")
	b.press(kb.Enter)
	b.holds(`location.pathname === "/services/shop/versions/1"`)
	b.open("/flow")
	b.press("/")
	b.press("shop")
	b.press(kb.Enter)
	b.holds(`location.pathname === "/services/shop"`)
}

// keysOfALog: each key that the page of a log names does what it says.
func keysOfALog(b *tab, shop *planttest.Repository) {
	b.t.Helper()
	v, err := shop.Plant.Client.Version(b.t.Context(), "shop", "1")
	b.must(err)
	b.open("/logs/" + v.Stages[0].Tasks[0].Attempts[0].Log)
	b.press("?")
	b.sees("#keys dd", "these keys")
	b.press("/")
	b.press("sh")
	b.press(kb.Enter)
	b.sees("#found li a")
	b.press(kb.Escape) // back to the lines
	b.holds(`document.activeElement.id === "lines"`)
	b.press("n")
	b.holds(`document.querySelector("#found li[aria-current]") !== null && document.querySelector("#lines .marked") !== null`)
	b.press("t")
	b.sees("#lines time")
	b.press("w")
	b.holds(`document.getElementById("lines").classList.contains("unwrapped")`)
	b.press("l")
	b.press("1")
	b.press(kb.Enter)
	b.holds(`location.hash === "#L1" && document.activeElement.id === "lines"`)
}

// noteFocus notes, in the page, what has the focus when the row has changed for the first time: a later
// change may be that of what the link leads to.
const noteFocus = `(() => {
  const row = document.getElementById("row-shop");
  new MutationObserver(() => { if (row !== document.getElementById("row-shop")) window.focusThen ??= ` + focused + `; })
    .observe(document.getElementById("main"), {childList: true, subtree: true});
  return true;
})()`

// focusStays: who has come to a link on the board with the keys stays there while the row changes.
func focusStays(b *tab, shop *planttest.Repository) {
	b.t.Helper()
	b.open("/board")
	const link = "#row-shop td:last-child .live"
	eval[bool](b, `(document.querySelector("`+link+`").focus(), true)`)
	was := eval[string](b, focused)
	shop.Commit("Change nothing", nil)
	eval[bool](b, noteFocus)
	version := shop.Push()
	b.holds(`"focusThen" in window`)
	if is := eval[string](b, "window.focusThen"); is != was {
		b.t.Errorf("the focus was on %s, and is on %s", was, is)
	}
	shop.Plant.Wait(shop.Ref(version), "live:production")
}
