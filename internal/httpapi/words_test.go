package httpapi

import (
	"slices"
	"testing"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
)

func TestWords_OfTheAPIAreThoseOfThePlant(t *testing.T) {
	same := func(name string, public, ours []string) {
		t.Helper()
		if !slices.Equal(public, ours) {
			t.Errorf("%s: the API says %q, the plant %q", name, public, ours)
		}
	}
	same("maturities", texts(api.Maturities()), texts(andon.Maturities()))
	same("outcomes", texts(api.Outcomes()), texts(andon.Outcomes()))
	same("strategies", texts(api.Strategies()), texts(andon.Strategies()))
	same("steps", texts(api.DeploymentSteps()), texts(andon.DeploymentSteps()))
	same("verdicts", texts(api.VerdictWords()), texts(andon.Verdicts()))
	same("phases", texts(api.Phases()), texts(andon.Phases()))
	same("scopes", texts(api.ScopeKinds()), texts(andon.ScopeKinds()))
	same("waits", texts(api.WaitKinds()), texts(andon.WaitKinds()))
	same("kinds of errors", texts(api.Kinds()), texts(andon.Kinds()))
	same("kinds of deployments", texts(api.DeploymentKinds()), []string{string(andon.DeployForward), string(andon.DeployRollback)})
	same("kinds of tasks", texts(api.TaskKinds()), []string{string(andon.TaskJob), string(andon.TaskSmoke)})
}
