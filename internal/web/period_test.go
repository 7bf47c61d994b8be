package web

import (
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

func TestOptions_OfferWhatIsChosenAlsoWhenItIsNotThereAnyMore(t *testing.T) {
	there := []andon.ServiceName{"cart", "shop"}
	for chosen, want := range map[andon.ServiceName]string{
		"":       "<option>cart</option><option>shop</option>",
		"shop":   "<option>cart</option><option selected>shop</option>",
		"<sold>": "<option selected>&lt;sold&gt;</option><option>cart</option><option>shop</option>",
	} {
		if got := options(there, chosen); string(got) != want {
			t.Errorf("with %q: %s", chosen, got)
		}
	}
}
