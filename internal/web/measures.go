package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/metrics"
)

// A measuresPage shows the figures of a period, each with how it went and a way to what it counts.
type measuresPage struct {
	period
	DORA, Promised []shownMeasure
}

// A shownMeasure is a measure of a period.
type shownMeasure struct {
	*measure
	Shown  string // in words; empty: it is not known
	Counts string
	Opens  string // the address of what it counts
	Plot   plot
}

func (p *pages) showMeasures(w http.ResponseWriter, r *http.Request) {
	asked, err := p.readPeriod(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	facts, over, err := p.measured(r, asked)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page, whole := measuresPage{period: asked}, metrics.MeasuresOf(facts)
	for i := range measures {
		shown := showMeasure(&measures[i], asked, whole, over)
		if i < mostDORA {
			page.DORA = append(page.DORA, shown)
		} else {
			page.Promised = append(page.Promised, shown)
		}
	}
	p.render(w, r, p.measures, "frame", page)
}

// measured returns the facts of a period, and the measures of each of its parts that plots show.
func (p *pages) measured(r *http.Request, asked period) (facts metrics.Facts, over []metrics.Measures, err error) {
	if facts, err = p.History.Facts(r.Context(), asked.Period); err != nil {
		return facts, nil, err
	}
	for _, part := range parts(asked.Span, asked.Days) {
		during := asked.Period
		during.Span = part
		then, err := p.History.Facts(r.Context(), during)
		if err != nil {
			return facts, nil, err
		}
		over = append(over, metrics.MeasuresOf(then))
	}
	return facts, over, nil
}

func showMeasure(m *measure, asked period, whole metrics.Measures, over []metrics.Measures) shownMeasure {
	shown := shownMeasure{measure: m, Counts: m.counts(&whole), Opens: asked.at("/measures/" + m.Name), Plot: drawMeasure(m, over)}
	if _, known := m.height(&whole); known {
		shown.Shown = m.value(&whole)
	}
	return shown
}

// FlowLink returns the address of the value stream of the same period.
func (m measuresPage) FlowLink() string { return m.at("/flow") }

// MaturityLink returns the address of the maturity report of the same period.
func (m measuresPage) MaturityLink() string { return m.at("/maturity") }

// A measurePage shows one measure with what it counts.
type measurePage struct {
	period
	shownMeasure
	List []counted
	More bool // there are more than the list shows
}

func (p *pages) showMeasure(w http.ResponseWriter, r *http.Request) {
	page, err := p.readMeasure(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.render(w, r, p.measure, "frame", page)
}

func (p *pages) readMeasure(r *http.Request) (page measurePage, err error) {
	name := r.PathValue("measure")
	at := slices.IndexFunc(measures[:], func(m measure) bool { return m.Name == name })
	if at < 0 {
		var all []string
		for _, m := range measures {
			all = append(all, m.Name)
		}
		return page, andon.Errorf(andon.KindNotFound, "There is no measure %.100s.", name).WithHint("the measures are %s", strings.Join(all, ", "))
	}
	if page.period, err = p.readPeriod(r); err != nil {
		return page, err
	}
	facts, over, err := p.measured(r, page.period)
	if err != nil {
		return page, err
	}
	page.shownMeasure = showMeasure(&measures[at], page.period, metrics.MeasuresOf(facts), over)
	if page.List, err = page.list(r.Context(), p, facts, page.Period); len(page.List) > mostListed {
		page.List, page.More = page.List[:mostListed], true
	}
	return page, err
}

// MeasuresLink returns the address of all measures of the same period.
func (m measurePage) MeasuresLink() string { return m.at("/measures") }
