package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/e2e/planttest"
)

// A delivery is one message that a webhook got.
type delivery struct {
	header http.Header
	body   []byte
}

func TestWebhook_TellsSignedWhenTheLineStopsAndRuns(t *testing.T) {
	t.Parallel()
	got := make(chan delivery, 10)
	refusals := 1 // the first delivery is answered with 500, and must come again
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if refusals > 0 {
			refusals--
			http.Error(w, "not now", http.StatusInternalServerError)
			return
		}
		got <- delivery{r.Header, body}
	}))
	t.Cleanup(receiver.Close)
	p := startPlant(t, "--webhook", receiver.URL)
	text, err := os.ReadFile(filepath.Join(p.Data, "webhook.secret"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(string(text)), "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	next := func(want string) {
		t.Helper()
		select {
		case d := <-got:
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(d.header.Get("webhook-id") + "." + d.header.Get("webhook-timestamp") + "."))
			mac.Write(d.body)
			if signature := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); d.header.Get("webhook-signature") != signature {
				t.Errorf("the signature is %q, want %q", d.header.Get("webhook-signature"), signature)
			}
			var message struct {
				Type      string
				Timestamp time.Time
				Data      struct{ Reason, Scope string }
			}
			if err := json.Unmarshal(d.body, &message); err != nil || message.Type != want || message.Timestamp.IsZero() || message.Data.Scope == "" {
				t.Errorf("want %s, got %s, %v", want, d.body, err)
			}
		case <-time.After(planttest.Patience):
			t.Fatalf("no message %s comes", want)
		}
	}
	p.Andon("cord", "pull", "--reason", "fire").Wants(t, done, "andon cord pull")
	next("line.stopped")
	p.Andon("cord", "release", "--reason", "it was a drill").Wants(t, done, "andon cord release")
	next("line.running")
	shop := p.newShop("sh ./test.sh", "exit 1")
	p.Andon("wait", shop.Ref(shop.Push()), "--for", "stopped", "--timeout", "4m").Wants(t, done, "waiting for the line to stop")
	next("line.stopped")
}
