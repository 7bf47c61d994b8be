package web

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/metrics"
)

// mostListed is how many changes or deployments a page of figures lists.
const mostListed = 50

// A flowPage shows where the time between commit and production goes.
type flowPage struct {
	period
	All        int // changes that reached production; Flow may be of the newest of them alone
	Flow       metrics.Flow
	Efficiency string
	Stream     stream
	Changes    []changeRow
}

// A changeRow is one change with its own stream.
type changeRow struct {
	metrics.Change
	Bars template.HTML // elements of SVG
}

func (p *pages) showFlow(w http.ResponseWriter, r *http.Request) {
	asked, err := p.readPeriod(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page := flowPage{period: asked}
	if page.Flow, page.All, err = p.History.Flow(r.Context(), asked.Period); err != nil {
		p.fail(w, r, err)
		return
	}
	changes, err := p.History.Changes(r.Context(), asked.Period, mostListed)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if e, ok := page.Flow.Efficiency(); ok {
		page.Efficiency = metrics.Percent(e)
	}
	page.Stream = drawStream(page.Flow)
	for _, c := range changes {
		page.Changes = append(page.Changes, changeRow{c, drawLegs(c)})
	}
	p.render(w, r, p.flow, "frame", &page)
}

// Sizes of the picture of a value stream, in the units of its own box.
const (
	streamWidth  = 1000.0
	streamHeight = 104.0
	labelled     = 60.0 // a step narrower than this has its name in the table alone
)

// A stream is the picture of a value stream: all of the lead time from left to right, in which
// each step has its share.
type stream struct {
	Width, Height float64
	Steps         []streamStep
}

// A streamStep is one step in it.
type streamStep struct {
	X, Width float64
	Name     string
	Label    string // the name, if there is room for it
	Bars     []bar
}

// A bar is work or a wait: as wide as it took.
type bar struct {
	X, Width float64
	Look     string // a class of the style sheet
	Title    string
}

func drawStream(f metrics.Flow) stream {
	s := stream{Width: streamWidth, Height: streamHeight}
	x := 0.0
	for _, step := range f.Steps {
		st := streamStep{X: x, Name: stepName(step.Stage)}
		for _, part := range append(step.Waits, step.Work) {
			if part.Share <= 0 {
				continue
			}
			b := bar{X: x, Width: part.Share * streamWidth, Look: lookOf(part.Cause)}
			b.Title = fmt.Sprintf("%s, %s: %s, median %s", st.Name, part.Cause.Noun(), metrics.Percent(part.Share), metrics.Short(part.Median))
			st.Bars = append(st.Bars, b)
			x += b.Width
		}
		if st.Width = x - st.X; st.Width >= labelled {
			st.Label = st.Name
		}
		s.Steps = append(s.Steps, st)
	}
	return s
}

// drawLegs draws one change's way as wide as the whole picture. A page has hundreds of its bars, each
// of which would take a template several times as long as everything else on the page.
func drawLegs(c metrics.Change) template.HTML {
	lead := c.Lead().Seconds()
	if lead <= 0 {
		return ""
	}
	var b strings.Builder
	for _, l := range c.Legs {
		title := fmt.Sprintf("%s, %s: %s", stepName(l.Stage), l.Cause.Noun(), metrics.Short(l.Took()))
		fmt.Fprintf(&b, `<rect class="%s" x="%.2f" y="4" width="%.2f" height="16"><title>%s</title></rect>`, lookOf(l.Cause),
			l.From.Sub(c.Legs[0].From).Seconds()/lead*streamWidth, l.Took().Seconds()/lead*streamWidth, template.HTMLEscapeString(title))
	}
	return template.HTML(b.String()) //nolint:gosec // numbers, and a title that is escaped
}

func stepName(stage andon.StageName) string {
	if stage == "" {
		return "no version"
	}
	return string(stage)
}

func lookOf(cause metrics.Cause) string {
	switch cause {
	case metrics.Work:
		return "work"
	case metrics.Stopped:
		return "wait stopped"
	default:
		return "wait"
	}
}

// passed writes how many versions leave a stage well by their first run; empty when none has left it.
func passed(p metrics.Pass) string {
	if share, ok := p.CompleteAndAccurate(); ok {
		return metrics.Percent(share)
	}
	return ""
}
