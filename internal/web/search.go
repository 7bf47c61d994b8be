package web

import (
	"html/template"
	"net/http"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
)

// A searchPage is what a text names, by kind.
type searchPage struct {
	Query   string
	Groups  []foundGroup
	Wrong   *andon.Error // why nothing can be searched for
	Longest int
}

// A foundGroup is what was found of one kind.
type foundGroup struct {
	Title string
	Found []history.Found
	More  bool
}

// foundTitles are the kinds in words.
var foundTitles = map[history.FoundKind]string{
	history.FoundVersion: "Version", history.FoundDeployment: "Deployments", history.FoundService: "Services",
	history.FoundCommit: "By commit", history.FoundArtifact: "By artifact", history.FoundTicket: "By ticket",
	history.FoundPerson: "By author", history.FoundMessage: "By message",
}

func (p *pages) handleSearch(mux *http.ServeMux) {
	drawn := parse("search.html")
	mux.HandleFunc("GET /search", func(w http.ResponseWriter, r *http.Request) { p.showFound(w, r, drawn) })
}

// showFound shows what a text names, or leads there when it names one thing exactly.
func (p *pages) showFound(w http.ResponseWriter, r *http.Request, drawn *template.Template) {
	page := searchPage{Query: r.URL.Query().Get("q"), Longest: history.LongestSearch}
	if page.Query != "" {
		p.catchUp(r.Context(), p.Engine.Head())
		found, more, err := p.History.Search(r.Context(), page.Query)
		switch {
		case andon.KindOf(err) == andon.KindInvalid && err != nil:
			page.Wrong = visible(err)
		case err != nil:
			p.fail(w, r, err)
			return
		}
		if path := only(found); path != "" {
			http.Redirect(w, r, path, http.StatusSeeOther)
			return
		}
		page.Groups = groups(found, more)
	}
	p.render(w, r, drawn, "frame", page)
}

// only leads to the one thing that is exactly what was asked for; "": there is none, or several.
func only(found []history.Found) (path string) {
	for _, f := range found {
		switch {
		case !f.Exact:
		case path != "":
			return ""
		case f.Version != nil:
			path = versionPath(f.Version.VersionRef)
		case f.Deployment != nil:
			path = deploymentPath(f.Deployment.Service, f.Deployment.ID)
		default:
			path = servicePath(f.Service)
		}
	}
	return path
}

// groups puts what was found together by kind; those with something exact come first, as they do in
// what was found.
func groups(found []history.Found, more []history.FoundKind) (all []foundGroup) {
	at := map[history.FoundKind]int{}
	for _, f := range found {
		i, known := at[f.Kind]
		if !known {
			i = len(all)
			at[f.Kind] = i
			all = append(all, foundGroup{Title: foundTitles[f.Kind], More: slices.Contains(more, f.Kind)})
		}
		all[i].Found = append(all[i].Found, f)
	}
	return all
}
