package httpapi

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
	"github.com/andon-cd/andon/internal/ca"
	"github.com/andon-cd/andon/internal/line"
)

// joinPath is where hosts join: whoever comes there proves by the token in its question that the
// plant wants it.
const joinPath = "/agent/v1/join"

// joins adds the routes by which hosts get their certificates.
func (a *API) joins() {
	a.handle("POST "+joinPath, a.join)
	a.handle("POST /agent/v1/renew", a.renew)
}

// join gives a host that comes with its token a certificate for the key that it made itself.
func (a *API) join(w http.ResponseWriter, r *http.Request) {
	if a.Authority == nil || r.TLS == nil {
		a.fail(w, r, andon.Errorf(andon.KindInvalid, "hosts join by TLS").WithHint("use the whole token that `andon host add` printed"))
		return
	}
	var question andon.JoinRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxJoin)).Decode(&question); err != nil {
		a.fail(w, r, errBody(err))
		return
	}
	key, err := ca.Requested(question.Request)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	by := auth.Identity{Role: auth.Agent, Agent: question.Agent}
	verb := line.JoinHost{Host: question.Agent, TokenHash: ca.HashSecret(question.Secret), Key: key}
	if _, err := a.Engine.Do(r.Context(), by.Actor(), verb); err != nil {
		a.fail(w, r, err)
		return
	}
	a.sign(w, r, question.Agent, question.Request)
}

// maxJoin bounds what a host says when it joins, in bytes.
const maxJoin = 64 << 10

// renew gives an agent the next certificate for the key that it came with.
func (a *API) renew(w http.ResponseWriter, r *http.Request) {
	var question andon.RenewRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxJoin)).Decode(&question); err != nil {
		a.fail(w, r, errBody(err))
		return
	}
	who, _ := auth.From(r.Context()) // the guard lets only agents through
	key, err := ca.Requested(question.Request)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || ca.KeyOf(r.TLS.VerifiedChains[0][0]) != key {
		a.fail(w, r, andon.Errorf(andon.KindRefused, "an agent renews the certificate that it comes with, and no other"))
		return
	}
	a.sign(w, r, who.Agent, question.Request)
}

func (a *API) sign(w http.ResponseWriter, r *http.Request, agent andon.AgentName, request []byte) {
	cert, err := a.Authority.SignAgent(request, a.Engine.Plant(), agent)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, andon.SignedAgent{Certificate: cert, Roots: a.Authority.PEM()})
}

// admit refuses an agent that may not come in its name: one that was removed, and one that joined
// unless it comes with its key. One that no host was added by comes with its token, and key "".
func (a *API) admit(agent andon.AgentName, key string) error {
	want, known, removed := a.Engine.Admission(agent)
	switch {
	case removed:
		return andon.Errorf(andon.KindRefused, "host %s was removed from the plant", agent).
			WithHint("end what it still runs with `andon down` there; `andon host add %s` lets it in again", agent)
	case !known && key == "", known && key != "" && subtle.ConstantTimeCompare([]byte(want), []byte(key)) == 1:
		return nil
	case key == "":
		return andon.Errorf(andon.KindRefused, "host %s proves who it is by its key: a token is not enough", agent).
			WithHint("start its agent as the host joined, without a token")
	}
	return andon.Errorf(andon.KindRefused, "the key of host %s is not the one that it joined with", agent).
		WithHint("if the host was set up anew: andon host remove %s, then andon host add %s", agent, agent)
}

// certified returns the agent that a connection's certificate is of, and the certificate's key.
func (a *API) certified(r *http.Request) (agent andon.AgentName, key string, ok bool) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return "", "", false
	}
	leaf := r.TLS.VerifiedChains[0][0]
	plant, agent, ok := ca.AgentOf(leaf)
	return agent, ca.KeyOf(leaf), ok && plant == a.Engine.Plant()
}
