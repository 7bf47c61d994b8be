package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/auth"
)

func kindOf(err error) api.Kind {
	e, ok := errors.AsType[*api.Error](err)
	if !ok {
		return ""
	}
	return e.Kind
}

// ask makes a request with a header and returns the answer and its body.
func (p *plant) ask(method, path string, header map[string]string, body string) (*http.Response, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.server.URL+path, strings.NewReader(body))
	p.must(err)
	for name, value := range header {
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	p.must(err)
	data, err := io.ReadAll(resp.Body)
	p.must(errors.Join(err, resp.Body.Close()))
	return resp, string(data)
}

func bearer(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token}
}

// everyRoute returns a request for each route of the API and of what is beside it.
func (p *plant) everyRoute() [][2]string {
	fill := strings.NewReplacer("{service}", "shop", "{version}", "1", "{environment}", "test", "{deployment}", "shop.test.1", "{agent}", "web1", "{stream...}", "task/x/1")
	var all [][2]string
	for _, pattern := range p.api.Routes() {
		method, path, _ := strings.Cut(pattern, " ")
		all = append(all, [2]string{method, fill.Replace(path)})
	}
	return append(all, [2]string{"GET", "/git/shop.git/info/refs"}, [2]string{"POST", "/git/shop.git/git-receive-pack"},
		[2]string{"GET", "/v2/"}, [2]string{"GET", "/v2"}, [2]string{"PUT", "/v2/shop/manifests/x"},
		[2]string{"GET", "/"}, [2]string{"GET", "/board"}, [2]string{"GET", "/metrics"}, [2]string{"POST", "/anything"},
		[2]string{"GET", "/api/v1/nothing"}, [2]string{"GET", "/api"}, [2]string{"GET", "/agent/v1/hello"}, [2]string{"GET", "//healthz"}, [2]string{"GET", "/healthz/"})
}

func TestGuard_NothingButHealthAnswersWithoutAToken(t *testing.T) {
	p := newPlant(t)
	if n := len(p.api.Routes()); n < 35 {
		t.Fatalf("only %d routes are known", n)
	}
	for _, r := range p.everyRoute() {
		for name, header := range map[string]map[string]string{
			"no token": nil, "a wrong token": bearer("wrong"), "a wrong session": {"Cookie": sessionCookie + "=99999999999.AAAA"},
			"Basic with the token as the user": {"Authorization": "Basic dGhlIGFkbWluJ3MgdG9rZW46"},
		} {
			resp, body := p.ask(r[0], r[1], header, "{}")
			want := http.StatusUnauthorized
			if r[1] == "/healthz" {
				want = http.StatusOK
			}
			if resp.StatusCode != want {
				t.Errorf("%s %s with %s is answered with %s: %.200s", r[0], r[1], name, resp.Status, body)
			}
		}
	}
	resp, _ := p.ask("GET", "/healthz", nil, "")
	if resp.StatusCode != http.StatusOK {
		t.Errorf("health is answered with %s", resp.Status)
	}
}

func TestGuard_AgentsAndAdminHaveTheirOwnRoutes(t *testing.T) {
	p := newPlant(t)
	agent := p.keys.AgentToken("local")
	for _, r := range p.everyRoute() {
		if strings.HasPrefix(r[1], "/sign-in") || strings.Contains(r[1], "healthz") || r[1] == "/api/v1/events" {
			continue
		}
		area := areaOf(r[1])
		agents := area == "/agent/"
		both := area == "/git/" || strings.HasPrefix(r[1], "/v2")
		foreign := strings.HasPrefix(r[1], "/agent/v1/logs/") // the agent has no task that writes the log
		if resp, _ := p.ask(r[0], r[1], bearer(agent), `{"agent":"local","slots":1}`); (resp.StatusCode == http.StatusForbidden) == ((agents || both) && !foreign) {
			t.Errorf("%s %s answers an agent with %s", r[0], r[1], resp.Status)
		}
		if r[0] == http.MethodDelete {
			continue
		}
		if resp, _ := p.ask(r[0], r[1], bearer(admin), "{}"); (resp.StatusCode == http.StatusForbidden) != agents {
			t.Errorf("%s %s answers the admin with %s", r[0], r[1], resp.Status)
		}
	}
}

func TestGuard_LetsScrapersReadMetricsAlone(t *testing.T) {
	p := newPlant(t)
	scraper := bearer(p.keys.ScraperToken())
	if resp, body := p.ask("GET", metricsPath, scraper, ""); resp.StatusCode != http.StatusOK || body != string(auth.Scraper) {
		t.Errorf("a scraper is answered with %s: %s", resp.Status, body)
	}
	for _, r := range append(p.everyRoute(), [2]string{"POST", metricsPath}, [2]string{"GET", metricsPath + "/"}) {
		if r == [2]string{"GET", metricsPath} || r[1] == "/healthz" {
			continue
		}
		if resp, body := p.ask(r[0], r[1], scraper, "{}"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s answers a scraper with %s: %.200s", r[0], r[1], resp.Status, body)
		}
	}
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	if resp, _ := p.ask("POST", signInPath, form, url.Values{"token": {p.keys.ScraperToken()}}.Encode()); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a scraper signs in: %s", resp.Status)
	}
}

func TestGuard_KeepsOtherSitesOut(t *testing.T) {
	p := newPlant(t)
	value, _ := p.keys.NewSession(p.clock())
	session := sessionCookie + "=" + value
	for name, c := range map[string]struct {
		method string
		header map[string]string
		want   int
	}{
		"a page of the plant":         {"POST", map[string]string{"Cookie": session, "Sec-Fetch-Site": "same-origin"}, 400},
		"a page elsewhere, posting":   {"POST", map[string]string{"Cookie": session, "Sec-Fetch-Site": "cross-site"}, 403},
		"an old browser elsewhere":    {"POST", map[string]string{"Cookie": session, "Origin": "https://evil.example"}, 403},
		"with Basic, from elsewhere":  {"POST", map[string]string{"Authorization": "Bearer " + admin, "Sec-Fetch-Site": "cross-site"}, 403},
		"a name that was rebound":     {"GET", map[string]string{"Authorization": "Bearer " + admin, "Host": "evil.example"}, 403},
		"this machine":                {"GET", map[string]string{"Authorization": "Bearer " + admin, "Host": "localhost:8600"}, 200},
		"a name below localhost":      {"GET", map[string]string{"Authorization": "Bearer " + admin, "Host": "andon.localhost"}, 200},
		"this machine, by IPv6":       {"GET", map[string]string{"Authorization": "Bearer " + admin, "Host": "[::1]:8600"}, 200},
		"another address":             {"GET", map[string]string{"Authorization": "Bearer " + admin, "Host": "192.0.2.1"}, 403},
		"a session in a safe request": {"GET", map[string]string{"Cookie": session, "Sec-Fetch-Site": "cross-site"}, 200},
	} {
		path := "/api/v1/plant"
		if c.method == "POST" {
			path = "/api/v1/cords"
		}
		if resp, body := p.ask(c.method, path, c.header, "{}"); resp.StatusCode != c.want {
			t.Errorf("%s: %s: %s", name, resp.Status, body)
		}
	}
}

func TestGuard_LetsConfiguredHostsThrough(t *testing.T) {
	p := newPlant(t)
	p.api.Hosts = []string{"andon.example.com"}
	if resp, _ := p.ask("GET", "/api/v1/plant", map[string]string{"Authorization": "Bearer " + admin, "Host": "ANDON.example.com"}, ""); resp.StatusCode != http.StatusOK {
		t.Errorf("the name of the reverse proxy is answered with %s", resp.Status)
	}
}

func TestSignIn_GivesABrowserASession(t *testing.T) {
	p := newPlant(t)
	browser := map[string]string{"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
	resp, page := p.ask("GET", "/services/shop?x=1", browser, "")
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") != "" || !strings.Contains(page, `value="/services/shop?x=1"`) {
		t.Fatalf("%s %v: %s", resp.Status, resp.Header, page)
	}
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, styleDigest(page)) || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy %q is not that of the page", policy)
	}
	resp, page = p.ask("POST", signInPath, form, url.Values{"token": {"wrong"}, "next": {"/x"}}.Encode())
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Set-Cookie") != "" || !strings.Contains(page, `role="alert"`) {
		t.Errorf("a wrong token: %s: %s", resp.Status, page)
	}
	for next, want := range map[string]string{
		"/services/shop?x=1": "/services/shop?x=1", "https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/", "": "/",
	} {
		resp, _ = p.ask("POST", signInPath, form, url.Values{"token": {admin}, "next": {next}}.Encode())
		if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != want {
			t.Errorf("next %q: %s to %q", next, resp.Status, resp.Header.Get("Location"))
		}
	}
	cookie := resp.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("the cookie is %v", cookie)
	}
	if resp, body := p.ask("GET", "/services/shop", map[string]string{"Cookie": cookie.Name + "=" + cookie.Value}, ""); resp.StatusCode != http.StatusOK || body != string(auth.Admin) {
		t.Errorf("with the session: %s %s", resp.Status, body)
	}
	agent := url.Values{"token": {p.keys.AgentToken("local")}}.Encode()
	if resp, _ := p.ask("POST", signInPath, form, agent); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("an agent signs in: %s", resp.Status)
	}
}

func TestRefusal_HasTheFormThatItsClientShows(t *testing.T) {
	p := newPlant(t)
	resp, body := p.ask("GET", "/git/shop.git/info/refs?service=git-upload-pack", nil, "")
	if !strings.Contains(body, "credential.http://127.0.0.1:8600.helper '!andon git-credential'") || resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("git: %s %s", resp.Header, body)
	}
	resp, body = p.ask("GET", "/v2/", nil, "")
	if !strings.Contains(body, `"code":"UNAUTHORIZED"`) || resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("registry: %s %s", resp.Header, body)
	}
	_, body = p.ask("GET", "/api/v1/status", nil, "")
	var f api.Failure
	if err := json.Unmarshal([]byte(body), &f); err != nil || f.Error.Kind != api.KindSignIn || f.Error.Hint == "" {
		t.Errorf("API: %s", body)
	}
}

func TestFailure_HasOneFormEverywhere(t *testing.T) {
	p := newPlant(t)
	p.api.Pages = nil
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		kind               api.Kind
	}{
		"nothing there":         {"GET", "/api/v1/nothing", "", 404, api.KindNotFound},
		"no pages":              {"GET", "/nothing", "", 404, api.KindNotFound},
		"another method":        {"PUT", "/api/v1/status", "", 405, api.KindInvalid},
		"an unknown service":    {"GET", "/api/v1/services/nothing", "", 404, api.KindNotFound},
		"a wrong number":        {"GET", "/api/v1/audit?limit=many", "", 400, api.KindInvalid},
		"an unknown parameter":  {"GET", "/api/v1/audit?limits=3", "", 400, api.KindInvalid},
		"no JSON":               {"POST", "/api/v1/cords", "{", 400, api.KindInvalid},
		"an unknown field":      {"POST", "/api/v1/cords", `{"scope":{"kind":"plant"},"reasons":"x"}`, 400, api.KindInvalid},
		"an unknown word":       {"POST", "/api/v1/cords", `{"scope":{"kind":"world"},"reason":"x"}`, 400, api.KindInvalid},
		"a missing field":       {"POST", "/api/v1/cords", `{"reason":"x"}`, 400, api.KindInvalid},
		"too much":              {"POST", "/api/v1/cords", `{"reason":"` + strings.Repeat("x", 2<<20) + `"}`, 413, api.KindInvalid},
		"what the line refuses": {"POST", "/api/v1/cords", `{"scope":{"kind":"plant"},"reason":""}`, 400, api.KindInvalid},
		"a conflict":            {"POST", "/api/v1/services/nothing/environments/test/rollback", `{}`, 404, api.KindNotFound},
	} {
		resp, body := p.ask(c.method, c.path, bearer(admin), c.body)
		var f api.Failure
		if err := json.Unmarshal([]byte(body), &f); err != nil || f.Error == nil {
			t.Errorf("%s: %s %s", name, resp.Status, body)
			continue
		}
		if resp.StatusCode != c.status || f.Error.Kind != c.kind || f.Error.Message == "" || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s %s %s", name, resp.Status, resp.Header.Get("Content-Type"), body)
		}
	}
}

func TestFailure_APanicIsAnsweredAndSaysNothing(t *testing.T) {
	p := newPlant(t)
	resp, body := p.ask("GET", "/panic", bearer(admin), "")
	if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(body, `"kind":"internal"`) || strings.Contains(body, "fell over") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestFailure_EveryKindHasAStatus(t *testing.T) {
	for _, kind := range api.Kinds() {
		found := false
		for known := range statusOf {
			found = found || string(known) == string(kind)
		}
		if !found {
			t.Errorf("%s has no status", kind)
		}
	}
}
