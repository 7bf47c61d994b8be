package browser_test

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
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
	eval[bool](b, `Object.assign(document.documentElement.style, {colorScheme: "light dark", background: "light-dark(#fff, #111)"}),
  document.querySelector("h1").style.color = "light-dark(#000, #222)", document.querySelector("main").style.width = "2000px", true`)
	found := b.faults()
	for what, looks := range map[string]string{
		"image-alt":                        "1920 wide, dark false; 390 wide, dark false",
		"color-contrast":                   "1920 wide, dark true; 390 wide, dark true",
		"it has to be scrolled sideways: ": "1920 wide, dark false; 1920 wide, dark true; 390 wide, dark false; 390 wide, dark true",
	} {
		if got := strings.Join(found[findKey(found, what)], "; "); got != looks {
			t.Errorf("%s is found in %q, of %v", what, got, found)
		}
	}
	b.except = []string{""} // what it complains of was looked for above; some of it comes late
}

// findKey returns the first of the keys that begins with a text.
func findKey(found map[string][]string, text string) string {
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if strings.HasPrefix(key, text) {
			return key
		}
	}
	return ""
}
