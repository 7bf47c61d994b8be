package ca

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// A Token lets one host join a plant once: it names the agent and the server, proves by its secret
// that the plant wants the host, and says by which authority the host knows the plant.
type Token struct {
	Agent andon.AgentName
	// Server is where the host reaches the plant: https://HOST:PORT.
	Server string
	Secret string
	// Authority is the fingerprint of the plant's authority.
	Authority string
}

// NewToken returns a token of 32 random bytes for a host that reaches the plant at an address.
func (a *Authority) NewToken(agent andon.AgentName, server string) Token {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	return Token{Agent: agent, Server: server, Secret: base64.RawURLEncoding.EncodeToString(secret), Authority: a.Fingerprint()}
}

// String returns the token as people carry it: join.NAME.SERVER.SECRET.AUTHORITY, of which all but
// the name is encoded.
func (t Token) String() string {
	return strings.Join([]string{"join", string(t.Agent), base64.RawURLEncoding.EncodeToString([]byte(t.Server)), t.Secret, t.Authority}, ".")
}

// maxToken bounds a token.
const maxToken = 2048

// ParseToken reads a token that String wrote.
func ParseToken(text string) (Token, error) {
	bad := andon.Errorf(andon.KindInvalid, "this is not a token to join a plant with").
		WithHint("`andon host add NAME` prints one: it begins with join.")
	text = strings.TrimSpace(text)
	parts := strings.Split(text, ".")
	if len(text) > maxToken || len(parts) != 5 || parts[0] != "join" || !andon.ValidName(parts[1]) ||
		parts[3] == "" || len(parts[4]) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return Token{}, bad
	}
	server, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !ValidServer(string(server)) {
		return Token{}, bad
	}
	return Token{Agent: andon.AgentName(parts[1]), Server: string(server), Secret: parts[3], Authority: parts[4]}, nil
}

// ValidServer reports whether text is the address of a server that hosts can join at: an https
// address with a host, and nothing behind it.
func ValidServer(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && *u == url.URL{Scheme: "https", Host: u.Host}
}

// HashSecret returns what the plant keeps of the secret of a token.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
