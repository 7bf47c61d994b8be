package browser_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andon-cd/andon/e2e/planttest"
)

// bad is a page that does what no page of a plant may.
const bad = `<!doctype html><html lang="en"><head><title>Bad</title></head><body><main><h1>Bad</h1>
<img src="http://elsewhere.invalid/x.png"><script>console.error("it ran")</script></main></body></html>`

// TestTheseTests_SeeWhatIsWrong holds the other ones to failing when they must.
func TestTheseTests_SeeWhatIsWrong(t *testing.T) {
	needChromium(t)
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		_, _ = w.Write([]byte(bad))
	}))
	t.Cleanup(server.Close)
	b := openTab(t, server.URL)
	b.open("/")
	eval[bool](b, `console.error("an error"), setTimeout(() => { throw new Error("an exception") }), true`)
	var seen string
	for _, sign := range []string{`console: "an error"`, "an exception", "the policy forbids script-src", "the policy forbids img-src", "ContentSecurityPolicyIssue"} {
		planttest.Until(t, patience, "the problem is noticed: "+sign, func() error {
			seen += strings.Join(b.Problems(), "\n")
			if !strings.Contains(seen, sign) {
				return errors.New(seen)
			}
			return nil
		})
	}
	if strings.Contains(seen, "it ran") {
		t.Error("a script in a page runs")
	}
	var found []string
	for _, v := range b.violations() {
		found = append(found, v.ID)
	}
	if !strings.Contains(strings.Join(found, " "), "image-alt") {
		t.Errorf("axe has nothing against a picture without words: %q", found)
	}
	b.Problems()
}
