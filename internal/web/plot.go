package web

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/metrics"
)

// A plot shows a measure in the parts of a period, one after the other.
type plot struct {
	Width, Height float64
	Label         string
	Most          string        // the highest, in words; empty: nothing is known in any part
	Bars          template.HTML // elements of SVG
}

// Sizes of a plot, in the units of its own box, and into how many parts it divides its period.
const (
	plotWidth, plotHeight = 1000.0, 120.0

	plotParts    = 30
	plotPartsDay = 24 // of a single day: hours
)

// parts divides a period into those that plots show.
func parts(p metrics.Span, days int) []metrics.Span {
	n := min(max(days, 2), plotParts)
	if days == 1 {
		n = plotPartsDay
	}
	each := p.Took() / time.Duration(n)
	all := make([]metrics.Span, n)
	for i := range all {
		all[i] = metrics.Span{From: p.From.Add(time.Duration(i) * each), To: p.From.Add(time.Duration(i+1) * each)}
	}
	all[n-1].To = p.To
	return all
}

// drawMeasure draws a measure of the parts of a period. A page has hundreds of bars, each of which
// would take a template many times as long.
func drawMeasure(f *measure, measured []metrics.Measures) plot {
	p := plot{Width: plotWidth, Height: plotHeight, Label: f.Title + " over time"}
	highest := 0.0
	for i := range measured {
		if h, known := f.height(&measured[i]); known && (h > highest || p.Most == "") {
			highest, p.Most = max(h, highest), f.value(&measured[i])
		}
	}
	var b strings.Builder
	width := plotWidth / float64(len(measured))
	for i := range measured {
		m := &measured[i]
		h, known := f.height(m)
		if !known {
			continue
		}
		tall := 2.0 // what is known to be nothing is seen too
		if highest > 0 {
			tall = max(tall, h/highest*plotHeight)
		}
		title := m.Period.From.UTC().Format("2 Jan 15:04") + ": " + f.value(m) + ", " + f.counts(m)
		fmt.Fprintf(&b, `<rect class="work" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`,
			float64(i)*width, plotHeight-tall, width-2, tall, template.HTMLEscapeString(title))
	}
	p.Bars = template.HTML(b.String()) //nolint:gosec // numbers, and titles that are escaped
	return p
}
