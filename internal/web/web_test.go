package web_test

import (
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	nethtml "golang.org/x/net/html"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/httpapi"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/logs"
	"github.com/andon-cd/andon/internal/web"
)

const admin = "the admin's token"

const shopYAML = `service: shop
commit:
  jobs:
    build: {steps: [{run: mkdir -p out}]}
  artifact: {path: out}
run: {command: ./shop, port: 8080}
stages:
  - {name: acceptance, deploy: test, jobs: {accept: {steps: [{run: ./accept}]}}}
  - {name: production, deploy: production}
`

// hostile is what somebody may call a branch, a commit, or themselves.
const hostile = `"><script>alert('x')</script><img src=x onerror=alert(1)>'&{{.}}`

// A site is a plant whose pages a browser reads, behind the guard that is in front of them in a
// real plant.
type site struct {
	t      *testing.T
	plant  *enginetest.Plant
	logs   *logs.Store
	server *httptest.Server
	client *http.Client // a browser that is not signed in yet; it follows no redirects
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t}
	j, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"))
	s.must(err)
	h, err := history.Open(t.Context(), filepath.Join(t.TempDir(), "history.db"))
	s.must(err)
	s.logs, err = logs.Open(t.TempDir(), logs.Options{})
	s.must(err)
	t.Cleanup(func() {
		s.must(s.logs.Close())
		s.must(h.Close())
		s.must(j.Close())
	})
	s.plant = enginetest.Run(t, j, h, time.Now())
	address := func() string { return s.server.URL }
	proxy := func() string { return "http://127.0.0.1:8601" }
	s.server = httptest.NewUnstartedServer(httpapi.New(httpapi.Config{
		Engine: s.plant.Engine, History: h, Logs: s.logs, Keys: auth.New(admin, nil),
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Build: "1.0.0", Address: address, Proxy: proxy,
		Pages: web.New(web.Config{Engine: s.plant.Engine, History: h, Logs: s.logs}),
	}))
	s.server.Start()
	t.Cleanup(s.server.Close)
	jar, err := cookiejar.New(nil)
	s.must(err)
	s.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// do makes a request as a browser does, and returns the answer and its body.
func (s *site) do(method, path string, form url.Values, header ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.server.URL+path, strings.NewReader(form.Encode()))
	s.must(err)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := s.client.Do(r)
	s.must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	s.must(err)
	return answer, string(body)
}

func (s *site) signIn() {
	s.t.Helper()
	answer, body := s.do(http.MethodPost, "/sign-in", url.Values{"token": {admin}, "next": {"/board"}}, "Sec-Fetch-Site", "same-origin")
	if answer.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("signing in: %s\n%s", answer.Status, body)
	}
}

// prompt is how soon a page comes that had to wait for nothing. One that takes longer may say how far it
// got: pages bound how long they search, and wait for the history.
const prompt = time.Second

// page reads a page and checks what holds for each of them. On a machine that stands still for a while,
// it asks once more for what did not come at once.
func (s *site) page(path string, status int) (text string) {
	s.t.Helper()
	began := time.Now()
	answer, body := s.do(http.MethodGet, path, nil)
	if time.Since(began) >= prompt {
		answer, body = s.do(http.MethodGet, path, nil)
	}
	if answer.StatusCode != status {
		s.t.Fatalf("%s: %s\n%s", path, answer.Status, body)
	}
	policy := answer.Header.Get("Content-Security-Policy")
	for _, must := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, must) {
			s.t.Errorf("%s: the policy %q lacks %s", path, policy, must)
		}
	}
	if answer.Header.Get("X-Content-Type-Options") != "nosniff" || answer.Header.Get("Referrer-Policy") != "no-referrer" {
		s.t.Errorf("%s: header %v", path, answer.Header)
	}
	return body
}

// harmless fails when a page has an element or an attribute that no template of ours writes.
func (s *site) harmless(path, body string) {
	s.t.Helper()
	tokens := nethtml.NewTokenizer(strings.NewReader(body))
	for {
		kind := tokens.Next()
		if kind == nethtml.ErrorToken {
			return
		}
		token := tokens.Token()
		if kind != nethtml.StartTagToken && kind != nethtml.SelfClosingTagToken {
			continue
		}
		source := ""
		for _, a := range token.Attr {
			if strings.HasPrefix(a.Key, "on") || strings.Contains(strings.ToLower(a.Val), "javascript:") {
				s.t.Errorf("%s: %s", path, token)
			}
			if a.Key == "src" {
				source = a.Val
			}
		}
		if token.Data == "img" || token.Data == "script" && !strings.HasPrefix(source, "/static/live.js?v=") && !strings.HasPrefix(source, "/static/log.js?v=") {
			s.t.Errorf("%s: %s", path, token)
		}
	}
}

// hostileStory is what happens to a service whose people are not nice.
func (s *site) hostileStory() {
	s.t.Helper()
	s.plant.Push(enginetest.Commit(1), "main", hostile, hostile, shopYAML)
	s.plant.Settle(nil)
	s.plant.Push(enginetest.Commit(2), hostile, hostile, hostile, shopYAML)
	s.plant.Settle(nil)
	s.plant.Fails = func(t andon.Task) bool { return t.Stage == "acceptance" }
	s.plant.Push(enginetest.Commit(3), "main", hostile, hostile, shopYAML)
	s.plant.Settle(nil)
	s.plant.Do(line.Push{
		Service: "shop", Branch: "main", Commit: enginetest.Commit(4), Author: hostile, Subject: hostile,
		Committed: s.plant.Now(), Problem: andon.Errorf(andon.KindInvalid, "%s", hostile).WithHint("%s", hostile),
	})
	s.plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopeEnvironment, Environment: "production"}, Reason: hostile})
	s.plant.Do(line.Rollback{Place: andon.Place{Service: "shop", Environment: "test"}, To: 1, Reason: hostile})
	s.plant.Settle(nil)
}

func TestPages_ShowAHostileHistoryAsText(t *testing.T) {
	s := newSite(t)
	s.hostileStory()
	s.signIn()
	shown := html.EscapeString(hostile)
	// The board names the newest version; each version has a page.
	for path, want := range map[string][]string{
		"/":                                {shown, " cords are pulled", "■ environment production", "■ service shop", "first version of shop after"},
		"/board":                           {shown, "shop.localhost:8601"},
		"/services/shop":                   {shown, "the line stands", "■ service shop", "pulled by", "Stage acceptance, which deploys to test, stopped by", "versions/3", "shop.production.1"},
		"/services/shop/versions":          {shown, "versions/2"},
		"/services/shop/deployments":       {"shop.test.1", "back to"},
		"/services/shop/versions?before=3": {shown, "Newest"},
		"/services/shop/versions/1":        {shown, "acceptance", "production", "succeeded", "Deployments"},
		"/services/shop/deployments/shop.production.1": {shown, "succeeded", "What happened", "The plan", "move all traffic to them at once", "Share of the requests", "100 % from"},
		"/flow":                                {"Most of the time to production", "Flow efficiency", "the work", "shop 1"},
		"/flow?service=shop&days=7":            {"Lead time", "commit"},
		"/measures":                            {"Change lead time", "Failed deployment recovery time", "/measures/lead-time?days=30", "<rect"},
		"/audit":                               {"What changed", "shop.production.1", "the line was stopped for service shop", "admin"},
		"/audit?show=all":                      {"Everything that happened", shown},
		"/audit?service=shop&environment=test": {"What changed in test, shop", "/services/shop/versions/", "/environments/test"},
		"/measures/lead-time":                  {"Change lead time", "From commit to production", "shop 1", "work", "/measures?days=30"},
		"/measures/deployments":                {"Deployment frequency", "shop.production.1", "version 1 succeeded"},
		"/measures/candidates":                 {"Commit to release candidate", "shop 1"},
		"/measures/commit-stage":               {"Commit stage", "shop 2", "succeeded"},
		"/measures/stops":                      {"The line stood still", "cord-1"},
		"/measures/failed?days=1":              {"Change fail rate", "Nothing in this time"},
		"/maturity":                            {"Which practices we follow", "not enough records", "Binaries are built once", "/measures/deployments?days=30"},
		"/services/shop/versions/2":            {shown},
		"/services/shop/versions/3":            {shown, "failed", "a step exited with 1"},
		"/services/shop/versions/4":            {shown},
	} {
		body := s.page(path, http.StatusOK)
		text := strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(body)
		for _, w := range want {
			if !strings.Contains(text, html.UnescapeString(w)) {
				t.Errorf("%s does not show %q:\n%s", path, w, body)
			}
		}
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s lets a subject be part of the page:\n%s", path, body)
		}
		s.harmless(path, body)
	}
}

func TestPages_SayWhatIsWrong(t *testing.T) {
	s := newSite(t)
	s.hostileStory()
	s.signIn()
	for path, status := range map[string]int{
		"/services/shop/versions/99":                             http.StatusNotFound,
		"/services/other/versions/1":                             http.StatusNotFound,
		"/services/other":                                        http.StatusNotFound,
		"/services/other/versions":                               http.StatusNotFound,
		"/services/other/deployments":                            http.StatusNotFound,
		"/services/shop/versions?before=x":                       http.StatusBadRequest,
		"/services/shop/deployments?before=0":                    http.StatusBadRequest,
		"/services/shop/deployments/shop.production.99":          http.StatusNotFound,
		"/services/other/deployments/shop.production.1":          http.StatusNotFound,
		"/services/shop/deployments/shop.production.1/cancel":    http.StatusConflict,
		"/services/other/environments/production/rollback":       http.StatusNotFound,
		"/services/shop/environments/production/rollback?to=x":   http.StatusBadRequest,
		"/flow?service=other":                                    http.StatusNotFound,
		"/measures?days=ages":                                    http.StatusBadRequest,
		"/audit?before=x":                                        http.StatusBadRequest,
		"/audit?service=other":                                   http.StatusNotFound,
		"/audit?environment=" + url.PathEscape("moon<script>"):   http.StatusNotFound,
		"/measures/luck":                                         http.StatusNotFound,
		"/measures/failed?days=0":                                http.StatusBadRequest,
		"/flow?days=367":                                         http.StatusBadRequest,
		"/services/shop/versions/" + url.PathEscape("x<script>"): http.StatusBadRequest,
		"/" + url.PathEscape("<script>alert(1)</script>"):        http.StatusNotFound,
		"/logs/task/shop.99.commit.build.1/1":                    http.StatusNotFound,
		"/logs/..%2f..%2fjournal.db":                             http.StatusBadRequest,
	} {
		body := s.page(path, status)
		if strings.Contains(body, "<script>") || !strings.Contains(body, `href="/board"`) {
			t.Errorf("%s:\n%s", path, body)
		}
		s.harmless(path, body)
	}
}

func TestSignIn_GivesASessionForTheTokenAlone(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/", "/board", "/services/shop/versions/1", "/logs/x", "/static/live.js"} {
		answer, body := s.do(http.MethodGet, path, nil)
		if answer.StatusCode != http.StatusUnauthorized || !strings.Contains(body, `action="/sign-in"`) {
			t.Errorf("%s without a session: %s\n%s", path, answer.Status, body)
		}
		if answer.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: a browser would open a window of its own", path)
		}
	}
	agent := auth.New(admin, nil).AgentToken("local")
	for _, wrong := range []string{"", "not-the-token", admin[:len(admin)-1], agent} {
		answer, body := s.do(http.MethodPost, "/sign-in", url.Values{"token": {wrong}, "next": {"/board"}}, "Sec-Fetch-Site", "same-origin")
		if answer.StatusCode != http.StatusUnauthorized || len(answer.Cookies()) > 0 || !strings.Contains(body, `role="alert"`) || wrong != "" && strings.Contains(body, wrong) {
			t.Errorf("the token %q: %s, cookies %v\n%s", wrong, answer.Status, answer.Cookies(), body)
		}
	}

	answer, _ := s.do(http.MethodPost, "/sign-in", url.Values{"token": {admin}, "next": {"/board"}}, "Sec-Fetch-Site", "same-origin")
	cookies := answer.Cookies()
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/board" || len(cookies) != 1 {
		t.Fatalf("signing in: %s, %v", answer.Status, answer.Header)
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || strings.Contains(c.Value, admin) {
		t.Errorf("cookie %v", c)
	}
	if ends := c.Expires.Sub(s.plant.Now()); ends <= 0 || ends > 31*24*time.Hour {
		t.Errorf("the session ends after %s", ends)
	}
	s.page("/board", http.StatusOK)

	// A cookie that somebody made is none; neither is one that is over.
	for _, forged := range []string{"1.", "9999999999." + strings.SplitN(c.Value, ".", 2)[1], c.Value + "x"} {
		bare := &site{t: t, server: s.server, client: &http.Client{}}
		if answer, _ := bare.do(http.MethodGet, "/board", nil, "Cookie", c.Name+"="+forged); answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("the cookie %q: %s", forged, answer.Status)
		}
	}
	s.plant.Pass(31 * 24 * time.Hour)
	if answer, _ := s.do(http.MethodGet, "/board", nil, "Cookie", c.Name+"="+c.Value); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("after 31 days: %s", answer.Status)
	}
}

func TestSignIn_SendsNobodyElsewhere(t *testing.T) {
	s := newSite(t)
	for _, next := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "/%2Fevil.example", "javascript:alert(1)", "/%5Cevil.example", "\t//evil.example"} {
		answer, _ := s.do(http.MethodPost, "/sign-in", url.Values{"token": {admin}, "next": {next}}, "Sec-Fetch-Site", "same-origin")
		to, err := answer.Request.URL.Parse(answer.Header.Get("Location"))
		if err != nil || to.Host != answer.Request.URL.Host || to.Scheme != "http" || strings.HasPrefix(to.Path, "//") {
			t.Errorf("next %q leads to %q", next, answer.Header.Get("Location"))
		}
	}
}

func TestAnotherSitesPage_DoesNothingWithTheSession(t *testing.T) {
	s := newSite(t)
	s.signIn()
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "", "Origin", "http://evil.example"},
	} {
		for _, path := range []string{"/api/v1/cords", "/sign-in", "/sign-out"} {
			answer, body := s.do(http.MethodPost, path, url.Values{"token": {admin}, "reason": {"x"}}, header...)
			if answer.StatusCode != http.StatusForbidden || len(answer.Cookies()) > 0 {
				t.Errorf("%s with %v: %s\n%s", path, header, answer.Status, body)
			}
		}
	}
	s.plant.View(func(state *line.State) {
		if len(state.Cords) > 0 {
			t.Error("another site's page pulled a cord")
		}
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+"/board", nil)
	s.must(err)
	r.Host = "evil.example" // as after DNS rebinding
	answer, err := s.client.Do(r)
	s.must(err)
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("for another host: %s", answer.Status)
	}
}

func TestStatic_IsServedWithItsType(t *testing.T) {
	s := newSite(t)
	s.signIn()
	for path, kind := range map[string]string{"/static/live.js": "text/javascript", "/static/style.css": "text/css", "/static/stopped.svg": "image/svg+xml"} {
		answer, body := s.do(http.MethodGet, path, nil)
		if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), kind) || body == "" {
			t.Errorf("%s: %s %v", path, answer.Status, answer.Header)
		}
	}
	s.page("/static/../templates/board.html", http.StatusTemporaryRedirect)
}
