package metrics

import (
	"fmt"
	"math"
	"time"
)

// Sentence names the bottleneck in words; empty when no change was delivered.
func (f *Flow) Sentence() string {
	step, part, ok := f.Bottleneck()
	if !ok {
		return ""
	}
	where := ""
	switch {
	case step.Stage == "":
		where = " while no version carried the change"
	case part.Cause != Push:
		where = " of stage " + string(step.Stage)
	}
	return fmt.Sprintf("Most of the time to production, %s, is %s%s: %s for half of the changes.",
		Percent(part.Share), part.Cause.Noun(), where, atMost(part.Median))
}

// Noun says in words what a change does or waits for.
func (c Cause) Noun() string {
	switch c {
	case Work:
		return "the work"
	case Push:
		return "the wait between commit and push"
	case Agent:
		return "the wait for an agent"
	case Approval:
		return "the wait for an approval"
	case Stopped:
		return "the wait for the line to run again"
	case Lock:
		return "the wait for the place"
	case Fix:
		return "the wait for a repair"
	default:
		return string(c)
	}
}

// Percent writes a share of 0 to 1.
func Percent(share float64) string { return fmt.Sprintf("%.0f %%", math.Round(share*100)) }

func atMost(t time.Duration) string {
	if t == 0 {
		return "nothing"
	}
	return "up to " + Short(t)
}

// Short writes a time with two of its units at most, as people say it.
func Short(t time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case t < 0:
		return "-" + Short(-t)
	case t < time.Second:
		return fmt.Sprintf("%d ms", t.Milliseconds())
	case t < time.Minute:
		return fmt.Sprintf("%.1f s", t.Seconds())
	case t < time.Hour:
		return two(t.Truncate(time.Second), time.Minute, "min", time.Second, "s")
	case t < day:
		return two(t.Truncate(time.Minute), time.Hour, "h", time.Minute, "min")
	default:
		return two(t.Truncate(time.Hour), day, "d", time.Hour, "h")
	}
}

func two(t, great time.Duration, greatName string, small time.Duration, smallName string) string {
	if rest := t % great / small; rest > 0 {
		return fmt.Sprintf("%d %s %d %s", t/great, greatName, rest, smallName)
	}
	return fmt.Sprintf("%d %s", t/great, greatName)
}
