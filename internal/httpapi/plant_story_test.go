package httpapi

import (
	"strings"
	"testing"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

// story is a plant in the middle of its life: shop 1 and 2 went to production, shop 3 stopped the
// line in acceptance, shop 4 is in its commit stage.
func story(t *testing.T) *plant {
	t.Helper()
	p := newPlant(t)
	p.connect()
	for _, v := range []struct{ letter, subject, greeting string }{
		{"a", "Sell things", "hello"}, {"b", "Sell more things", "welcome"},
	} {
		p.push(v.letter, "main", v.subject, strings.Replace(shopYAML, "hello", v.greeting, 1))
		p.settle()
		if _, err := p.client.Promote(t.Context(), "shop", "", api.Promote{Stage: "certify", Reason: "looked at it"}); err != nil {
			t.Fatal(err)
		}
		p.settle()
	}
	p.does = fails("c", "acceptance")
	p.push("c", "main", "Sell broken things", strings.Replace(shopYAML, "hello", "welcome", 1))
	p.settle()
	p.holds = func(l andon.Lease) bool { return l.Task.Commit[:1] == "d" }
	p.push("d", "main", "Repair what is broken", strings.Replace(shopYAML, "hello", "welcome", 1))
	p.settle()
	p.say("counters", andon.Counters{Epoch: p.epoch, Places: []andon.PlaceLedger{{
		Place:   andon.Place{Service: "shop", Environment: "production"},
		Ledgers: []andon.Ledger{{Deployment: "shop.production.2", Served: 1204331, Retried: 2, AtSwitch: 7, Drained: 7, LongestDrain: 80}},
	}}}, nil)
	return p
}

func appendLog(p *plant, stream, text string) {
	p.t.Helper()
	if _, err := p.logs.Append(stream, 0, []byte(text), p.clock()); err != nil {
		p.t.Fatal(err)
	}
}
