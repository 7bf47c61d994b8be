package deploy

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// FalseAlarm is how often, at most, all the comparisons of one deployment together fail a new
// group that is exactly like the old one: once in a thousand deployments.
//
// This holds for requests that are independent of each other. Real ones are not quite: one bad
// client repeats itself. The least differences that a Watch names keep such noise out.
const FalseAlarm = 1e-3

// watchedPercentile is the percentile of the latency that is compared.
const watchedPercentile = 0.95

// Look returns which look at a new group with so many requests is due, counted from 0; -1: it has
// fewer than the watch wants. A group is looked at when it has a quarter more requests than at
// the look before: few looks keep each of them sharp, and a fault is seen after at most a
// quarter more requests than it takes to be certain of it.
func Look(w andon.Watch, requests int64) int {
	look := -1
	for due := max(w.Least, 1); due <= requests; due += max(due/4, 1) {
		look++
	}
	return look
}

// level is how often the look of that number may raise a false alarm. Each one has its share of
// FalseAlarm, and the shares, 6/π²(k+1)², add up to all of it however many looks there will be
// (alpha spending by the union bound: Bonferroni's inequality over Basel's series). So no look
// depends on when or how often the others are taken.
func level(look int) float64 {
	k := float64(look + 1)
	return FalseAlarm * 6 / (math.Pi * math.Pi) / (k * k)
}

// Compare says what a look at both groups finds. The verdict is andon.VerdictWorse only when a
// difference is both larger than the watch allows and significant at the look's level, of which
// errors and latency have a half each.
func Compare(w andon.Watch, before, after andon.GroupStats, look int) (andon.Verdict, string) {
	if look < 0 {
		return andon.VerdictOpen, fmt.Sprintf("the new group has had %d of the %d requests that it takes to judge it", after.Requests, w.Least)
	}
	alpha := level(look)
	if w.Latency > 0 {
		alpha /= 2
	}
	if why := moreErrors(w, before, after, alpha); why != "" {
		return andon.VerdictWorse, why
	}
	if w.Latency > 0 {
		if why := slower(w, before, after, alpha); why != "" {
			return andon.VerdictWorse, why
		}
	}
	if before.Requests == 0 {
		return andon.VerdictOpen, "the old group has had no requests to compare with"
	}
	return andon.VerdictAlike, fmt.Sprintf("%s of %d requests of the new group failed, and %s of %d of the old one",
		percent(after), after.Requests, percent(before), before.Requests)
}

// moreErrors compares the shares of requests that failed: by Fisher's exact test, one-sided (R. A.
// Fisher, The Logic of Inductive Inference, Journal of the Royal Statistical Society 98, 1935,
// p. 39–82; A. Agresti, Categorical Data Analysis, 3rd ed., 2013, section 3.5). It needs no large
// numbers, and errs on the side of no alarm.
func moreErrors(w andon.Watch, before, after andon.GroupStats, alpha float64) string {
	if before.Requests <= 0 || after.Requests <= 0 || share(after)-share(before) <= w.Errors/100 {
		return ""
	}
	if p := fisher(after.Errors, after.Requests, before.Errors, before.Requests); !(p < alpha) {
		return ""
	}
	return fmt.Sprintf("%s of its %d requests failed, against %s of %d of the old group",
		percent(after), after.Requests, percent(before), before.Requests)
}

// slower compares the 95th percentiles of the latency: it is certain that the new group's is over
// a bound, that the old one's is not over another, and that the first is the wanted multiple of
// the second. Each of the two has half of the level.
//
// The bounds are those of order statistics, which assume nothing of the distribution (H. A. David,
// H. N. Nagaraja, Order Statistics, 3rd ed., 2003, section 7.1): of n requests, the number that
// take at most the p-quantile is binomial with n and p. Counts in buckets say of each bound how
// many took at most that; a multiple that falls between two bounds counts as the next one.
func slower(w andon.Watch, before, after andon.GroupStats, alpha float64) string {
	bounds := andon.LatencyBounds()
	low := quantileOver(bounds, after.Latency, alpha/2)
	high := quantileWithin(bounds, before.Latency, alpha/2)
	if low <= 0 || high <= 0 || float64(low) < w.Latency*float64(high)*(1-1e-9) {
		return ""
	}
	return fmt.Sprintf("5 %% of its requests take longer than %s, and at most 5 %% of the old group's take longer than %s",
		andon.Brief(shown(low)), andon.Brief(shown(high)))
}

// quantileOver returns the largest bound that the percentile is over, with certainty 1-alpha: so
// few requests took at most that bound as would be chance with less than alpha if the percentile
// were not over it. 0: there is none.
func quantileOver(bounds []time.Duration, counts []int64, alpha float64) time.Duration {
	n := total(counts)
	var within int64
	var over time.Duration
	for i, bound := range bounds {
		if i < len(counts) {
			within += counts[i]
		}
		if n == 0 || !(binomialAtMost(within, n, watchedPercentile) < alpha) {
			break
		}
		over = bound
	}
	return over
}

// quantileWithin returns the smallest bound that the percentile is not over, with certainty
// 1-alpha. 0: there is none.
func quantileWithin(bounds []time.Duration, counts []int64, alpha float64) time.Duration {
	n := total(counts)
	var within int64
	for i, bound := range bounds {
		if i < len(counts) {
			within += counts[i]
		}
		if n > 0 && binomialAtLeast(within, n, watchedPercentile) < alpha {
			return bound
		}
	}
	return 0
}

// fisher returns the chance that of the failures of both groups at least as many as a fall into
// the first, if each request of either is as likely to fail: the upper tail of the hypergeometric
// distribution. a of n failed in the first group, b of m in the second.
func fisher(a, n, b, m int64) float64 {
	failed := a + b
	first := logChoose(n, a) + logChoose(m, b) - logChoose(n+m, failed)
	return tail(first, func(i int64) float64 {
		x := a + i
		return float64(n-x) * float64(failed-x) / (float64(x+1) * float64(m-failed+x+1))
	})
}

// binomialAtLeast returns the chance of at least k of n events of that probability.
func binomialAtLeast(k, n int64, p float64) float64 {
	if k <= 0 {
		return 1
	}
	if float64(k) < float64(n)*p {
		return 1 - binomialAtMost(k-1, n, p)
	}
	return tail(logBinomial(k, n, p), func(i int64) float64 {
		return float64(n-k-i) / float64(k+i+1) * p / (1 - p)
	})
}

// binomialAtMost returns the chance of at most k of n events of that probability.
func binomialAtMost(k, n int64, p float64) float64 {
	if k >= n {
		return 1
	}
	if float64(k) > float64(n)*p {
		return 1 - binomialAtLeast(k+1, n, p)
	}
	return tail(logBinomial(k, n, p), func(i int64) float64 {
		return float64(k-i) / float64(n-k+i+1) * (1 - p) / p
	})
}

// mostTerms bounds a sum: no tail of ours needs so many terms before they do not count any more.
const mostTerms = 1 << 20

// tail sums a series from the logarithm of its first term on, given by the ratio of the term i+1
// to the term i, until what is left does not count.
func tail(first float64, ratio func(i int64) float64) float64 {
	sum, term := 1.0, 1.0
	for i := int64(0); i < mostTerms; i++ {
		r := ratio(i)
		if !(r > 0) {
			break
		}
		term *= r
		sum += term
		if r < 1 && term < 1e-15*sum*(1-r) {
			break
		}
	}
	return min(1, math.Exp(first+math.Log(sum)))
}

func logBinomial(k, n int64, p float64) float64 {
	return logChoose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p)
}

// logChoose returns the logarithm of the number of ways to choose k of n.
func logChoose(n, k int64) float64 {
	return logFactorial(n) - logFactorial(k) - logFactorial(n-k)
}

func logFactorial(n int64) float64 {
	l, _ := math.Lgamma(float64(n) + 1)
	return l
}

func total(counts []int64) int64 {
	var n int64
	for _, c := range counts {
		n += c
	}
	return n
}

func share(g andon.GroupStats) float64 { return float64(g.Errors) / float64(max(g.Requests, 1)) }

func percent(g andon.GroupStats) string { return fmt.Sprintf("%.2f %%", 100*share(g)) }

// shown rounds a bound as people read it.
func shown(d time.Duration) time.Duration {
	unit := time.Microsecond
	for d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit)
}

// counted reports whether the numbers can have been counted.
func counted(g andon.GroupStats) bool {
	return g.Errors >= 0 && g.Errors <= g.Requests && len(g.Latency) <= andon.LatencyBuckets &&
		!slices.ContainsFunc(g.Latency, func(n int64) bool { return n < 0 })
}

// Sides returns what to compare: what the old group and the new one of a deployment answered.
// Where both had traffic in this deployment, both sides are of that time. Where the old group had
// less than the watch wants, as after one switch, it is what it answered before. Numbers that
// nobody can have counted are left out.
func Sides(plan andon.Plan, groups []andon.GroupStats) (before, after andon.GroupStats) {
	before, after = andon.GroupStats{Group: plan.Base}, andon.GroupStats{Group: plan.Group, Ledger: plan.ID}
	earlier := before
	before.Ledger = plan.ID
	for _, g := range groups {
		switch {
		case !counted(g):
		case g.Group == plan.Group && g.Ledger == plan.ID:
			after = after.Plus(g)
		case g.Group == plan.Base && g.Ledger == plan.ID && plan.Base != "":
			before = before.Plus(g)
		case g.Group == plan.Base && plan.Base != "":
			earlier = earlier.Plus(g)
		}
	}
	if plan.Watch != nil && before.Requests < plan.Watch.Least && earlier.Requests > before.Requests {
		before = earlier
	}
	return before, after
}
