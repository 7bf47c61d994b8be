package web

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/andon-cd/andon/internal/metrics"
)

// A measuresPage shows the figures of a period, each with what it counts.
type measuresPage struct {
	period
	metrics.Measures
	Deployed []metrics.Rollout // the newest first
	More     int               // deployments that are not listed
	Plot     plot
}

func (p *pages) showMeasures(w http.ResponseWriter, r *http.Request) {
	asked, err := p.readPeriod(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	facts, err := p.History.Facts(r.Context(), asked.Period)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	page := measuresPage{period: asked, Measures: metrics.MeasuresOf(facts), Plot: drawDays(facts, asked.Days)}
	newest := slices.Clone(facts.Rollouts)
	slices.Reverse(newest)
	page.Deployed = newest[:min(len(newest), mostListed)]
	page.More = len(newest) - len(page.Deployed)
	p.render(w, r, p.measures, "frame", page)
}

// A plot shows how many deployments became live, and how many failed, in each part of a period.
type plot struct {
	Width, Height float64
	Most          int
	Bars          []plotBar
}

// A plotBar is one part of the period.
type plotBar struct {
	X, Width     float64
	Y, Live      float64 // what became live: where it begins, and how high it is
	FailedY, Bad float64 // what failed, above it
	Title        string
}

// Sizes of a plot, in the units of its own box, and into how many parts it divides its period at most.
const (
	plotHeight = 120.0
	plotParts  = 90
)

func drawDays(f metrics.Facts, days int) plot {
	n := min(max(days, 24), plotParts) // hours, of a single day
	if days > 1 {
		n = min(days, plotParts)
	}
	each := f.Period.Took() / time.Duration(n)
	live, failed := make([]int, n), make([]int, n)
	for _, r := range f.Rollouts {
		i := min(int(r.Ended.Sub(f.Period.From)/each), n-1)
		if r.Failed {
			failed[i]++
		} else {
			live[i]++
		}
	}
	p := plot{Width: streamWidth, Height: plotHeight}
	for i := range n {
		p.Most = max(p.Most, live[i]+failed[i])
	}
	for i := range n {
		if live[i]+failed[i] == 0 {
			continue
		}
		unit := plotHeight / float64(p.Most)
		b := plotBar{X: float64(i) * streamWidth / float64(n), Width: streamWidth/float64(n) - 1}
		b.Live, b.Bad = float64(live[i])*unit, float64(failed[i])*unit
		b.Y = plotHeight - b.Live
		b.FailedY = b.Y - b.Bad
		b.Title = f.Period.From.Add(time.Duration(i)*each).UTC().Format("2 Jan 15:04") + ": " + deploymentsWords(live[i], failed[i])
		p.Bars = append(p.Bars, b)
	}
	return p
}

func deploymentsWords(live, failed int) string {
	text := strconv.Itoa(live) + " went well"
	if failed > 0 {
		text += ", " + strconv.Itoa(failed) + " failed"
	}
	return text
}

// FlowLink returns the address of the value stream of the same period.
func (m measuresPage) FlowLink() string { return m.at("/flow") }

// MaturityLink returns the address of the maturity report of the same period.
func (m measuresPage) MaturityLink() string { return m.at("/maturity") }

// For returns how long lines stood because of one thing.
func (m measuresPage) For(cause metrics.StopCause) time.Duration { return m.StoodStillFor[cause] }
