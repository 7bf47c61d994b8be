package browser_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/andon-cd/andon/e2e/planttest"
)

// appearing bounds how long after its push a version may take to be on the board.
const appearing = time.Second

// noteVersions notes, in the page, when each version is shown first.
const noteVersions = `(() => {
  window.shown = {};
  const note = () => { for (const a of document.querySelectorAll("#row-shop .way a")) window.shown[a.textContent] ??= Date.now(); };
  note();
  new MutationObserver(note).observe(document.getElementById("main"), {childList: true, subtree: true});
  return true;
})()`

// TestLine takes a service through its line before the eyes of somebody who does nothing but look
// at the board, and then acts on what is shown.
func TestLine(t *testing.T) {
	needChromium(t)
	t.Parallel()
	p := planttest.Start(t)
	signsIn(t, p)
	b := openSignedIn(t, p.URL, p.Token)
	b.sees(".empty", "No service yet")
	shop := p.NewShop()
	shop.ShipFirst()
	b.sees("#row-shop .live", "1")
	b.icon("running", "Board")
	motionIsKept(b)

	b.open("/board")
	b.mark()
	pushesAppear(b, shop)
	lineStopsAndTurns(b, shop)
	lineRunsAgain(b, shop)
	b.stays()
	focusStays(b, shop)
	rollsBack(b, shop)
	pullsAndReleases(b)
	deploys(b, shop)
	b.accessible("the board of a line that runs")
}

// signsIn: a wrong token is told so, and the right one leads to the page that was asked for.
func signsIn(t *testing.T, p *planttest.Plant) {
	t.Helper()
	b := openTab(t, p.URL)
	b.except = append(b.except, "401 (Unauthorized)")
	b.open("/flow")
	b.must(b.SignIn("wrong"))
	b.sees(".wrong", "does not know this token")
	b.accessible("the sign-in with a wrong token")
	b.must(b.SignIn(p.Token))
	b.sees("h1", "Where the time")
	if path := eval[string](b, "location.pathname"); path != "/flow" {
		t.Errorf("signing in leads to %s", path)
	}
}

// fetching is how many milliseconds the page takes now to fetch the board and to read it: what a busy
// machine adds to everything.
const fetching = `(async () => {
  const began = Date.now();
  new DOMParser().parseFromString(await (await fetch("/board")).text(), "text/html");
  return Date.now() - began;
})()`

// pushesAppear: a push is on the board within a second, besides what the machine takes for any page.
// Three of at most nine are: a machine that stands still for a while is no fault of the plant.
func pushesAppear(b *tab, shop *planttest.Repository) {
	b.t.Helper()
	eval[bool](b, noteVersions)
	var told []string
	var last int64
	for inTime := 0; inTime < 3; {
		if len(told) == 9 {
			b.t.Errorf("pushes are on the board after %v", told)
			break
		}
		shop.Commit(fmt.Sprintf("Change %d", len(told)), planttest.Files{"files/answer.txt": fmt.Sprintf("hello %d\n", len(told)+2)})
		last = shop.Push()
		b.holds(fmt.Sprintf("window.shown[%d] > 0", last))
		v, err := shop.Plant.Client.Version(b.t.Context(), "shop", fmt.Sprint(last))
		b.must(err)
		took := time.UnixMilli(eval[int64](b, fmt.Sprintf("window.shown[%d]", last))).Sub(v.Created)
		floor := time.Duration(eval[int64](b, fetching)) * time.Millisecond
		told = append(told, fmt.Sprintf("%s, with a floor of %s", took.Round(time.Millisecond), floor))
		if took-floor <= appearing {
			inTime++
		}
	}
	b.t.Logf("from the event to the board: %v", told)
	shop.Plant.Wait(shop.Ref(last), "live:production")
	b.sees("#row-shop td:last-child .live", fmt.Sprint(last))
}

// lineStopsAndTurns: the board says in word, shape, colour and in the tab that the line stands.
func lineStopsAndTurns(b *tab, shop *planttest.Repository) {
	b.t.Helper()
	shop.Commit("Break the test", planttest.Files{"test.sh": "echo it is broken; exit 1\n"})
	broken := shop.Push()
	b.sees("#head.stopped", "■", "The line stands")
	b.sees("#stops .stop", "shop", "commit")
	b.sees("#row-shop.stopped", "■ stopped", fmt.Sprint(broken))
	b.icon("stopped", "■ ")
	if red := b.colour("#head .line"); red != "rgb(179, 38, 30)" {
		b.t.Errorf("a line that stands is %s", red)
	}
}

// colour returns the background of an element.
func (b *tab) colour(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("getComputedStyle(document.querySelector(%q)).backgroundColor", selector))
}

// lineRunsAgain: the first version that passes lets it run, and the board turns back.
func lineRunsAgain(b *tab, shop *planttest.Repository) {
	b.t.Helper()
	shop.Commit("Mend the test", planttest.Files{"test.sh": "exit 0\n", "files/answer.txt": "hello mended\n"})
	fix := shop.Push()
	b.sees("#head.running", "●", "The line runs")
	b.icon("running", "Board")
	b.sees("#row-shop td:last-child .live", fmt.Sprint(fix))
	if eval[bool](b, "document.querySelector('#row-shop.stopped, #stops .stop') !== null") {
		b.t.Error("something on the board still stands")
	}
	shop.Plant.Wait(shop.Ref(fix), "live:production")
}
