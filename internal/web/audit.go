package web

import (
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
)

// mostEntries is how many entries a page of the audit shows.
const mostEntries = 100

// An auditPage is what happened, the newest first.
type auditPage struct {
	Service      andon.ServiceName
	Environment  andon.EnvironmentName
	All          bool          // what changed nothing too
	Services     template.HTML // choices of a form
	Environments template.HTML
	Entries      []history.AuditEntry
	Before       andon.Seq // the page shows what was before it; 0: all
	Older        string    // address of the next page; empty: this is the last
}

func (p *pages) showAudit(w http.ResponseWriter, r *http.Request) {
	page, err := p.readAudit(r)
	p.renderOr(w, r, p.audit, page, err)
}

func (p *pages) readAudit(r *http.Request) (page auditPage, err error) {
	q := r.URL.Query()
	page.Service, page.Environment, page.All = andon.ServiceName(q.Get("service")), andon.EnvironmentName(q.Get("environment")), q.Get("show") == "all"
	if text := q.Get("before"); text != "" {
		before, err := strconv.ParseInt(text, 10, 64)
		if err != nil || before < 1 {
			return page, andon.Errorf(andon.KindInvalid, "%.20q is no position of the journal.", text)
		}
		page.Before = andon.Seq(before)
	}
	err = p.Engine.View(r.Context(), func(s *line.State) {
		page.Services = options(slices.Sorted(maps.Keys(s.Services)), page.Service)
		page.Environments = options(s.EnvironmentsInOrder(), page.Environment)
	})
	if err != nil {
		return page, err
	}
	p.catchUp(r.Context(), p.Engine.Head())
	page.Entries, err = p.History.Audit(r.Context(), history.AuditFilter{
		Service: page.Service, Environment: page.Environment, Changes: !page.All, Before: page.Before, Limit: mostEntries,
	})
	if len(page.Entries) == mostEntries {
		page.Older = page.Link(page.All, page.Entries[mostEntries-1].Seq)
	}
	return page, err
}

// Link returns the address of the page for the same service and environment.
func (page auditPage) Link(all bool, before andon.Seq) string {
	q := url.Values{}
	for name, value := range map[string]string{"service": string(page.Service), "environment": string(page.Environment)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if all {
		q.Set("show", "all")
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(int64(before), 10))
	}
	return (&url.URL{Path: "/audit", RawQuery: q.Encode()}).String()
}
