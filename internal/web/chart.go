package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
)

// Sizes of the picture of a deployment's share of the requests, in the units of its own box. The
// style sheet stretches it.
const (
	chartWidth  = 1000.0
	chartHeight = 100.0
)

// A chart is the share of the requests that a deployment's copies were to get, over its time.
type chart struct {
	Width, Height float64
	Area          string // a closed path under the share
	Bands         []bar  // its steps, as long as they took
	From, To      time.Time
	Words         string // for those who do not see it
}

// drawTraffic draws the share as it was recorded; nil if the deployment moved no requests.
func drawTraffic(d history.Deployment, now time.Time) *chart {
	if len(d.Shares) == 0 || d.Started.IsZero() {
		return nil
	}
	c := &chart{Width: chartWidth, Height: chartHeight, From: d.Started, To: d.Ended}
	if c.To.IsZero() {
		c.To = now
	}
	whole := max(c.To.Sub(c.From), time.Millisecond)
	x := func(t time.Time) float64 {
		return min(max(t.Sub(c.From).Seconds()/whole.Seconds(), 0), 1) * chartWidth
	}
	var path strings.Builder
	var words []string
	fmt.Fprintf(&path, "M0 %g", chartHeight)
	for _, s := range d.Shares {
		percent := 0.0
		if s.Whole > 0 {
			percent = 100 * float64(s.Ours) / float64(s.Whole)
		}
		fmt.Fprintf(&path, "H%.2f V%.2f", x(s.Time), chartHeight*(1-percent/100))
		words = append(words, fmt.Sprintf("%.4g %% from %s", percent, s.Time.UTC().Format("15:04:05")))
	}
	fmt.Fprintf(&path, "H%g V%g Z", chartWidth, chartHeight)
	c.Area, c.Words = path.String(), "The share of the new copies: "+strings.Join(words, ", ")
	for _, s := range steps(d, c.To) {
		look := "work"
		switch s.Step {
		case andon.StepPausing, andon.StepSoaking, andon.StepDraining:
			look = "wait"
		case andon.StepReverting:
			look = "back"
		}
		c.Bands = append(c.Bands, bar{
			X: x(s.Time), Width: max(x(s.Time.Add(s.Took))-x(s.Time), 0.5), Look: look,
			Title: fmt.Sprintf("%s: %s", stepWords(s.Step), took(s.Took)),
		})
	}
	return c
}
