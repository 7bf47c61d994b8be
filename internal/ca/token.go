package ca

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// A Token lets one host join a plant once: it names the agent, proves by its secret that the plant
// wants it, and says by which authority the agent knows the plant.
type Token struct {
	Agent  andon.AgentName
	Secret string
	// Authority is the fingerprint of the plant's authority.
	Authority string
}

// NewToken returns a token of 32 random bytes.
func (a *Authority) NewToken(agent andon.AgentName) Token {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	return Token{Agent: agent, Secret: base64.RawURLEncoding.EncodeToString(secret), Authority: a.Fingerprint()}
}

// String returns the token as people carry it: join.NAME.SECRET.AUTHORITY.
func (t Token) String() string {
	return "join." + string(t.Agent) + "." + t.Secret + "." + t.Authority
}

// ParseToken reads a token that String wrote.
func ParseToken(text string) (Token, error) {
	parts := strings.Split(strings.TrimSpace(text), ".")
	if len(parts) != 4 || parts[0] != "join" || !andon.ValidName(parts[1]) || parts[2] == "" || len(parts[3]) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return Token{}, andon.Errorf(andon.KindInvalid, "this is not a token to join a plant with").
			WithHint("`andon host add NAME` prints one: it begins with join.")
	}
	return Token{Agent: andon.AgentName(parts[1]), Secret: parts[2], Authority: parts[3]}, nil
}

// HashSecret returns what the plant keeps of the secret of a token.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
