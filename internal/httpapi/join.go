package httpapi

import (
	"context"
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
	plant := ""
	if err := a.Engine.View(r.Context(), func(s *line.State) { plant = s.Plant }); err != nil {
		a.fail(w, r, err)
		return
	}
	cert, err := a.Authority.SignAgent(request, plant, agent)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, andon.SignedAgent{Certificate: cert, Roots: a.Authority.PEM()})
}

// admitted reports whether an agent may come in that name: one that joined by its key alone, one
// that was removed not at all, and one that no host was added by with its token, which key "" is.
func (a *API) admitted(ctx context.Context, agent andon.AgentName, key string) bool {
	var known, removed bool
	var want string
	err := a.Engine.View(ctx, func(s *line.State) { want, known, removed = s.Admission(agent) })
	switch {
	case err != nil || removed:
		return false
	case !known:
		return key == ""
	default:
		return want != "" && want == key
	}
}

// certified returns the agent that a connection's certificate is of, and the certificate's key.
func (a *API) certified(r *http.Request) (agent andon.AgentName, key string, ok bool) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return "", "", false
	}
	leaf := r.TLS.VerifiedChains[0][0]
	named, agent, ok := ca.AgentOf(leaf)
	if !ok {
		return "", "", false
	}
	plant := ""
	err := a.Engine.View(r.Context(), func(s *line.State) { plant = s.Plant })
	return agent, ca.KeyOf(leaf), err == nil && plant == named
}
