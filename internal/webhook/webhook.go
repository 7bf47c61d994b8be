// Package webhook takes the webhooks that hosts of repositories send when something was pushed.
// A webhook says only "look now": nothing in it is believed, and what changed is read from the
// repository itself.
//
// A service whose credential has a secret for webhooks takes only signed ones. Without a secret
// anybody may ask the plant to look, and is answered the same whether the service exists or not;
// such requests are limited, and a look changes nothing that the next poll would not change.
package webhook

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
)

// maxBody bounds a webhook: the largest that the known hosts send.
const maxBody = 25 << 20

// Config is what a receiver needs.
type Config struct {
	// Wake makes whoever watches a service's repository look at it; false: nobody watches it.
	Wake func(andon.ServiceName) bool
	// Secret returns what signs the webhooks of a service; empty: they need no signature.
	Secret func(andon.ServiceName) (string, error)
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger
}

// A Receiver serves POST /hooks/SERVICE. It implements http.Handler.
type Receiver struct {
	Config
	unsigned *limit
}

// New returns a receiver.
func New(config Config) *Receiver {
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Receiver{Config: config, unsigned: newLimit()}
}

// ServeHTTP takes one webhook.
func (c *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/hooks/")
	if !andon.ValidName(name) {
		answer(w, http.StatusNotFound, andon.Errorf(andon.KindNotFound, "there is nothing here").WithHint("webhooks go to /hooks/SERVICE"))
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, andon.Errorf(andon.KindInvalid, "webhooks are sent with POST"))
		return
	}
	service := andon.ServiceName(name)
	if _, signedIn := auth.From(r.Context()); signedIn {
		if !c.Wake(service) {
			answer(w, http.StatusNotFound, andon.Errorf(andon.KindNotFound, "no repository is watched for a service %s", name).
				WithHint("`andon service add %s --repo URL` watches one", name))
			return
		}
		answer(w, http.StatusAccepted, nil)
		return
	}
	secret, err := c.Secret(service)
	if err != nil {
		c.Log.Error("the secret of webhooks cannot be read", "service", service, "err", err)
		answer(w, http.StatusInternalServerError, andon.Errorf(andon.KindInternal, "the plant failed to take the webhook"))
		return
	}
	body := http.MaxBytesReader(w, r.Body, maxBody)
	if secret != "" {
		if !signed(r.Header, body, secret, c.Now()) {
			c.Log.Warn("a webhook was refused: its signature is missing or wrong", "service", service)
			answer(w, http.StatusUnauthorized, andon.Errorf(andon.KindSignIn, "the signature of the webhook is missing or wrong").
				WithHint("give the host the secret that the service was added with"))
			return
		}
	} else if !c.unsigned.take(service, c.Now()) {
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusTooManyRequests, andon.Errorf(andon.KindUnavailable, "too many webhooks without a signature"))
		return
	}
	c.Wake(service)
	answer(w, http.StatusAccepted, nil)
}

// answer tells the sender what became of its webhook. Without an error it says the same for a
// service that exists and one that does not.
func answer(w http.ResponseWriter, status int, e *andon.Error) {
	body := any(map[string]string{"status": "the repository is looked at, if it is watched"})
	if e != nil {
		body = map[string]*andon.Error{"error": e}
	}
	data, err := json.Marshal(body)
	if err != nil {
		panic("webhook: an answer does not encode: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The sender may be gone; there is nobody else to tell.
	_, _ = io.WriteString(w, string(data)+"\n")
}
