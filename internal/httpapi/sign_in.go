package httpapi

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
)

const (
	signInPath    = "/sign-in"
	signOutPath   = "/sign-out"
	sessionCookie = "andon_session"
	// maxForm bounds what a browser sends to sign in.
	maxForm = 16 << 10
)

// who finds out who makes a request: by the certificate of its connection, by its token, or by the
// session of a browser. An error says why an agent that proves who it is may not come in.
func (a *API) who(r *http.Request) (who auth.Identity, ok bool, err error) {
	if agent, key, ok := a.certified(r); ok {
		return auth.Identity{Role: auth.Agent, Agent: agent}, true, a.admit(agent, key)
	}
	if header := r.Header.Get("Authorization"); header != "" {
		return a.tokenBearer(r, header)
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		who, ok = a.Keys.Session(cookie.Value, a.Engine.Now())
	}
	return who, ok, nil
}

// tokenBearer finds out whose token a request has. That of an agent is worth nothing once a host of
// its name was added: that one has a key.
func (a *API) tokenBearer(r *http.Request, header string) (who auth.Identity, ok bool, err error) {
	scheme, token, _ := strings.Cut(header, " ")
	if strings.EqualFold(scheme, "Bearer") {
		who, ok = a.Keys.Who(strings.TrimSpace(token))
	} else if _, password, basic := r.BasicAuth(); basic {
		who, ok = a.Keys.Who(password)
	}
	if ok && who.Role == auth.Agent {
		err = a.admit(who.Agent, "")
	}
	return who, ok, err
}

// permit says who may ask for what. Whoever serves /git/ distinguishes reading from pushing;
// /hooks/, signing in and joining look at what the request itself carries.
func (a *API) permit(r *http.Request) error {
	who, signedIn := auth.From(r.Context())
	if r.URL.Path == joinPath && r.TLS != nil {
		return nil
	}
	if signedIn && who.Role == auth.Scraper {
		if areaOf(r.URL.Path) == metricsPath && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			return nil
		}
		return andon.Errorf(andon.KindRefused, "the token of scrapers reads %s and nothing else", metricsPath).WithHint("use the admin's token")
	}
	switch areaOf(r.URL.Path) {
	case "/hooks/", signInPath:
		return nil
	case "/agent/":
		if signedIn && who.Role != auth.Agent {
			return andon.Errorf(andon.KindRefused, "this is for agents alone").
				WithHint("agents have tokens of their own")
		}
	case "/git/", "/v2/", "/v2":
	default:
		if signedIn && who.Role != auth.Admin {
			return andon.Errorf(andon.KindRefused, "an agent may not do this").WithHint("use the admin's token")
		}
	}
	if signedIn {
		return nil
	}
	e := andon.Errorf(andon.KindSignIn, "nobody is signed in")
	if r.Header.Get("Authorization") != "" {
		e = andon.Errorf(andon.KindSignIn, "the token is not known here")
	}
	return e.WithHint("send the token as `Authorization: Bearer TOKEN`, or as the password of Basic; it is in admin.token of the plant's data directory")
}

// refuse answers a request that may not be made, in the form that its client shows to people.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := a.show(r.Context(), err)
	if e.Kind == andon.KindSignIn && r.Header.Get("Sec-Fetch-Mode") == "" {
		// git and the clients of registries send what they know only when they are asked. A
		// browser would open a window of its own; it gets a page instead.
		w.Header().Set("WWW-Authenticate", `Basic realm="andon", charset="UTF-8"`)
	}
	switch area := areaOf(r.URL.Path); {
	case area == "/git/":
		http.Error(w, "andon: "+e.Message+"\nandon: let git ask andon for the token:\nandon: "+a.gitHelper(), status(e))
	case area == "/v2/" || area == "/v2":
		code := "UNAUTHORIZED"
		if e.Kind == andon.KindRefused {
			code = "DENIED"
		}
		writeJSON(w, status(e), map[string]any{"errors": []map[string]string{{"code": code, "message": e.Message}}})
	case e.Kind == andon.KindSignIn && r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html"):
		a.signInPage(w, r, r.Header.Get("Authorization") != "")
	default:
		writeFailure(w, status(e), e)
	}
}

// gitHelper returns the line that lets git sign in to this plant by itself.
func (a *API) gitHelper() string {
	return "git config --global credential." + a.Address() + ".helper '!andon git-credential'"
}

//go:embed sign_in.html
var signInHTML string

var signInTemplate = template.Must(template.New("sign-in").Parse(signInHTML))

// signInPolicy lets the page have its own style, by its digest, and nothing else.
var signInPolicy = "default-src 'none'; style-src '" + styleDigest(signInHTML) + "'; form-action 'self'; frame-ancestors 'none'"

// styleDigest returns the source expression of a page's style (CSP Level 3, section 2.3.1).
func styleDigest(page string) string {
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// signInPage is what a browser without a session sees in place of any page.
func (a *API) signInPage(w http.ResponseWriter, r *http.Request, wrong bool) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", signInPolicy)
	w.WriteHeader(http.StatusUnauthorized)
	err := signInTemplate.Execute(w, map[string]any{"Next": r.URL.RequestURI(), "Wrong": wrong, "Action": signInPath})
	if err != nil {
		a.Log.Debug("the page to sign in was not sent", "err", err)
	}
}

// signIn takes a token from a browser and gives it a session.
func (a *API) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	who, ok := a.Keys.Who(strings.TrimSpace(r.PostFormValue("token")))
	if !ok || who.Role != auth.Admin {
		r.URL = &url.URL{Path: localPath(r.PostFormValue("next"))}
		a.signInPage(w, r, true)
		return
	}
	value, ends := a.Keys.NewSession(a.Engine.Now())
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", Expires: ends,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, localPath(r.PostFormValue("next")), http.StatusSeeOther)
}

// signOut ends a browser's session.
func (a *API) signOut(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// localPath returns a path of this plant, so that nobody is sent elsewhere after signing in.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(next, `\`) {
		return "/"
	}
	return u.RequestURI()
}
