package line

import (
	"errors"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

// TestRefusals_SayWhatIsWrongAndWhatToDo asks for what cannot be done, as people do at night.
func TestRefusals_SayWhatIsWrongAndWhatToDo(t *testing.T) {
	p := newPlant(t)
	place := andon.Place{Service: "shop", Environment: "production"}
	p.Deployed("good")
	for _, c := range []struct {
		name          string
		do            Verb
		message, hint string
	}{
		{"a stage that is not there", Promote{Version: p.ref(1), Stage: "proving"}, "shop 1 has no stage proving", "its stages are commit, "},
		{"back from the first version", Rollback{Place: place}, "no earlier good version", "push a fix"},
		{"back to what is live", Rollback{Place: place, To: 1}, "version 1 is the one that a rollback of shop in production would replace", "name an earlier version"},
		{"back to what never was", Rollback{Place: place, To: 9}, "version 9 was never good in production", "`andon audit shop`"},
		{"again what was never tried", Rerun{Deployment: "shop.production.99"}, "there is no deployment shop.production.99", "`andon status`"},
		{"a cord for no reason", PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: " \t"}, "needs a reason", "--reason"},
		{"a cord with a novel", PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: strings.Repeat("ü", LongestReason+1)}, "has 1001 characters, and may have 1000", "in a sentence"},
	} {
		_, err := p.s.Decide(Command{By: "admin", Do: c.do}, p.now)
		e, ok := errors.AsType[*andon.Error](err)
		if !ok || !strings.Contains(e.Message, c.message) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s: refused with %#v", c.name, err)
		}
	}
	p.must(PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: strings.Repeat("ü", LongestReason)})
}

func TestReasons_HaveOneBoundForAllVerbs(t *testing.T) {
	p := newPlant(t)
	place := andon.Place{Service: "shop", Environment: "production"}
	p.Deployed("good")
	novel := strings.Repeat("ü", LongestReason+1)
	for _, verb := range []Verb{
		RemoveService{Service: "shop", Reason: novel},
		Promote{Version: p.ref(1), Stage: "certify", Reason: novel},
		Deploy{Version: p.ref(1), Environment: "production", Reason: novel},
		Rollback{Place: place, Reason: novel},
		Cancel{Version: p.ref(1), Reason: novel},
		PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: novel},
		ReleaseCord{Cord: "cord-1", Reason: novel},
		RemoveHost{Host: "one", Reason: novel},
	} {
		for _, asked := range []Verb{verb, Considered(func(*State) (Verb, error) { return verb, nil })} {
			_, err := p.s.Decide(Command{By: "admin", Do: asked}, p.now)
			if e, ok := errors.AsType[*andon.Error](err); !ok || e.Kind != andon.KindInvalid || !strings.Contains(e.Message, "has 1001 characters") {
				t.Errorf("%T with a novel: %v", verb, err)
			}
		}
	}
}
