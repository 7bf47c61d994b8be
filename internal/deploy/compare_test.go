package deploy

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// latencies are the buckets of as many requests as stand for all, log-normal around a median.
func latencies(median time.Duration) (buckets [1 << 12]uint8) {
	bounds := andon.LatencyBounds()
	r := rand.New(rand.NewPCG(3, uint64(median)))
	for i := range buckets {
		buckets[i] = uint8(andon.LatencyBucket(bounds, time.Duration(float64(median)*math.Exp(0.8*r.NormFloat64()))))
	}
	return buckets
}

var medians = map[time.Duration][1 << 12]uint8{20 * time.Millisecond: latencies(20 * time.Millisecond), 60 * time.Millisecond: latencies(60 * time.Millisecond)}

// requests draws so many requests of a group: how many fail, and how long they take.
func requests(r *rand.Rand, n int, failing float64, median time.Duration) andon.GroupStats {
	g := andon.GroupStats{Requests: int64(n), Latency: make([]int64, andon.LatencyBuckets)}
	buckets, limit := medians[median], uint64(failing*(1<<32))
	for range n {
		x := r.Uint64()
		if x>>32 < limit {
			g.Errors++
		}
		g.Latency[buckets[x%(1<<12)]]++
	}
	return g
}

// watched plays a deployment that is looked at whenever a look is due, and returns the first look
// that finds the new group worse; -1: none does.
func watched(r *rand.Rand, w andon.Watch, most int, draw func(n int) (before, after andon.GroupStats)) int {
	var before, after andon.GroupStats
	done := -1
	for after.Requests < int64(most) {
		b, a := draw(int(max(w.Least/2, after.Requests/8, 1)))
		before, after = before.Plus(b), after.Plus(a)
		look := Look(w, after.Requests)
		if look <= done {
			continue
		}
		done = look
		if verdict, _ := Compare(w, before, after, look); verdict == andon.VerdictWorse {
			return look
		}
	}
	return -1
}

// TestCompare_RaisesFewFalseAlarms plays deployments whose groups are alike, with all their looks:
// fewer than one in a thousand may fail. The watches allow no difference at all, so that nothing
// but the tests themselves holds the alarms back.
func TestCompare_RaisesFewFalseAlarms(t *testing.T) {
	for name, failing := range map[string]float64{"no failures": 0, "few failures": 0.01, "many failures": 0.3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(7, math.Float64bits(failing)))
			const deployments = 1000
			alarms, looks := 0, 0
			for range deployments {
				w := andon.Watch{Latency: 1, Least: 50}
				if watched(r, w, 2000, func(n int) (before, after andon.GroupStats) {
					looks++
					return requests(r, n, failing, 20*time.Millisecond), requests(r, n, failing, 20*time.Millisecond)
				}) >= 0 {
					alarms++
				}
			}
			// With one in a thousand, more than 6 of 1,000 have a chance below 0.0001.
			if alarms > 6 {
				t.Errorf("%d of %d deployments were stopped for nothing, in %d looks", alarms, deployments, looks)
			}
			t.Logf("%d of %d deployments, %d draws", alarms, deployments, looks)
		})
	}
}

// TestCompare_KeepsALevelThatIsEasyToSee shows with a level of one in twenty, which is seen often
// enough to be measured, that each test alone keeps to it.
func TestCompare_KeepsALevelThatIsEasyToSee(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 19))
	const looks, alpha = 10_000, 0.05
	errors, slow := 0, 0
	w := andon.Watch{Latency: 1}
	for range looks {
		before, after := requests(r, 400, 0.1, 20*time.Millisecond), requests(r, 400, 0.1, 20*time.Millisecond)
		if moreErrors(w, before, after, alpha) != "" {
			errors++
		}
		if slower(w, before, after, alpha) != "" {
			slow++
		}
	}
	// Three standard deviations above 500; Fisher's test is a little below its level, never far.
	if errors > 565 || errors < 250 {
		t.Errorf("errors raise %d alarms in %d looks, want at most and about %g of them", errors, looks, alpha)
	}
	if slow > 565 {
		t.Errorf("latency raises %d alarms in %d looks, want at most %g of them", slow, looks, alpha)
	}
	t.Logf("errors %d, latency %d of %d looks", errors, slow, looks)
}

// TestCompare_FindsWhatIsWorse plays deployments that are worse by more than is allowed: nearly
// all must be found within the requests that a canary of some minutes has.
func TestCompare_FindsWhatIsWorse(t *testing.T) {
	for name, c := range map[string]struct {
		failing float64
		median  time.Duration
		says    string
	}{
		"5 % fail instead of 0.5 %":  {0.05, 20 * time.Millisecond, "requests failed"},
		"three times slower":         {0.005, 60 * time.Millisecond, "take longer"},
		"every second request fails": {0.5, 20 * time.Millisecond, "requests failed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, 13))
			w := andon.Watch{Errors: 1, Latency: 2, Least: 100}
			found := 0
			const deployments = 200
			for range deployments {
				if watched(r, w, 4000, func(n int) (before, after andon.GroupStats) {
					return requests(r, 9*n, 0.005, 20*time.Millisecond), requests(r, n, c.failing, c.median)
				}) >= 0 {
					found++
				}
			}
			if found < deployments*99/100 {
				t.Errorf("%d of %d are found", found, deployments)
			}
		})
	}
}

func TestCompare_CountsNoDifferenceThatIsAllowed(t *testing.T) {
	w := andon.Watch{Errors: 2, Least: 100}
	before := andon.GroupStats{Requests: 1_000_000, Errors: 1_000}
	after := andon.GroupStats{Requests: 1_000_000, Errors: 20_000} // significant beyond doubt, and 1.9 points
	if v, why := Compare(w, before, after, 0); v != andon.VerdictAlike {
		t.Errorf("%s: %s", v, why)
	}
	after.Errors = 22_000
	v, why := Compare(w, before, after, 40)
	if v != andon.VerdictWorse || !strings.Contains(why, "2.20 % of its 1000000 requests failed, against 0.10 % of 1000000") {
		t.Errorf("%s: %s", v, why)
	}
}

func TestCompare_SaysNothingWithTooLittleToGoBy(t *testing.T) {
	w := andon.Watch{Least: 100, Latency: 1.5}
	all := andon.GroupStats{Requests: 99, Errors: 99}
	if v, _ := Compare(w, andon.GroupStats{Requests: 1000}, all, Look(w, all.Requests)); v != andon.VerdictOpen {
		t.Errorf("with fewer requests than wanted: %s", v)
	}
	all = andon.GroupStats{Requests: 1000, Errors: 1000}
	if v, _ := Compare(w, andon.GroupStats{}, all, 0); v != andon.VerdictOpen {
		t.Errorf("with nothing to compare with: %s", v)
	}
}

func TestLook_IsDueWithAQuarterMoreRequests(t *testing.T) {
	w := andon.Watch{Least: 100}
	for n, want := range map[int64]int{0: -1, 99: -1, 100: 0, 124: 0, 125: 1, 155: 1, 156: 2, 1_000_000: 41} {
		if got := Look(w, n); got != want {
			t.Errorf("%d requests: look %d, want %d", n, got, want)
		}
	}
	if got := Look(andon.Watch{}, 3); got != 2 {
		t.Errorf("without a least number: look %d", got)
	}
}

func TestLevels_OfAllLooksAddUpToWhatIsAllowed(t *testing.T) {
	sum := 0.0
	for k := range 100_000 {
		sum += level(k)
	}
	if sum > FalseAlarm || sum < 0.999*FalseAlarm {
		t.Errorf("they add up to %g", sum)
	}
}

// TestFisher_IsExact compares with the chances as they are counted out for the tea tasting of
// Fisher's The Design of Experiments (1935), chapter 2, and by enumeration.
func TestFisher_IsExact(t *testing.T) {
	near(t, "four of four", fisher(4, 4, 0, 4), 1.0/70)
	near(t, "three of four", fisher(3, 4, 1, 4), 17.0/70)
	near(t, "none", fisher(0, 10, 5, 10), 1)
	for _, c := range [][4]int64{{3, 20, 1, 30}, {7, 9, 2, 40}, {0, 5, 0, 5}, {12, 12, 3, 8}} {
		a, n, b, m := c[0], c[1], c[2], c[3]
		sum := 0.0
		for x := a; x <= min(n, a+b); x++ {
			if y := a + b - x; y <= m {
				sum += choose(n, x) * choose(m, y) / choose(n+m, a+b)
			}
		}
		near(t, "by enumeration", fisher(a, n, b, m), sum)
	}
	if p := fisher(60_000, 1_000_000, 50_000, 1_000_000); p > 1e-100 {
		t.Errorf("a million requests with 6 %% against 5 %%: %g", p)
	}
}

func TestBinomial_IsExact(t *testing.T) {
	for _, n := range []int64{1, 7, 60} {
		sum := 0.0
		for k := int64(0); k <= n; k++ {
			near(t, "at least", binomialAtLeast(k, n, 0.95), 1-sum)
			sum += choose(n, k) * math.Pow(0.95, float64(k)) * math.Pow(0.05, float64(n-k))
			near(t, "at most", binomialAtMost(k, n, 0.95), sum)
		}
	}
	if p := binomialAtMost(9_000_000, 10_000_000, 0.95); p > 1e-100 {
		t.Errorf("the far tail is %g", p)
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s: %.12g, want %.12g", what, got, want)
	}
}

func choose(n, k int64) float64 {
	c := 1.0
	for i := range k {
		c = c * float64(n-i) / float64(i+1)
	}
	return c
}

func TestSides_AreOfTheSameTimeWhereBothHadTraffic(t *testing.T) {
	plan := andon.Plan{ID: "d2", Group: "d2", Base: "d1", Rollout: andon.Rollout{Watch: &andon.Watch{Least: 10}}}
	groups := []andon.GroupStats{
		{Group: "d1", Ledger: "d1", Requests: 1000}, {Group: "d1", Ledger: "d2", Requests: 90}, {Group: "d1", Ledger: "d2", Requests: 5},
		{Group: "d2", Ledger: "d2", Requests: 11}, {Group: "d0", Ledger: "d0", Requests: 7},
	}
	before, after := Sides(plan, groups)
	if before.Requests != 95 || after.Requests != 11 {
		t.Errorf("a canary is compared as %+v and %+v", before, after)
	}
	before, after = Sides(plan, slices.Delete(groups, 1, 3))
	if before.Requests != 1000 || after.Requests != 11 {
		t.Errorf("after one switch it is %+v and %+v", before, after)
	}
	plan.Base = ""
	if before, _ = Sides(plan, groups); before.Requests != 0 {
		t.Errorf("a first deployment is compared with %+v", before)
	}
}
