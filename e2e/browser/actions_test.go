package browser_test

import (
	"fmt"
	"path"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/e2e/planttest"
)

// confirm has done what the page of a change shows, for a reason if it takes one.
func (b *tab) confirm(reason string) {
	b.t.Helper()
	b.sees("main form button[type=submit]")
	if eval[bool](b, `document.getElementById("reason") !== null`) {
		b.must(b.Type("#reason", reason))
	}
	b.click("main form button[type=submit]")
}

// rollsBack clicks the way from the board to a rollback: the version that is live, its deployment,
// the plan with the reason; and watches it to its end without loading the page again.
func rollsBack(b *tab, shop *planttest.Repository) {
	b.t.Helper()
	before := production(b, shop.Plant)
	b.open("/board")
	b.click("#row-shop td:last-child .live")
	b.click(`a[href="` + deploymentOf(b, shop.Plant, before.Live.Version) + `"]`)
	b.click(`.button[href$="/rollback"]`)
	b.sees("h1", fmt.Sprintf("Roll shop in production back to version %d", before.Rollback[0]))
	b.sees(".plan ol.steps li")
	b.click("main button[type=submit]") // without a reason the browser does not send it
	if eval[bool](b, "document.querySelector('textarea:invalid') === null") {
		b.t.Error("a rollback needs no reason")
	}
	b.confirm("it is a test of rolling back")
	b.sees("h1", "Back to")
	b.mark()
	b.sees("h1 .outcome", "succeeded")
	b.sees(".facts", "it is a test of rolling back")
	b.stays()
	if now := production(b, shop.Plant); now.Live.Version != before.Rollback[0] {
		b.t.Errorf("version %d is live, not %d", now.Live.Version, before.Rollback[0])
	}
}

// pullsAndReleases releases the cord that a rollback has pulled, pulls it, and releases it again.
func pullsAndReleases(b *tab) {
	b.t.Helper()
	b.open("/board")
	b.sees("#head.stopped", "The line stands") // until a later version comes, or now
	b.release()
	b.open("/services/shop/cord")
	b.sees("h1", "Stop the line for service shop")
	b.confirm("it is a test of pulling")
	b.sees("#head.stopped", "The line stands")
	b.sees("#stops .stop", "it is a test of pulling")
	b.icon("stopped", "■ ")
	b.release()
}

// release releases the cord that the board shows.
func (b *tab) release() {
	b.t.Helper()
	b.click("#stops .stop .how a")
	b.sees("h1", "Release cord")
	b.confirm("it is a test of releasing")
	b.sees("#head.running", "The line runs")
	b.icon("running", "Board")
}

// deploys brings what is live in production to test as well, where a later version is, from the page
// of the version.
func deploys(b *tab, shop *planttest.Repository) {
	b.t.Helper()
	version := production(b, shop.Plant).Live.Version
	b.open(fmt.Sprintf("/services/shop/versions/%d", version))
	b.click(`.choose a[href$="/deploy"]`)
	b.sees("h1", fmt.Sprintf("Deploy shop %d", version))
	b.click(`.choices a[href$="=test"]`)
	b.sees(".plan ol.steps li")
	b.confirm("it is a test of deploying")
	b.sees("h1 .outcome", "succeeded")
	b.open("/board")
	b.sees("#row-shop td:nth-last-child(2) .live", fmt.Sprint(version))
}

// production returns what the plant says of the shop in production.
func production(b *tab, p *planttest.Plant) api.PlaceDetail {
	b.t.Helper()
	service, err := p.Client.Service(b.t.Context(), "shop")
	b.must(err)
	for _, place := range service.Places {
		if place.Environment == "production" && place.Live != nil {
			return place
		}
	}
	b.t.Fatal("nothing is live in production")
	return api.PlaceDetail{}
}

// deploymentOf returns the page of a version's newest deployment to production.
func deploymentOf(b *tab, p *planttest.Plant, version int64) string {
	b.t.Helper()
	v, err := p.Client.Version(b.t.Context(), "shop", fmt.Sprint(version))
	b.must(err)
	for _, d := range v.Deployments {
		if d.Environment == "production" {
			return "/services/shop/deployments/" + d.ID
		}
	}
	b.t.Fatalf("version %d was never deployed to production", version)
	return ""
}

// actsOnWhatWaits follows the queue while what is on it is ended, let go and let in, by clicking
// and by others: it changes without being loaded again.
func actsOnWhatWaits(b *tab, w *works) {
	b.t.Helper()
	queue := openSignedIn(b.t, w.shop.Plant.URL, w.shop.Plant.Token)
	queue.open("/queue")
	queue.mark()
	queue.sees(".cause:not(.stands)", "Waits for a person", "shop 2")
	queue.icon("stopped", "■ ")
	aborts(b, queue, w)
	releases(queue, w)
	promotes(b, queue, w)
	queue.stays()
}

// aborts ends a deployment that waits for a stopped line, which stays so.
func aborts(b, queue *tab, w *works) {
	b.t.Helper()
	queue.sees(".cause.stands", "The line stands", path.Base(w.queued))
	b.open(w.queued)
	b.sees(".facts", "before it", "version 1")
	b.click(`.choose a[href="` + w.queued + `/cancel"]`)
	b.sees(".sentence", "It has not begun")
	b.confirm("nobody waits for it")
	b.sees("h1 .outcome", "cancelled")
	queue.holds(`document.querySelector(".cause") !== null && document.querySelector(".cause.stands") === null`)
	queue.icon("stopped", "■ ")
}

// releases: what a cord holds comes onto the queue, and goes when somebody else releases the cord.
func releases(queue *tab, w *works) {
	queue.t.Helper()
	held := w.deploy()
	queue.sees(".cause.stands", "The line stands", path.Base(held))
	scope := api.Scope{Kind: api.ScopeService, Service: "shop"}
	_, err := w.shop.Plant.Client.ReleaseCord(queue.t.Context(), api.ReleaseCord{Scope: &scope, Reason: "it is a test"})
	queue.must(err)
	queue.holds(`document.querySelector(".cause.stands") === null`)
	queue.icon("running", "Queue")
	w.reaches(held) // what it does would change the plan of what is done next
}

// promotes lets a version into a stage that waits for a person, from the queue on.
func promotes(b, queue *tab, w *works) {
	b.t.Helper()
	b.open("/queue")
	b.click(`.cause a[href$="/promote"]`)
	b.sees("h1", "Promote shop 2 into stage production")
	b.sees(".plan ol.steps li")
	b.confirm("it was looked at")
	b.holds(`location.pathname === "/services/shop/versions/2"`)
	b.mark()
	b.sees("#stages", "it was looked at")
	b.sees("#whereabouts li", "production", "live")
	b.stays()
	queue.sees(".empty", "Nothing waits")
}

// reruns: a version that failed goes its way again from where it failed, and fails again.
func reruns(b *tab) {
	b.t.Helper()
	b.open(fmt.Sprintf("/services/shop/versions/%d", failed))
	b.click(`.choose a[href$="/rerun"]`)
	b.sees("h1", "Run shop 3 again from stage acceptance")
	b.confirm("")
	b.sees("#stages h3", "acceptance, run 2", "failed")
	b.open("/board")
	b.icon("stopped", "■ ")
}

// cancels ends the way of a version that waits for a person.
func cancels(b *tab, w *works) {
	b.t.Helper()
	version := w.push("Ask once more", "production, deploy: production", "production, approval: {}, deploy: production")
	w.shop.Plant.Wait(w.shop.Ref(version), "certified")
	b.open(fmt.Sprintf("/services/shop/versions/%d", version))
	b.click(`.choose a[href$="/cancel"]`)
	b.sees("h1", fmt.Sprintf("Cancel shop %d", version))
	b.confirm("nobody wants it")
	b.sees("#version-head", "cancelled", "nobody wants it")
}
