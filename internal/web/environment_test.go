package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/line"
)

const secretYAML = `service: shop
commit:
  jobs: {build: {steps: [{run: mkdir -p out}]}}
  artifact: {path: out}
run: {command: ./shop, port: 8080, env: {TOKEN: a-secret-of-all, COLOUR: green}}
environments: {test: {env: {TOKEN: a-secret-of-test, DEBUG: "1"}, instances: 2}}
stages:
  - {name: acceptance, deploy: test}
  - {name: certify, approval: {}}
  - {name: production, deploy: production}
`

func TestEnvironments_TellWhatRunsWhere(t *testing.T) {
	s := newSite(t)
	s.signIn()
	s.shows("/environments", "production", "test", "{service}.test.localhost", "blue-green", "No host is there for it.")
	s.plant.Push(enginetest.Commit(1), "main", "Ada", hostile, shopYAML)
	s.plant.Settle(nil)
	s.shows("/environments", "1 service", `href="/environments/production?host=test"`, "● here <time", "copies, traffic", `href="/environments/test?compare=production"`)
	s.shows("/environments/production", "● all copies are healthy", "shop.localhost", "✓</span> healthy", "· on test",
		`href="/logs/instance/shop.production.1.0"`, enginetest.Digest(enginetest.Commit(1)).Short(), `href="/services/shop/versions/1"`)
	s.shows("/environments/production?host=test", "What runs there on test", ">shop</a>")
	s.shows("/environments/production?host=other", "Nothing.", "not", ">shop</a>")
	s.shows("/environments/production?show=unwell", "Nothing.", "not", ">shop</a>")

	var epoch int64
	s.plant.View(func(state *line.State) { epoch = state.Agents[enginetest.Name].Epoch })
	s.plant.Do(line.LoseAgent{Agent: enginetest.Name, Epoch: epoch, Reason: "it was unplugged"})
	s.plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopeEnvironment, Environment: "production"}, Reason: hostile})
	s.plant.CaughtUp()
	s.shows("/environments/production", "■ stopped", "◆ gone <time", "it was unplugged", "▲ 1 not well", "was healthy when its host was last heard of")
	s.shows("/environments/production?show=unwell", ">shop</a>")
	s.shows("/environments", "▲ 1 not well", "◆ gone <time")
}

func TestEnvironments_AreComparedWithoutTheirSecrets(t *testing.T) {
	s := newSite(t)
	s.signIn()
	s.plant.Push(enginetest.Commit(1), "main", "Ada", "Open the shop", secretYAML)
	s.plant.Settle(nil)
	s.shows("/environments/test?compare=production", "not there", "None of 1 service runs")
	s.plant.Do(line.Promote{Version: andon.VersionRef{Service: "shop", Number: 1}, Stage: "certify"})
	s.plant.Settle(nil)
	s.plant.Push(enginetest.Commit(2), "main", "Ada", "Round the prices", secretYAML)
	s.plant.Push(enginetest.Commit(3), "main", "Ada", "Round them up", secretYAML)
	s.plant.Settle(nil)
	body := s.shows("/environments/test?compare=production",
		"None of 1 service runs", "<code>$TOKEN</code> differs", "<code>$DEBUG</code> only in test", "in test:", "Round the prices", "Round them up",
		"<code>instances</code> 2 → 1", enginetest.Digest(enginetest.Commit(3)).Short(), "strategy", "rolling", "blue-green",
		"not", "Open the shop", "a-secret", "COLOUR")
	if there, back := strings.Index(body, ">3</a>"), strings.Index(body, ">1</a>"); there < 0 || back < there {
		t.Errorf("test is not before production:\n%s", body)
	}
	s.shows("/environments/production?compare=test", "<code>$DEBUG</code> only in test", "<code>instances</code> 1 → 2", "in test:")
	s.shows("/environments/test?compare=test", "They are declared alike.", "1 of 1 service runs", "No service differs")
}

func TestEnvironment_ComesInPages(t *testing.T) {
	s := newSite(t)
	s.signIn()
	for i := range 103 {
		name := fmt.Sprintf("service: shop-%03d", i)
		s.plant.Push(enginetest.Commit(i+1), "main", "Ada", "Open", strings.Replace(shopYAML, "service: shop", name, 1))
	}
	s.plant.Settle(nil)
	s.shows("/environments/test", "103 services", ">shop-099</a>", `href="/environments/test?from=shop-100" rel="next"`, "not", ">shop-100</a>")
	s.shows("/environments/test?from=shop-100", "103 services", ">shop-100</a>", ">shop-102</a>", "not", ">shop-099</a>", `rel="next"`)
	for path, status := range map[string]int{
		"/environments/moon":                 http.StatusNotFound,
		"/environments/moon?compare=test":    http.StatusNotFound,
		"/environments/test?compare=moon":    http.StatusNotFound,
		"/environments/test?from=%22%3E":     http.StatusBadRequest,
		"/environments/test?host=..%2F..%2F": http.StatusBadRequest,
	} {
		s.harmless(path, s.page(path, status))
	}
}
