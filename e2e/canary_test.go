package e2e

import (
	"testing"

	"github.com/andon-cd/andon/api"
)

// TestCanary_ThatIsWorseForClientsIsTurnedBack: versions that are healthy and pass their smoke
// tests, and fail requests or are slow, get their share of the requests, are compared with the old
// copies by what the proxy counts, and go. Nothing else than the watch would end their pause in
// time.
func TestCanary_ThatIsWorseForClientsIsTurnedBack(t *testing.T) {
	t.Parallel()
	for _, bad := range []struct{ file, reason string }{
		{"refuses", "requests failed, against 0.00 %"},
		{"lags", "5 % of its requests take longer than"},
	} {
		t.Run(bad.file, func(t *testing.T) {
			t.Parallel()
			p := startPlant(t)
			shop := p.newShop("deploy: test, grants", "grants")
			first := shop.ShipFirst()
			p.production("strategy: {canary: {steps: [{weight: 30, pause: 10m}]}}\nwatch: {errors: 2, latency: 2, least: 50}\n")
			l := p.newLoad("shop.localhost", shopping)
			shop.Commit("Be worse", files{"files/" + bad.file: "yes\n"})
			ended := p.failsBecause("shop", shop.Push(), bad.reason)
			p.idle()
			l.stop()
			if live := p.live("shop", "production"); live != first {
				t.Errorf("version %d is live; want %d", live, first)
			}
			d, err := p.Client.Deployment(t.Context(), ended.ID)
			if err != nil || len(d.Verdicts) == 0 {
				t.Fatalf("the record has no verdict: %+v, %v", d, err)
			}
			verdict := d.Verdicts[len(d.Verdicts)-1]
			if verdict.Verdict != api.VerdictWorse || verdict.After.Requests < 50 || verdict.Before.Requests <= verdict.After.Requests {
				t.Errorf("it was turned back after the verdict %+v", verdict)
			}
			// What the new version answered its share of the clients is all that they noticed.
			sent, failed := l.count()
			if refused := l.codes[500]; failed != refused || refused > sent/4 || (refused > 0) != (bad.file == "refuses") {
				t.Errorf("of %d requests %d failed, %d of them by the new version's own answer", sent, failed, refused)
			}
		})
	}
}
