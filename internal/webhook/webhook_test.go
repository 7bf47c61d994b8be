package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
)

const (
	payload = `{"ref":"refs/heads/main"}`
	key     = "shared secret"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// A receiver of two watched services: shop has a secret, cart has none.
type receiver struct {
	*Receiver
	woken []andon.ServiceName
	now   time.Time
}

func open(t *testing.T) *receiver {
	r := &receiver{now: noon}
	r.Receiver = New(Config{
		Wake: func(s andon.ServiceName) bool {
			r.woken = append(r.woken, s)
			return s == "shop" || s == "cart"
		},
		Secret: func(s andon.ServiceName) (string, error) {
			switch s {
			case "shop":
				return key, nil
			case "broken":
				return "", errors.New("the disk is gone")
			}
			return "", nil
		},
		Now: func() time.Time { return r.now },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	return r
}

func (c *receiver) post(path string, header map[string]string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(payload))
	for name, value := range header {
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, req)
	return w
}

func digest(secret, text string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func standardHeader(at time.Time, secret string) map[string]string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	sum := base64.StdEncoding.EncodeToString(digest(secret, "msg_1."+stamp+"."+payload))
	return map[string]string{"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": "v1,AAAA v1," + sum}
}

func TestReceiver_TakesTheSignaturesOfTheKnownHosts(t *testing.T) {
	right := hex.EncodeToString(digest(key, payload))
	for host, header := range map[string]map[string]string{
		"GitHub":    {"X-Hub-Signature-256": "sha256=" + right},
		"Bitbucket": {"X-Hub-Signature": "sha256=" + right},
		"Gitea":     {"X-Gitea-Signature": right},
		"Forgejo":   {"X-Forgejo-Signature": right},
		"GitLab":    {"X-Gitlab-Token": key},
		"Standard":  standardHeader(noon.Add(-time.Minute), key),
	} {
		c := open(t)
		if w := c.post("/hooks/shop", header); w.Code != http.StatusAccepted || len(c.woken) != 1 {
			t.Errorf("%s: %d, woken %v", host, w.Code, c.woken)
		}
	}
}

func TestReceiver_RefusesWrongSignatures(t *testing.T) {
	wrong := hex.EncodeToString(digest("another secret", payload))
	for name, header := range map[string]map[string]string{
		"none":              nil,
		"GitHub":            {"X-Hub-Signature-256": "sha256=" + wrong},
		"GitHub's SHA-1":    {"X-Hub-Signature": "sha1=" + wrong[:40]},
		"Gitea":             {"X-Gitea-Signature": wrong},
		"GitLab":            {"X-Gitlab-Token": key + "x"},
		"Standard":          standardHeader(noon, "another secret"),
		"Standard, old":     standardHeader(noon.Add(-6*time.Minute), key),
		"Standard, ahead":   standardHeader(noon.Add(6*time.Minute), key),
		"Standard, no time": {"webhook-signature": "v1,AAAA"},
	} {
		c := open(t)
		if w := c.post("/hooks/shop", header); w.Code != http.StatusUnauthorized || len(c.woken) != 0 {
			t.Errorf("%s: %d, woken %v", name, w.Code, c.woken)
		}
	}
}

func TestReceiver_LimitsWhatIsNotSigned(t *testing.T) {
	c := open(t)
	if w := c.post("/hooks/cart", nil); w.Code != http.StatusAccepted {
		t.Fatalf("%d", w.Code)
	}
	if w := c.post("/hooks/cart", nil); w.Code != http.StatusTooManyRequests {
		t.Errorf("a second one at once is answered with %d", w.Code)
	}
	c.now = c.now.Add(time.Second)
	if w := c.post("/hooks/cart", nil); w.Code != http.StatusAccepted {
		t.Errorf("one a second later is answered with %d", w.Code)
	}
	c.now = c.now.Add(time.Second)
	passed := 0
	for i := range 5000 {
		if w := c.post(fmt.Sprintf("/hooks/name%d", i), nil); w.Code == http.StatusAccepted {
			passed++
		}
	}
	if passed != perSecond || len(c.unsigned.last) > mostServices {
		t.Errorf("%d passed in one second, %d are remembered", passed, len(c.unsigned.last))
	}
}

func TestReceiver_DoesNotSayWhichServicesThereAre(t *testing.T) {
	c := open(t)
	known, unknown := c.post("/hooks/cart", nil), c.post("/hooks/nothing", nil)
	if known.Code != unknown.Code || known.Body.String() != unknown.Body.String() {
		t.Errorf("%d %s, %d %s", known.Code, known.Body, unknown.Code, unknown.Body)
	}
}

func TestReceiver_TellsTheSignedInMore(t *testing.T) {
	c := open(t)
	for path, want := range map[string]int{"/hooks/shop": http.StatusAccepted, "/hooks/nothing": http.StatusNotFound} {
		req := httptest.NewRequest(http.MethodPost, path, nil)
		w := httptest.NewRecorder()
		c.ServeHTTP(w, req.WithContext(auth.With(req.Context(), auth.Identity{Role: auth.Admin})))
		if w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestReceiver_AnswersNonsense(t *testing.T) {
	c := open(t)
	for _, path := range []string{"/hooks/", "/hooks/a/b", "/hooks/UPPER"} {
		if w := c.post(path, nil); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/hooks/shop", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
	if w := c.post("/hooks/broken", nil); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
