package line

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func estateOf(names ...andon.EnvironmentName) ApplyEstate {
	a := ApplyEstate{Commit: "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"}
	for _, name := range names {
		a.Environments = append(a.Environments, andon.Environment{
			Name: name, Rollout: andon.Rollout{Strategy: andon.BlueGreen, Soak: time.Second}, Hosts: "{service}." + string(name) + ".example",
		})
	}
	return a
}

func TestApplyEstate_DeclaresWhatChangedAndSaysSoOnce(t *testing.T) {
	p := newPlant(t)
	events := p.must(estateOf("test", "production", "staging"))
	var declared []andon.EnvironmentName
	for _, e := range events {
		if b, ok := e.Body.(andon.EnvironmentDeclared); ok {
			declared = append(declared, b.Environment.Name)
		}
	}
	if len(declared) != 3 || p.s.Environments["staging"] == nil || p.s.Estate == nil || p.s.Estate.By != p.by {
		t.Errorf("declared %v, estate %+v", declared, p.s.Estate)
	}
	if again := p.must(estateOf("test", "production", "staging")); len(again) > 0 {
		t.Errorf("the same estate again causes %d events", len(again))
	}
	if p.must(CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()}); p.s.Environments["test"].Hosts != "{service}.test.example" {
		t.Error("a restart puts the defaults in the place of what the estate declares")
	}
}

func TestApplyEstate_KeepsAnEnvironmentThatIsNeeded(t *testing.T) {
	p := newPlant(t)
	p.must(estateOf("test", "production", "staging"))
	p.Deployed("one")
	p.refused(andon.KindConflict, estateOf("test", "staging"))
	if want := "the estate does not declare production any more, and shop runs there"; p.err.Error() != want {
		t.Errorf("it says %q, not %q", p.err, want)
	}
	if p.s.Environments["production"] == nil {
		t.Error("a refused estate changed something")
	}
	p.must(estateOf("test", "production"))
	if p.s.Environments["staging"] != nil {
		t.Error("an environment that nothing needs is still there")
	}
	p.refused(andon.KindInvalid, ApplyEstate{Commit: "c0ffee"})
	p.refused(andon.KindInvalid, estateOf("test", "test", "production"))
}

func TestApplyEstate_SaysWhatItWouldOrphan(t *testing.T) {
	p := newPlant(t)
	p.Push("one")
	p.refused(andon.KindConflict, estateOf("test"))
	if want := "and shop 1 is on its way there"; !strings.Contains(p.err.Error(), want) {
		t.Errorf("it says %q, without %q", p.err, want)
	}
	p.must(Cancel{Version: andon.VersionRef{Service: "shop", Number: 1}})
	p.refused(andon.KindConflict, estateOf("test"))
	if want := "and shop deploys there in its stage production"; !strings.Contains(p.err.Error(), want) {
		t.Errorf("it says %q, without %q", p.err, want)
	}
	p.must(RemoveService{Service: "shop"})
	p.must(estateOf("test"))
}

func TestApplyEstate_RefusesRoutesThatTwoServicesWouldHave(t *testing.T) {
	p := newPlant(t)
	estate := estateOf("test", "production")
	estate.Environments[0].Hosts = "{service}-test.example"
	estate.Environments[1].Hosts = "{service}.example"
	estate.Environments[1].Routes = map[andon.ServiceName][]string{"cart": {"basket.example"}}
	p.must(AddService{Service: "shop"})
	p.must(AddService{Service: "cart"})
	p.must(estate)
	p.refused(andon.KindConflict, AddService{Service: "shop-test"})
	if want := "shop-test.example would be the route of shop-test in production and of shop in test"; p.err.Error() != want {
		t.Errorf("it says %q, not %q", p.err, want)
	}
	p.refused(andon.KindConflict, AddService{Service: "basket"})
	p.refused(andon.KindInvalid, AddService{Service: "estate"})
	estate.Environments[1].Routes["cart"] = []string{"shop.example"}
	estate.Commit = "beef00c0ffee00c0ffee00c0ffee00c0ffee00c0"
	p.refused(andon.KindConflict, estate)
}

func TestApplyEstate_LeavesARouteToWhoServesItUntilItsNextDeployment(t *testing.T) {
	p := newPlant(t)
	p.must(AddService{Service: "cart"})
	estate := estateOf("test", "production")
	estate.Environments[1].Routes = map[andon.ServiceName][]string{"shop": {"www.example"}}
	p.must(estate)
	p.Deployed("one")
	estate.Commit = commit("two")
	estate.Environments[1].Routes = map[andon.ServiceName][]string{"cart": {"www.example"}}
	p.refused(andon.KindConflict, estate)
	if want := "www.example would be the route of cart in production, and still is that of shop in production"; p.err.Error() != want {
		t.Errorf("it says %q, not %q", p.err, want)
	}
	given := estateOf("test", "production")
	given.Commit = commit("three")
	p.must(given)
	p.refused(andon.KindConflict, estate)
	p.Deployed("two")
	p.must(estate)
}

func TestApplyEstate_GivesEachCopyItsLimits(t *testing.T) {
	p := newPlant(t)
	estate := estateOf("test", "production")
	limits := andon.Limits{Memory: 512 << 20, CPU: 500, Processes: 200}
	estate.Environments[1].Limits = limits
	estate.Environments[1].Aliases = []string{"{service}.example.org"}
	p.must(estate)
	p.Deployed("one")
	last := p.s.PlaceOf(andon.Place{Service: "shop", Environment: "production"}).Last
	if last.Plan.Release.Spec.Limits != limits || last.Plan.Release.Config != last.Plan.Release.Spec.Hash() {
		t.Errorf("the copies have %+v", last.Plan.Release.Spec.Limits)
	}
	if want := []string{"shop.production.example", "shop.example.org"}; !slices.Equal(last.Plan.Hosts, want) {
		t.Errorf("the route is %q, not %q", last.Plan.Hosts, want)
	}
	estate.Environments[1].MostInstances = 1
	estate.Commit = "beef00c0ffee00c0ffee00c0ffee00c0ffee00c0"
	p.must(estate)
	p.refused(andon.KindRefused, Deploy{Version: andon.VersionRef{Service: "shop", Number: 1}, Environment: "production"})
	if want := "shop 1 wants 2 copies in production, and the estate allows 1"; p.err.Error() != want {
		t.Errorf("it says %q, not %q", p.err, want)
	}
}

func TestDeploy_OfMoreCopiesThanAProxyTakesIsRefused(t *testing.T) {
	p := newPlant(t)
	p.Deployed("one")
	hello := andon.Hello{Agent: "local", Slots: 2, MostTargets: 3}
	p.must(ConnectAgent{Hello: hello})
	deploy := Deploy{Version: andon.VersionRef{Service: "shop", Number: 1}, Environment: "production"}
	for i, strategy := range []andon.Rollout{{Strategy: andon.BlueGreen}, {Strategy: andon.Rolling}, {Strategy: andon.Canary}} {
		estate := estateOf("test", "production")
		estate.Commit = andon.CommitID(fmt.Sprintf("%040x", i+1))
		estate.Environments[1].Rollout = strategy
		estate.Environments[1].Canary = []andon.CanaryStep{{Weight: 50}}
		p.must(estate)
		_, err := deploy.Preview(p.s, "ada")
		if refused := andon.KindOf(err) == andon.KindRefused; refused != (strategy.Strategy == andon.Canary) { // two copies each
			t.Errorf("%s: %v", strategy.Strategy, err)
		}
	}
	p.refused(andon.KindRefused, deploy)
	if want := "shop in production would have up to 4 copies in traffic, and the proxy of host local takes 3"; p.err.Error() != want {
		t.Errorf("it says %q, not %q", p.err, want)
	}
	hello.MostTargets = 0
	p.must(ConnectAgent{Hello: hello})
	if _, err := deploy.Preview(p.s, "ada"); err != nil {
		t.Errorf("by a proxy that takes any number: %v", err)
	}
}

func TestFollowEstate_TakesItFromOneRepositoryAlone(t *testing.T) {
	p := newPlant(t)
	source := andon.Source{URL: "https://git.example/estate.git"}
	p.refused(andon.KindConflict, FollowEstate{})
	p.must(FollowEstate{Source: source})
	if again := p.must(FollowEstate{Source: source}); len(again) > 0 {
		t.Errorf("following it again causes %d events", len(again))
	}
	if p.s.Followed == nil || p.s.Followed.Source.Trunk != "main" {
		t.Fatalf("it follows %+v", p.s.Followed)
	}
	p.refused(andon.KindConflict, estateOf("test", "production"))
	watched := estateOf("test", "production")
	watched.Origin = andon.EstateWatched
	p.must(watched)
	p.must(FollowEstate{})
	if p.s.Followed != nil || p.s.Estate == nil {
		t.Error("what was applied does not stay, or the repository is still followed")
	}
	p.refused(andon.KindConflict, watched)
	p.refused(andon.KindConflict, RefuseEstate{Commit: watched.Commit, Problems: []*andon.Error{andon.Errorf(andon.KindInvalid, "bad")}})
}

func TestRefuseEstate_IsShownUntilACommitIsApplied(t *testing.T) {
	p := newPlant(t)
	p.must(FollowEstate{Source: andon.Source{URL: "https://git.example/estate.git"}})
	good := estateOf("test", "production")
	good.Origin = andon.EstateWatched
	p.must(good)
	bad := RefuseEstate{Commit: "bad000c0ffee00c0ffee00c0ffee00c0ffee00c0", Problems: []*andon.Error{andon.Errorf(andon.KindInvalid, "unknown key")}}
	p.must(bad)
	if again := p.must(bad); len(again) > 0 {
		t.Errorf("the same refusal again causes %d events", len(again))
	}
	if r := p.s.Followed.Refused; r == nil || r.Commit != bad.Commit || p.s.Estate.Commit != good.Commit {
		t.Errorf("refused %+v, applied %+v", r, p.s.Estate)
	}
	p.refused(andon.KindInvalid, RefuseEstate{Commit: bad.Commit})
	p.must(good) // the branch was set back
	if p.s.Followed.Refused != nil {
		t.Error("a refused commit that is not the newest any more is still shown")
	}
}

func TestApplyEstate_RemembersWhatWasPushed(t *testing.T) {
	p := newPlant(t)
	pushed := estateOf("test", "production")
	pushed.Origin = andon.EstatePushed
	p.must(pushed)
	given := estateOf("test", "production", "staging")
	given.Commit, given.Origin = "beef00c0ffee00c0ffee00c0ffee00c0ffee00c0", andon.EstateGiven
	p.must(given)
	if e := p.s.Estate; e.Commit != given.Commit || e.Pushed != pushed.Commit {
		t.Errorf("the estate is %+v", e)
	}
}

func TestApplyEstate_ChangesTheNextDeployment(t *testing.T) {
	p := newPlant(t)
	p.Deployed("one")
	estate := estateOf("test", "production")
	estate.Environments[1].Rollout = andon.Rollout{Strategy: andon.Canary, Canary: []andon.CanaryStep{{Weight: 10, Pause: time.Second}}}
	p.must(estate)
	p.Deployed("two")
	if last := p.s.PlaceOf(andon.Place{Service: "shop", Environment: "production"}).Last; last.Plan.Strategy != andon.Canary || last.Outcome != andon.Succeeded {
		t.Errorf("the last deployment was %s: %s", last.Plan.Strategy, last.Outcome)
	}
}
