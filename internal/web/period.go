package web

import (
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/metrics"
)

// defaultDays is the period of pages that nobody asked another one of.
const defaultDays = 30

// A period is what a page of figures is about, with the links to others.
type period struct {
	history.Period
	Path     string
	Days     int
	Services []andon.ServiceName
}

// choices are the periods that pages offer, in days.
var choices = [...]int{1, 7, 30, 90, 365}

// Choices returns the periods that the page offers.
func (p period) Choices() []int { return choices[:] }

// Options returns the services as choices of a form.
func (p period) Options() template.HTML { return options(p.Services, p.Service) }

// options returns names as choices of a form, and what is chosen also when it is not there any more.
// There may be thousands, which a template takes milliseconds for.
func options[T ~string](all []T, chosen T) template.HTML {
	if chosen != "" && !slices.Contains(all, chosen) {
		all = append([]T{chosen}, all...)
	}
	var b strings.Builder
	for _, name := range all {
		b.WriteString("<option")
		if name == chosen {
			b.WriteString(" selected")
		}
		b.WriteString(">" + template.HTMLEscapeString(string(name)) + "</option>")
	}
	return template.HTML(b.String()) //nolint:gosec // the names are escaped
}

// Link returns the address of the page for other days and another service.
func (p period) Link(days int, service andon.ServiceName) string {
	q := url.Values{"days": {strconv.Itoa(days)}}
	if service != "" {
		q.Set("service", string(service))
	}
	return p.Path + "?" + q.Encode()
}

// at returns the address of another page of figures for the same days and service.
func (p period) at(path string) string {
	p.Path = path
	return p.Link(p.Days, p.Service)
}

// readPeriod reads what a page is asked about.
func (p *pages) readPeriod(r *http.Request) (period, error) {
	q := r.URL.Query()
	asked := period{Path: r.URL.Path, Days: defaultDays}
	if text := q.Get("days"); text != "" {
		days, err := strconv.Atoi(text)
		if err != nil || days < 1 || days > 366 {
			return asked, andon.Errorf(andon.KindInvalid, "%.20q is not a number of days.", text).WithHint("Ask for 1 to 366 days.")
		}
		asked.Days = days
	}
	asked.Service = andon.ServiceName(q.Get("service"))
	err := p.Engine.View(r.Context(), func(s *line.State) { asked.Services = slices.Sorted(maps.Keys(s.Services)) })
	if err != nil {
		return asked, err
	}
	to := p.Engine.Now().Add(1) // what happened at this very moment belongs to it
	asked.Span = metrics.Span{From: to.Add(-time.Duration(asked.Days) * 24 * time.Hour), To: to}
	p.catchUp(r.Context(), p.Engine.Head())
	if asked.Service != "" {
		_, err = p.History.Service(r.Context(), asked.Service)
	}
	return asked, err
}
