package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/line"
)

const provenYAML = `service: shop
commit:
  jobs:
    build: {steps: [{run: mkdir -p out}]}
    unit: {steps: [{run: ./unit}], reports: {junit: reports/*.xml}}
  artifact: {path: out, job: build}
run: {command: ./shop, port: 8080}
stages:
  - {name: acceptance, deploy: test, grants: release-candidate}
  - {name: certify, approval: {}, grants: certified}
  - {name: production, deploy: production}
`

// shows fails for each text that a page lacks, and for each after "not" that it has.
func (s *site) shows(path string, want ...string) string {
	s.t.Helper()
	body := s.page(path, http.StatusOK)
	s.harmless(path, body)
	not := false
	for _, w := range want {
		if w == "not" {
			not = true
		} else if strings.Contains(body, w) == not {
			s.t.Errorf("%s: that it shows %q is %v:\n%s", path, w, not, body)
		}
	}
	return body
}

func TestVersion_TellsWhatItWaitsForAndWhoCanUnblockIt(t *testing.T) {
	s := newSite(t)
	s.signIn()
	s.plant.Push(enginetest.Commit(1), "main", "Ada <ada@example.com>", "SHOP-7: Open the shop (#3)", provenYAML)
	s.plant.Settle(nil)
	s.shows("/services/shop/versions/1",
		"before certify", "stage certify begins when a person promotes shop 1 into it", "Anybody who may promote it.",
		`href="/services/shop/versions/1/promote"`, "andon promote shop 1 certify", `<a href="/search?q=%233">#3</a>, <a href="/search?q=SHOP-7">SHOP-7</a>`, "release-candidate",
		"Somebody must let it in.", "the first version of production", "never there", string(enginetest.Digest(enginetest.Commit(1))))
	s.shows("/services/shop", "waits for approval", "behind an approval", `href="/services/shop/versions/1/promote"`)

	s.plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopeEnvironment, Environment: "production"}, Reason: "the till is counted"})
	s.plant.Do(line.Promote{Version: andon.VersionRef{Service: "shop", Number: 1}, Stage: "certify", Reason: "seen by QA"})
	s.plant.Settle(nil)
	s.shows("/services/shop/versions/1", "before production", "the line is stopped for environment production by admin: the till is counted",
		"admin, who pulled cord-1, or anybody else with a reason.", `href="/environments/production/cord?cord=cord-1"`, "seen by QA", "Let in by admin")
	s.shows("/services/shop", "held by cord-1", "cord-1, pulled by admin: the till is counted", "stopped by cord-1")
}

func TestVersion_TellsOfItsTestsAndWhatItBrings(t *testing.T) {
	s := newSite(t)
	s.signIn()
	s.plant.Push(enginetest.Commit(1), "main", "Ada", "Open the shop", shopYAML)
	s.plant.Settle(nil)
	s.plant.Tests = func(task andon.Task) *andon.TestSummary {
		if task.Job != "unit" {
			return nil
		}
		return &andon.TestSummary{Passed: 312, Failed: 1, Skipped: 4, Failures: []andon.TestFailure{{
			Name: "shop.Prices" + hostile, Message: "expected 3\ngot 4" + hostile, File: "prices_test.go", Line: 12,
		}}}
	}
	s.plant.Fails = func(task andon.Task) bool { return task.Job == "unit" }
	s.plant.Push(enginetest.Commit(2), "main", "Ada", "Round the prices", provenYAML)
	s.plant.Settle(nil)
	s.plant.Fails, s.plant.Tests = nil, nil
	s.plant.Push(enginetest.Commit(3), "main", "Grace", "Round them up", shopYAML)
	s.plant.Settle(nil)
	s.shows("/services/shop/versions/2", "312 passed", "✕ 1 failed", "4 skipped", "prices_test.go:12", "expected 3\ngot 4",
		`href="/logs/task/shop.2.commit.unit.1/1"`, `href="/services/shop/versions/2/rerun"`, "failed in commit",
		"a later version is there already", "not", "<script>alert")
	s.shows("/services/shop/versions/3", "Changes since version 1, which production had before", "Round the prices", "Round them up",
		"not", "Open the shop")
	s.shows("/services/shop/versions/1", "was live there; now version 3 is")
}
