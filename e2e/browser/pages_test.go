package browser_test

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/e2e/browser"
	"github.com/andon-cd/andon/e2e/planttest"
)

// TestPages looks at every page of a plant that has everything that pages tell of, and then does
// what they offer.
func TestPages(t *testing.T) {
	needChromium(t)
	t.Parallel()
	p := planttest.Start(t)
	w := newWorks(p)
	b := openSignedIn(t, p.URL, p.Token)
	everyPage(b, p)
	actsOnWhatWaits(b, w)
	reruns(b)
	cancels(b, w)
}

// A works is a plant in which something waits for everything: version 1 is live in production,
// version 2 waits for a person in front of it, version 3 failed in test and stopped the line, and a
// deployment waits for that.
type works struct {
	shop   *planttest.Repository
	queued string // the path of the deployment
}

const (
	gated  = 2
	failed = 3
)

func newWorks(p *planttest.Plant) *works {
	p.T.Helper()
	w := &works{shop: p.NewShop("service: shop", "service: shop\nteam: checkout")}
	w.shop.ShipFirst()
	w.push("Ask before production", "production, deploy: production", "production, approval: {}, deploy: production")
	p.Wait(w.shop.Ref(gated), "certified")
	w.push("Break what is tested", "status: 200", "status: 418")
	w.ends(failed, api.Failed)
	w.queued = w.deploy()
	return w
}

// push pushes a version whose pipeline is edited, and returns its number.
func (w *works) push(message string, edits ...string) int64 {
	w.shop.T.Helper()
	edits = append(edits, "service: shop", "service: shop\nteam: checkout")
	w.shop.Commit(message, planttest.Files{"andon.yaml": w.shop.Plant.Pipeline(edits...), "files/answer.txt": message})
	return w.shop.Push()
}

// deploy asks for version 1 in production, and returns the path of the deployment.
func (w *works) deploy() string {
	w.shop.T.Helper()
	done, err := w.shop.Plant.Client.Deploy(w.shop.T.Context(), "shop", "1", api.Deploy{Environment: "production", Reason: "to see it wait"})
	if err != nil {
		w.shop.T.Fatal(err)
	}
	return "/services/shop/deployments/" + done.Deployment
}

// ends waits until the way of a version has ended in that way.
func (w *works) ends(version int64, outcome api.Outcome) {
	w.shop.T.Helper()
	planttest.Until(w.shop.T, patience, fmt.Sprintf("version %d ends", version), func() error {
		v, err := w.shop.Plant.Client.Version(w.shop.T.Context(), "shop", fmt.Sprint(version))
		if err == nil && v.Outcome != outcome {
			err = fmt.Errorf("it is in stage %s: %s", v.Stage, v.Outcome)
		}
		return err
	})
}

// reaches waits until the deployment of a path has ended well.
func (w *works) reaches(deployment string) {
	w.shop.T.Helper()
	planttest.Until(w.shop.T, patience, deployment+" ends", func() error {
		d, err := w.shop.Plant.Client.Deployment(w.shop.T.Context(), path.Base(deployment))
		if err == nil && d.Outcome != api.Succeeded {
			err = fmt.Errorf("it is at %s: %s", d.Step, d.Outcome)
		}
		return err
	})
}

// everyPage holds every page to what holds for all of them, and to lead to no page that is not
// among them.
func everyPage(b *tab, p *planttest.Plant) {
	b.t.Helper()
	pages, err := browser.Pages(b.t.Context(), p.Client)
	b.must(err)
	stranger := openTab(b.t, p.URL)
	kinds := kindsOf(pages)
	for _, page := range pages {
		if page.Path == "" {
			b.t.Errorf("the plant of the test has nothing to show on page %s", page.Name)
			continue
		}
		who := b
		if page.Anyone {
			who = stranger
		}
		if page.Status == 0 {
			page.Status = http.StatusOK
		} else {
			who.except = append(who.except, fmt.Sprintf("the server responded with a status of %d", page.Status))
		}
		who.open(page.Path)
		who.arrives(page)
		who.accessible(page.Name)
		if !page.Anyone { // a form is all that there is
			who.keepsMedia(page.Name)
		}
		who.leadsTo(page.Name, kinds)
		for _, problem := range who.Problems(who.except...) {
			b.t.Errorf("%s: the browser complains: %s", page.Name, problem)
		}
	}
}

// arrives: the page is the one that was meant, and none that says what is wrong with it.
func (b *tab) arrives(page browser.Page) {
	b.t.Helper()
	if at := eval[string](b, "location.pathname + location.search"); at != page.Path {
		b.t.Errorf("%s: %s leads to %s", page.Name, page.Path, at)
	}
	if status := eval[int](b, `performance.getEntriesByType("navigation")[0].responseStatus`); status != page.Status {
		b.t.Errorf("%s is answered with %d", page.Path, status)
	}
}

// kindsOf knows the kinds of pages by their paths.
func kindsOf(pages []browser.Page) *http.ServeMux {
	kinds := http.NewServeMux()
	known := map[string]bool{"/": true} // what is no page
	for _, page := range pages {
		if !known[page.Kind] {
			known[page.Kind] = true
			kinds.Handle(page.Kind, http.NotFoundHandler())
		}
	}
	return kinds
}

// leadsTo: all links that lead to pages of the plant lead to ones that are looked at. Each kind that
// is not is told once.
func (b *tab) leadsTo(page string, kinds *http.ServeMux) {
	b.t.Helper()
	for _, path := range eval[[]string](b, `[...document.querySelectorAll("a[href]:not([download]), form[action]:not([method=post])")]
  .map((e) => new URL(e.getAttribute("href") ?? e.getAttribute("action"), location))
  .filter((to) => to.origin === location.origin && to.pathname !== location.pathname).map((to) => to.pathname)`) {
		if _, kind := kinds.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}}); kind == "" && !strings.HasPrefix(path, "/logs/raw/") {
			b.t.Errorf("%s leads to %s: no page of this kind is among browser.Pages", page, path)
			kinds.Handle(path, http.NotFoundHandler())
		}
	}
}
