package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andon-cd/andon/api"
)

const (
	testEnvironment       = "environments/test.yaml"
	productionEnvironment = "environments/production.yaml"
)

// newEstate returns a repository of the estate with its first commit, which says what the plant's
// own environments are.
func (p *plant) newEstate() *repository {
	p.T.Helper()
	r := p.newRepository("estate")
	r.Commit("Declare the environments", files{testEnvironment: "strategy: rolling\n", productionEnvironment: "strategy: blue-green\nsoak: 1s\n"})
	return r
}

// estate returns what the plant says of its estate.
func (p *plant) estate() api.Estate {
	p.T.Helper()
	e, err := p.Client.Estate(p.T.Context())
	if err != nil {
		p.T.Fatal(err)
	}
	return e
}

// refusesEstate pushes what is committed, which must be refused with these words and change
// nothing. The commit is taken back in the repository, too.
func (r *repository) refusesEstate(words ...string) {
	r.T.Helper()
	before, head := fmt.Sprintf("%+v", r.plant.estate()), r.remoteTip()
	answer, _ := r.TryPush("main")
	if answer.Code == done {
		r.T.Errorf("a bad estate is taken: %s", answer)
	}
	for _, want := range words {
		if !strings.Contains(answer.Err, want) {
			r.T.Errorf("the pusher does not read %q:\n%s", want, answer.Err)
		}
	}
	if after := fmt.Sprintf("%+v", r.plant.estate()); after != before || r.remoteTip() != head {
		r.T.Errorf("a push that was refused changed the estate from\n%s\nto\n%s", before, after)
	}
	r.Git("reset", "-q", "--hard", "HEAD~1")
}

// remoteTip returns where main is in the plant's repository; empty: nowhere.
func (r *repository) remoteTip() string {
	r.T.Helper()
	return execute(r.T, r.Dir, environmentIn(r.plant.Home), "git", "ls-remote", filepath.Join(r.plant.Data, "git", "estate.git"), "refs/heads/main").Out
}

func TestEstate_IsPushedAndAppliedOrRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	p := startFixedPlant(t)
	shop, estate := p.newShop(), p.newEstate()
	shop.ShipFirst()
	answer, _ := estate.TryPush("main")
	answer.Wants(t, done, "git push")
	if !strings.Contains(answer.Err, "of the estate is applied") || !strings.Contains(answer.Err, "it changes no environment") {
		t.Errorf("the pusher reads\n%s", answer.Err)
	}

	// A good one changes what the next deployment does, and nothing before it.
	estate.Commit("Answer at a second name", files{productionEnvironment: `route: ["{service}.localhost", "{service}.example.org"]` + "\n"})
	answer, _ = estate.TryPush("main")
	answer.Wants(t, done, "git push")
	for _, want := range []string{
		"~ production: strategy: blue-green → rolling", "~ production: soak: 1s → –",
		"~ production: route: {service}.localhost → {service}.localhost {service}.example.org",
	} {
		if !strings.Contains(answer.Err, want) {
			t.Errorf("the pusher does not read %q:\n%s", want, answer.Err)
		}
	}
	if _, err := get(t, p.Proxy, "shop.example.org", "/"); err == nil {
		t.Error("a route changes without a deployment")
	}
	shop.Ship("Second", files{"files/answer.txt": "hello 2\n"})
	p.answers("shop.example.org", "hello 2\n")
	p.answers("shop.localhost", "hello 2\n")

	// A bad one is refused with everything that is wrong.
	estate.Commit("Slip", files{productionEnvironment: "strategy: canary\nlimits: {memory: 512}\n", testEnvironment: "platforn: docker\n"})
	estate.refusesEstate(
		"environments/production.yaml:1:11: strategy: canary needs its steps", "environments/production.yaml:2:18: limits.memory needs a unit: 512",
		`environments/test.yaml:1:1: unknown key "platforn"`, `did you mean "platform"?`)

	// Two environments that clash, by what is written, and by the services that there are.
	estate.Commit("Clash", files{testEnvironment: `route: "{service}.localhost"` + "\n"})
	estate.refusesEstate("environments/test.yaml:1:8: the route {service}.localhost is that of environments/production.yaml too")
	estate.Commit("Take the shop's name", files{testEnvironment: "routes: {cart: shop.example.org}\n"})
	estate.refusesEstate("shop.example.org would be the route of shop in production and of cart in test")

	// An environment that is needed stays; one that is not may come and go.
	estate.Commit("Forget production", files{productionEnvironment: ""})
	estate.refusesEstate("the estate does not declare production any more, and shop runs there", "keep environments/production.yaml")
	estate.Commit("Try staging", files{"environments/staging.yaml": "strategy: rolling\n"})
	answer, _ = estate.TryPush("main")
	answer.Wants(t, done, "git push")
	estate.Commit("Drop staging", files{"environments/staging.yaml": ""})
	answer, _ = estate.TryPush("main")
	answer.Wants(t, done, "git push")
	p.Andon("audit", "list").Wants(t, done, "andon audit").Says(t, "environment staging was declared", "environment staging was removed")

	// What moved in git and was never recorded is applied at the next start.
	p.Kill()
	commit := estate.Commit("Soak longer", files{productionEnvironment: "soak: 2s\nroute: [\"{service}.localhost\", \"{service}.example.org\"]\n"})
	estate.Git("push", "-q", filepath.Join(p.Data, "git", "estate.git"), "main")
	p.Start()
	if e := p.estate(); e.Commit != commit || e.Origin != "push" {
		t.Errorf("after the crash the estate is %+v", e)
	}
}

func TestEstate_IsFollowedElsewhereAndABadCommitIsShown(t *testing.T) {
	t.Parallel()
	p := startPlant(t, "--poll", "1h")
	estate := p.newEstate()
	first := estate.Git("rev-parse", "HEAD")
	p.Andon("estate", "follow", estate.Dir).Wants(t, done, "andon estate follow").Says(t, "The estate is followed.")
	hook := func() { // at most one in a second is taken without a signature
		t.Helper()
		resp, err := http.Post(p.URL+"/hooks/estate", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted && resp.StatusCode != http.StatusTooManyRequests {
			t.Fatalf("POST /hooks/estate answers %s", resp.Status)
		}
	}
	becomes := func(what string, holds func(api.Estate) bool) {
		t.Helper()
		until(t, what, func() error {
			e := p.estate()
			if e.Followed == nil {
				return errors.New("no repository is followed")
			}
			if !holds(e) {
				hook()
				return fmt.Errorf("the estate is %+v, refused %+v", e, e.Followed.Refused)
			}
			return nil
		})
	}
	becomes("it is applied", func(e api.Estate) bool { return e.Commit == first && e.Origin == "watch" })

	bad := estate.Commit("Slip", files{productionEnvironment: "strategy: blue-green\nsook: 1m\n"})
	becomes("the bad commit is shown", func(e api.Estate) bool {
		return e.Commit == first && e.Followed.Refused != nil && e.Followed.Refused.Commit == bad
	})
	p.Andon("estate").Wants(t, done, "andon estate").Says(t,
		"Its commit "+bad[:10]+" was refused", `environments/production.yaml:2:1: unknown key "sook"`, `did you mean "soak"?`, "soak 1s")

	// Nothing else changes it meanwhile.
	if answer, _ := estate.TryPush("main"); answer.Code == done || !strings.Contains(answer.Err, "the estate comes from the repository") {
		t.Errorf("a push while it is followed: %s", answer)
	}
	mended := estate.Commit("Mend", files{productionEnvironment: "strategy: blue-green\nsoak: 1m\n"})
	becomes("it is mended", func(e api.Estate) bool { return e.Commit == mended && e.Followed.Refused == nil })

	// What it takes away, the line keeps while it is needed, and says so.
	shop := p.newShop()
	shop.Commit("Deploy to staging", files{"andon.yaml": strings.Replace(p.Pipeline(), "deploy: test", "deploy: staging", 1)})
	withStaging := estate.Commit("Declare staging", files{"environments/staging.yaml": "strategy: rolling\n"})
	becomes("staging is declared", func(e api.Estate) bool { return e.Commit == withStaging })
	shop.Push()
	estate.Commit("Drop staging", files{"environments/staging.yaml": ""})
	becomes("it is refused", func(e api.Estate) bool {
		return e.Followed.Refused != nil && strings.Contains(e.Followed.Refused.Problems[0].Message, "the estate does not declare staging any more, and shop")
	})
	p.Andon("service", "remove", "shop", "--reason", "sold").Wants(t, done, "andon service remove")
	becomes("it is applied without a new commit", func(e api.Estate) bool { return e.Followed.Refused == nil && len(e.Environments) == 2 })

	p.Andon("estate", "unfollow").Wants(t, done, "andon estate unfollow")
	if e := p.estate(); e.Followed != nil || len(e.Environments) != 2 {
		t.Errorf("not followed any more, it is %+v", e)
	}
	answer, _ := estate.TryPush("main")
	answer.Wants(t, done, "git push")
}
