// Package auth says who a request comes from: the admin of the plant, one of its agents, or what
// scrapes its metrics.
package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Role says what somebody may do.
type Role string

// The roles.
const (
	Admin Role = "admin" // everything that people do
	Agent Role = "agent" // what agents do: /agent/, /v2/, and reading /git/
	// Scraper reads the metrics, and nothing else.
	Scraper Role = "scraper"
)

// An Identity is who somebody is.
type Identity struct {
	Role  Role
	Agent andon.AgentName // with role Agent
}

// Actor returns the identity as the journal names it.
func (i Identity) Actor() andon.Actor {
	if i.Role == Agent {
		return andon.Actor("agent:" + i.Agent)
	}
	return andon.Actor(i.Role)
}

// sessionLife is how long a browser stays signed in.
const sessionLife = 30 * 24 * time.Hour

// Keys know the tokens of a plant. They never change; their methods may be called from any
// goroutine. All comparisons take the same time whatever is wrong.
type Keys struct {
	admin   [sha256.Size]byte
	agents  []byte // key of the agents' tokens
	session []byte // key of the browsers' sessions
	scraper string
	extra   map[andon.AgentName][sha256.Size]byte
}

// New returns the keys that belong to an admin's token, which must not be empty: the tokens of
// agents and the sessions of browsers are derived from it, and end with it. Agents may have
// tokens besides that, by name.
func New(admin string, agents map[andon.AgentName]string) *Keys {
	k := &Keys{
		admin: sha256.Sum256([]byte(admin)), agents: derive(admin, "agents"), session: derive(admin, "sessions"),
		scraper: "scraper." + sign(derive(admin, "scrapers"), "metrics"),
		extra:   make(map[andon.AgentName][sha256.Size]byte, len(agents)),
	}
	for name, token := range agents {
		if token != "" {
			k.extra[name] = sha256.Sum256([]byte(token))
		}
	}
	return k
}

func derive(secret, purpose string) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte("andon " + purpose))
	return h.Sum(nil)
}

// AgentToken returns the token of the agent of that name; the admin's cannot be found from it.
func (k *Keys) AgentToken(name andon.AgentName) string {
	return "agent." + string(name) + "." + sign(k.agents, string(name))
}

// ScraperToken returns the token with which metrics are read; the admin's cannot be found from it.
func (k *Keys) ScraperToken() string { return k.scraper }

// Who returns whose token it is.
func (k *Keys) Who(token string) (Identity, bool) {
	given := sha256.Sum256([]byte(token))
	if equal(token, k.scraper) {
		return Identity{Role: Scraper}, true
	}
	if subtle.ConstantTimeCompare(given[:], k.admin[:]) == 1 {
		return Identity{Role: Admin}, true
	}
	for name, known := range k.extra {
		if subtle.ConstantTimeCompare(given[:], known[:]) == 1 {
			return Identity{Role: Agent, Agent: name}, true
		}
	}
	rest, ok := strings.CutPrefix(token, "agent.")
	name, signature, cut := strings.Cut(rest, ".")
	if !ok || !cut || !andon.ValidName(name) || !equal(signature, sign(k.agents, name)) {
		return Identity{}, false
	}
	return Identity{Role: Agent, Agent: andon.AgentName(name)}, true
}

// NewSession returns what a browser of the admin keeps as its cookie, and when it ends.
func (k *Keys) NewSession(now time.Time) (value string, ends time.Time) {
	ends = now.Add(sessionLife)
	until := strconv.FormatInt(ends.Unix(), 10)
	return until + "." + sign(k.session, until), ends
}

// Session returns who a browser's cookie stands for.
func (k *Keys) Session(value string, now time.Time) (Identity, bool) {
	until, signature, _ := strings.Cut(value, ".")
	if !equal(signature, sign(k.session, until)) {
		return Identity{}, false
	}
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil || now.Unix() >= seconds {
		return Identity{}, false
	}
	return Identity{Role: Admin}, true
}

func sign(key []byte, text string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

type contextKey struct{}

// With returns a context that says who a request comes from.
func With(ctx context.Context, i Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, i)
}

// From returns who a request comes from; false when nobody is signed in.
func From(ctx context.Context) (Identity, bool) {
	i, ok := ctx.Value(contextKey{}).(Identity)
	return i, ok
}
