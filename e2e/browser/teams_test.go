package browser_test

import (
	"testing"

	"github.com/andon-cd/andon/e2e/planttest"
)

// countTurns lets a page count how often its clock has told the board to turn, and holds that clock
// until it is let go.
const countTurns = `window.turns = 0;
window.held = true;
const set = window.setInterval;
window.setInterval = (act, after) => set(after === 5000 ? () => { if (!window.held) { act(); window.turns++; } } : act, after);`

// TestBoard_TurnsFromTeamToTeam: a board on a wall shows one team after the other, each of them live,
// without being loaded again; and stays while somebody uses it.
func TestBoard_TurnsFromTeamToTeam(t *testing.T) {
	needChromium(t)
	t.Parallel()
	p := planttest.Start(t)
	newTeamwork(p, "shop", "checkout").Push()
	depot := newTeamwork(p, "depot", "store")
	depot.Push()
	b := openSignedIn(t, p.URL, p.Token)
	b.must(b.Before(countTurns))
	b.open("/board?rotate=5s")
	b.mark()
	b.sees("#row-shop")
	if at := eval[string](b, "location.search"); at != "?rotate=5s&team=checkout" {
		t.Errorf("the board begins at %s", at)
	}
	eval[bool](b, "(window.held = false, true)")

	b.holds(`location.search === "?rotate=5s&team=store" && document.title.startsWith("store · Board") &&
  document.querySelector("#row-shop") === null && (document.querySelector("#row-depot a").focus(), window.turns = 0, window.used = document.querySelector(".board"), true)`)
	depot.Commit("Change nothing", nil)
	depot.Push()
	b.sees("#row-depot .ways a", "2")
	b.holds("window.turns >= 2") // what the first one would do is done long before the second
	if !eval[bool](b, `window.used === document.querySelector(".board")`) {
		t.Error("the board turns from somebody who uses it")
	}

	eval[bool](b, `(document.activeElement.blur(), true)`)
	b.sees("#row-shop")
	b.stays()
}

// newTeamwork returns a repository of a service that a team is responsible for, and that runs nowhere.
func newTeamwork(p *planttest.Plant, service, team string) *planttest.Repository {
	p.T.Helper()
	r := p.NewRepository(service)
	r.Commit("Begin", planttest.Files{"andon.yaml": "service: " + service + "\nteam: " + team + "\ncommit:\n  jobs:\n    build:\n      steps: [exit 0]\n"})
	return r
}
