// Package webhook delivers messages by HTTP POST with the signature of the Standard Webhooks
// specification (https://www.standardwebhooks.com): the headers webhook-id, webhook-timestamp and
// webhook-signature, "v1," and the base64 HMAC-SHA256 of "{id}.{timestamp}.{body}".
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/notify"
)

const (
	// deliveryTimeout bounds one POST, the answer included.
	deliveryTimeout = 15 * time.Second
	// secretPrefix marks a secret in its written form, as the specification wants it.
	secretPrefix = "whsec_"
)

// A Webhook is one receiver. It implements notify.Notifier.
type Webhook struct {
	url    string
	secret []byte
	client *http.Client
	now    func() time.Time
}

// New returns the receiver at an http or https URL. The secret is "whsec_" and base64 of 24 to 64
// bytes; now is the clock of the timestamps.
func New(address, secret string, now func() time.Time) (*Webhook, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, andon.Errorf(andon.KindInvalid, "the address of the webhook is not a URL").WithHint("write http://… or https://…")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, andon.Errorf(andon.KindInvalid, "the secret of the webhook is not of the form of Standard Webhooks").
			WithHint("write %s and the base64 of 24 to 64 random bytes", secretPrefix)
	}
	client := &http.Client{
		Timeout: deliveryTimeout,
		// A redirect would send the message to somebody whom nobody named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Webhook{url: u.String(), secret: key, client: client, now: now}, nil
}

// Secret returns the written form of a secret's bytes.
func Secret(key []byte) string { return secretPrefix + base64.StdEncoding.EncodeToString(key) }

// Deliver sends the message once. Any answer of 2xx counts as delivered.
func (w *Webhook) Deliver(ctx context.Context, m notify.Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding message %s: %w", m.ID, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return andon.Errorf(andon.KindInvalid, "the webhook cannot be called").Because(err)
	}
	at := w.now().Unix()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "andon")
	request.Header.Set("webhook-id", m.ID)
	request.Header.Set("webhook-timestamp", strconv.FormatInt(at, 10))
	request.Header.Set("webhook-signature", w.sign(m.ID, at, body))
	answer, err := w.client.Do(request)
	if err != nil {
		return andon.Errorf(andon.KindUnreachable, "the webhook does not answer").Because(err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection can be used again
	switch {
	case answer.StatusCode/100 == 2:
		return nil
	case answer.StatusCode == http.StatusGone:
		return andon.Errorf(andon.KindRefused, "the webhook's receiver wants no more messages (410)")
	default:
		return andon.Errorf(andon.KindUnreachable, "the webhook answered %d", answer.StatusCode)
	}
}

func (w *Webhook) sign(id string, at int64, body []byte) string {
	mac := hmac.New(sha256.New, w.secret)
	fmt.Fprintf(mac, "%s.%d.", id, at)
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
