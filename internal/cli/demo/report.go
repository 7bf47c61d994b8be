package demo

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// report shows what happened and how long each leg took.
func (s *screen) report(d *demo) {
	s.line("")
	s.line("%s", s.paint("1", "What happened"))
	width := 0
	for _, e := range d.happened {
		width = max(width, len(e.what))
	}
	for _, e := range d.happened {
		s.line("  ✓ %-*s  %6s", width, e.what, span(e.took))
	}
	s.line("")
	s.line("%s", s.paint("1", "How long each leg took, from the one before it"))
	s.line("  %-42s %7s %7s %10s %10s %11s %8s", "", "built", "test", "candidate", "certified", "production", "in all")
	for _, j := range d.journeys {
		s.line("  %-42s %s", fmt.Sprintf("version %d, %s", j.version, cut(j.subject, 30)), j.legs())
	}
	s.line("")
	s.line("%s requests to production, %d failed.", thousands(d.load.sent.Load()), d.load.failed.Load())
}

// legs returns the times between the points of a journey.
func (j *journey) legs() string {
	points := []struct {
		at    time.Time
		width int
	}{{j.built, 7}, {j.test, 7}, {j.candidate, 10}, {j.certified, 10}, {j.production, 11}}
	var cells []string
	last := j.pushed
	for _, p := range points {
		text := "–"
		if !p.at.IsZero() {
			text, last = span(p.at.Sub(last)), p.at
		}
		cells = append(cells, fmt.Sprintf("%*s", p.width, text))
	}
	return strings.Join(append(cells, fmt.Sprintf("%8s", span(last.Sub(j.pushed)))), " ")
}

// span returns a duration in seconds, as people say it.
func span(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%dms", max(d, 0).Milliseconds())
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}

// thousands returns a number with a comma before every three digits.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// cut returns at most n characters of a text.
func cut(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}

// bare returns a digest without its algorithm.
func bare(digest string) string { return strings.TrimPrefix(digest, "sha256:") }
