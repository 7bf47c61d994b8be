package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/line"
)

const (
	// maxForm bounds what a form of the pages sends: also the longest reason, each of whose characters
	// takes up to twelve bytes in it.
	maxForm = 16 << 10
	// changeTimeout bounds how long the line may take to do what a form asks for.
	changeTimeout = 30 * time.Second
)

// A verb is one thing that people have done from a page. It has one address: GET shows what it
// would do, as things are, and POST does it. What is done is what was shown, and it is done once.
type verb struct {
	path string // pattern of its address
	// propose says what would be done. It only reads the state, and keeps nothing of it that may
	// change. What it returns besides an error says what was asked for, as far as that is known.
	propose func(s *line.State, a ask) (proposal, error)
}

// verbs are all that can be done from pages.
func verbs() []verb {
	const ofVersion, ofDeployment = "/services/{service}/versions/{number}/", "/services/{service}/deployments/{deployment}/"
	return []verb{
		{ofVersion + "deploy", proposeDeploy},
		{ofVersion + "promote", proposePromote},
		{ofVersion + "cancel", proposeCancelVersion},
		{ofVersion + "rerun", proposeRerunVersion},
		{ofDeployment + "cancel", proposeCancelDeployment},
		{ofDeployment + "rerun", proposeRerunDeployment},
		{"/services/{service}/environments/{environment}/rollback", proposeRollback},
		{"/services/{service}/cord", proposeServiceCord},
		{"/environments/{environment}/cord", proposeEnvironmentCord},
		{"/cord", proposePlantCord},
	}
}

// An ask is what somebody asks a verb for.
type ask struct {
	by    andon.Actor
	now   time.Time
	path  func(name string) string // of the address
	value func(name string) string // of the query, or of the form
	// reason is what the form says; empty while it is only shown.
	reason string
}

func (a ask) service() andon.ServiceName { return andon.ServiceName(a.path("service")) }

func (a ask) version() (andon.VersionRef, error) {
	n, err := versionNumber(a.path("number"))
	return andon.VersionRef{Service: a.service(), Number: n}, err
}

func versionNumber(text string) (andon.VersionNumber, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, andon.Errorf(andon.KindInvalid, "%.20q is not the number of a version.", text)
	}
	return andon.VersionNumber(n), nil
}

// A proposal is what a verb would do as things are.
type proposal struct {
	Title    string
	Button   string        // empty: something must be chosen first
	Stands   []string      // the cords that it is about, which are pulled
	Warns    []string      // what it does that is grave, one sentence each
	Says     []string      // what else it does
	Items    []item        // what it concerns, below ItemsName
	Named    string        // what the items are
	Choices  []choice      // what could be asked for instead
	Fields   []field       // what the form carries, so that the same is asked for
	Reason   need          // of a person's words
	Preview  *line.Preview // of the deployment that it is or asks for; nil: none
	grounds  any           // what must still be so when it is done
	does     line.Verb
	watch    string                     // where it can be watched
	watching func(engine.Result) string // the same, where only what was done says it; "": watch
}

// A need says whether something must be given.
type need int

const (
	notTaken need = iota
	optional
	required
)

// Asked reports whether there is a field for it at all, Must whether it may not be left empty.
func (n need) Asked() bool { return n != notTaken }
func (n need) Must() bool  { return n == required }

// An item is something that a change concerns.
type item struct{ Words, Path string }

// A choice is the same verb for something else.
type choice struct {
	Words       string
	Name, Value string // of the query; "": it is what is shown without any
	Now         bool   // it is what is shown
}

// Chooses reports whether there is anything to choose besides what is shown.
func (p proposal) Chooses() bool {
	return slices.ContainsFunc(p.Choices, func(c choice) bool { return !c.Now })
}

type field struct{ Name, Value string }

// seal names what a proposal rests on. Two are the same when they would do the same.
func (p proposal) seal() string {
	grounds := []any{p.Title, p.grounds}
	if p.Preview != nil {
		plan := p.Preview.Plan
		plan.By, plan.Reason = "", ""
		grounds = append(grounds, plan, p.Preview.Aborts, p.Preview.AbortAlone, p.Preview.Quarantines, p.Preview.Supersedes)
		for _, w := range p.Preview.Held {
			grounds = append(grounds, w.Kind, w.On)
		}
	}
	text, err := json.Marshal(grounds)
	if err != nil {
		panic("web: what a change rests on has no JSON: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// A changePage asks whether something is to be done, and shows what it would do.
type changePage struct {
	proposal
	Path    string       // that the form is sent to
	Shown   string       // the seal of what is shown
	Once    string       // names this form: it is taken once
	Given   string       // the reason that was given already
	Planned *planned     // nil: it is no deployment
	Failure *andon.Error // why it is not done, or cannot be
}

// Longest returns how many characters a reason may have.
func (changePage) Longest() int { return line.LongestReason }

// handleVerbs serves the pages of all verbs.
func (p *pages) handleVerbs(mux *http.ServeMux) {
	for _, v := range verbs() {
		mux.HandleFunc("GET "+v.path, func(w http.ResponseWriter, r *http.Request) {
			p.showChange(w, r, v, p.asked(r, r.URL.Query()), nil)
		})
		mux.HandleFunc("POST "+v.path, func(w http.ResponseWriter, r *http.Request) { p.change(w, r, v) })
	}
}

func (p *pages) asked(r *http.Request, values url.Values) ask {
	who, _ := auth.From(r.Context()) // the guard lets nobody through who is not signed in
	return ask{by: who.Actor(), now: p.Engine.Now(), path: r.PathValue, value: values.Get, reason: reasonIn(values)}
}

// reasonIn returns the words of a form. Browsers count the end of a line as one character of a field,
// and send two.
func reasonIn(values url.Values) string {
	return strings.TrimSpace(strings.ReplaceAll(values.Get("reason"), "\r\n", "\n"))
}

// showChange shows what a verb would do as things are; failed says why it was not done just now.
func (p *pages) showChange(w http.ResponseWriter, r *http.Request, v verb, a ask, failed error) {
	p.catchUp(r.Context(), p.Engine.Head())
	page := changePage{Path: r.URL.Path, Once: rand.Text(), Given: a.reason}
	a.reason = ""
	var refused error
	err := p.Engine.View(r.Context(), func(s *line.State) { page.proposal, refused = v.propose(s, a) })
	if err == nil && page.Title == "" {
		err = refused // nothing is known of what was asked for
	}
	if err == nil && page.Preview != nil {
		var plan planned
		if plan, err = p.plannedAs(r.Context(), *page.Preview); err == nil {
			page.Planned = &plan
		}
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page.Shown = page.seal()
	if refused != nil {
		page.Button = ""
	}
	if failed == nil {
		failed = refused
	}
	if failed != nil {
		page.Failure = visible(failed)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(statusOf(page.Failure))
	}
	p.render(w, r, p.changePage, "frame", page)
}

// change does what a form of showChange asks for, and leads to where it can be watched.
func (p *pages) change(w http.ResponseWriter, r *http.Request, v verb) {
	if err := readForm(w, r); err != nil {
		p.fail(w, r, err)
		return
	}
	a := p.asked(r, r.PostForm)
	// A browser that sends a form twice gives up waiting for the first answer: what it asked for is
	// done all the same, and the second answer is the first one's.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), changeTimeout)
	defer cancel()
	where, err := p.forms.do(ctx, r.URL.Path, r.PostForm.Get("once"), func() (string, error) {
		return p.carryOut(ctx, v, a, r.PostForm.Get("shown"))
	})
	if err != nil {
		p.showChange(w, r, v, a, err)
		return
	}
	http.Redirect(w, r, where, http.StatusSeeOther)
}

// carryOut has the line do what a verb proposes if that is still what was shown, and returns where
// it can be watched.
func (p *pages) carryOut(ctx context.Context, v verb, a ask, shown string) (where string, err error) {
	var done proposal
	result, err := p.Engine.Do(ctx, a.by, line.Considered(func(s *line.State) (line.Verb, error) {
		done, err = v.propose(s, a)
		switch {
		case err != nil:
			return nil, err
		case done.Button == "" || done.seal() != shown:
			return nil, andon.Errorf(andon.KindConflict, "Things have changed since this was shown, so nothing was done.").
				WithHint("What follows is as things are now: look at it, and confirm it again.")
		case done.Reason.Must() && a.reason == "":
			return nil, andon.Errorf(andon.KindInvalid, "A reason is missing.").WithHint("Say why: it is kept in the audit.")
		}
		return done.does, nil
	}))
	if err != nil {
		return "", err
	}
	if done.watching != nil {
		if where = done.watching(result); where != "" {
			return where, nil
		}
	}
	return done.watch, nil
}

// readForm reads the form of one of these pages. The guard in front of the pages keeps other sites
// out; here a browser must say besides that the form is one of ours, so that nothing without a page
// is taken for one.
func readForm(w http.ResponseWriter, r *http.Request) error {
	if !ours(r) {
		return andon.Errorf(andon.KindRefused, "This takes the form of a page of this plant.").WithHint("use the API, or the command line")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return andon.Errorf(andon.KindInvalid, "The form cannot be read.").Because(err)
	}
	return nil
}

// ours reports whether a browser says that a page of this plant sends the request.
func ours(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && origin.Host != "" && origin.Host == r.Host
}

// planOf returns the deployment that a command planned; "": none.
func planOf(result engine.Result) andon.DeploymentID {
	for _, e := range slices.Backward(result.Events) {
		if b, ok := e.Body.(andon.DeploymentPlanned); ok {
			return b.Plan.ID
		}
	}
	return ""
}

// heldSentences say what would hold a change back, in the words of the line.
func heldSentences(waits []andon.Wait) []string {
	var all []string
	for _, w := range waits {
		all = append(all, "It will wait: "+w.Reason+".")
	}
	return all
}

func deploymentPath(service andon.ServiceName, id andon.DeploymentID) string {
	return "/services/" + string(service) + "/deployments/" + string(id)
}
