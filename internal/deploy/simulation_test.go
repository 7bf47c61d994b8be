package deploy

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

// defaultSteps is how many steps `go test` simulates. ANDON_STEPS sets another number, as
// `make test` does, without the race detector, which one goroutine has no use for.
const defaultSteps = 50_000

// manySteps is how many show that the worlds go everywhere.
const manySteps = 1_000_000

// stepsOfWorld is how many steps with faults each world takes, before it comes to rest.
const stepsOfWorld = 500

// TestSimulation lets deployments by all strategies, with random numbers, follow one another on
// one to four hosts that hear and speak late, some far too late, are cut off while their copies and
// proxies go on, and come back; in half of the worlds some hosts are edges, whose proxies have the
// copies of all hosts, and do not always reach them; copies crash, turn unhealthy or never get healthy; smoke tests fail; people abort;
// comparisons find the new group worse; the clock is set back. A step is one call of Next whose
// answer is checked and carried out, and then one act of the world. After the faults, the
// deployment that goes on must end.
func TestSimulation(t *testing.T) {
	steps := defaultSteps
	if s := os.Getenv("ANDON_STEPS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("ANDON_STEPS: %v", err)
		}
		steps = n
	}
	var mu sync.Mutex
	var sum simStats
	next, failed := uint64(0), 0
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				mu.Lock()
				if sum.steps >= steps || failed >= 5 {
					mu.Unlock()
					return
				}
				next++
				seed := next
				mu.Unlock()
				w := simulate(seed)
				mu.Lock()
				sum.add(w.stats)
				if w.broken != "" {
					failed++
					t.Errorf("seed %d: %s", seed, w.broken)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("%d worlds: %+v", next, sum)
	if steps >= manySteps && failed == 0 && (sum.reverted < 1000 || sum.attention == 0 || sum.cuts < 1000 || sum.warm < 100 || sum.shares < 1000 || sum.edged < 1000 || sum.blinded < 50 || sum.far < 10_000) {
		t.Errorf("too little happens: %+v", sum)
	}
}

func (s *simStats) add(o simStats) {
	s.steps += o.steps
	s.deployments += o.deployments
	s.reverted += o.reverted
	s.attention += o.attention
	s.cuts += o.cuts
	s.warm += o.warm
	s.shares += o.shares
	s.edged += o.edged
	s.blinded += o.blinded
	s.far += o.far
}

// simulate lets a world go on with faults, and then come to the end of its deployment without.
func simulate(seed uint64) *world {
	w := newSimWorld(seed)
	for range stepsOfWorld {
		if w.step(); w.broken != "" {
			return w
		}
	}
	w.calm, w.sick = true, ""
	for _, h := range w.hosts {
		h.cut = false
		clear(h.blind)
	}
	clear(w.in.Lost)
	for last, left := w.number, 2000; w.number == last; left-- {
		if w.step(); w.broken != "" {
			return w
		}
		if left == 0 {
			w.fail("it does not end without faults: at %s, reverting %t: %+v", w.in.Step, w.in.Reverting, w.wanted)
			return w
		}
	}
	return w
}

func (w *world) fail(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf("step %d, %s %s: ", w.stats.steps, w.in.Plan.ID, w.in.Plan.Strategy) + fmt.Sprintf(format, args...)
	}
}

func (w *world) want(ok bool, format string, args ...any) {
	if !ok {
		w.fail(format, args...)
	}
}

// checkStep wants an answer that is one thing, and the same when it is asked for again.
func (w *world) checkStep(s Step) {
	n := 0
	for _, has := range []bool{s.Desired != nil, len(s.Smoke) > 0, s.Failed != "", s.Done} {
		if has {
			n++
		}
	}
	w.want(n == 1 || n == 0 && len(s.Waits) > 0, "the answer is not one thing: %+v", s)
	for _, x := range s.Waits {
		w.want(x.Reason != "" && x.On != "", "a wait says nothing: %+v", x)
	}
	if w.once(64) {
		w.want(reflect.DeepEqual(s, Next(w.in)), "asked again it gives another answer than %+v", s)
	}
}

func (w *world) healthy(c *andon.Copy) bool {
	o := w.record(c.ID).Observed
	return o.Phase == andon.PhaseHealthy && o.Artifact == c.Artifact && o.Config == c.Config
}

// serving counts the copies in the route that were last seen healthy.
func (w *world) serving(d *andon.Desired) int {
	n := 0
	for i := range d.Copies {
		if d.Routed(d.Copies[i].ID) && w.healthy(&d.Copies[i]) {
			n++
		}
	}
	return n
}

// gaveUp reports whether what was live had its time to come back and did not.
func (w *world) gaveUp() bool {
	p := w.in.Plan.Previous
	return w.in.Reverting && (p == nil || !w.in.Now.Before(w.in.StepSince.Add(p.Spec.Health.Start)) || w.in.Now.Before(w.in.StepSince.Add(-ClockSlack)))
}

// checkChange holds one change of what should be against the promises.
func (w *world) checkChange(next andon.Desired) {
	old, plan := &w.in.Desired, &w.in.Plan
	away, gaveUp := len(w.in.Lost) > 0, w.gaveUp()
	for i := range next.Copies {
		c := &next.Copies[i]
		if !next.Routed(c.ID) || old.Routed(c.ID) {
			continue
		}
		w.want(w.healthy(c) || gaveUp || w.in.Reverting && away, "routes %s, which is not healthy", c.ID)
		if !w.in.Reverting && len(plan.Release.Smoke) > 0 && c.Group == plan.Group {
			s := w.in.Smokes[c.ID]
			w.want(s != nil && s.Outcome == andon.Succeeded && s.Run == w.record(c.ID).Observed.Run, "routes %s, which is not smoked", c.ID)
		}
	}
	before, after := w.serving(old), w.serving(&next)
	switch {
	case !w.in.Reverting && plan.Release.Spec.Port > 0:
		promise := plan.Release.Spec.Instances
		if plan.Strategy == andon.Rolling {
			promise -= plan.MaxUnavailable
		}
		w.want(after >= min(before, promise), "leaves %d of %d healthy copies in traffic, promised are %d", after, before, promise)
	case w.in.Reverting && plan.Previous != nil && plan.Previous.Spec.Port > 0 && !away && !gaveUp:
		w.want(after >= min(before, plan.Previous.Spec.Instances), "reverts and leaves %d of %d healthy copies in traffic", after, before)
	}
	w.checkNumber(next)
	w.checkShares(next)
	for i := range old.Copies {
		if _, kept := next.Copy(old.Copies[i].ID); !kept {
			w.checkRemoved(&old.Copies[i], next, gaveUp)
		}
	}
}

// checkNumber wants a rolling deployment to have no more copies than it may. Copies of a group that
// was kept warm before are not its own.
func (w *world) checkNumber(next andon.Desired) {
	plan := &w.in.Plan
	if plan.Strategy != andon.Rolling || w.in.Reverting || plan.Previous == nil || len(next.Copies) <= len(w.in.Desired.Copies) {
		return
	}
	if plan.Release.Spec.Port == 0 && plan.Previous.Spec.Port > 0 {
		return // one that drops its route comes whole, beside the old one
	}
	most := max(plan.Release.Spec.Instances, plan.Previous.Spec.Instances) + plan.MaxSurge
	if plan.MaxSurge+plan.MaxUnavailable == 0 {
		most++
	}
	w.want(len(next.Copies) <= most, "has %d copies, more than %d", len(next.Copies), most)
}

// checkShares wants all copies of a route to have the same share, or both groups those of a step.
func (w *world) checkShares(next andon.Desired) {
	if next.Route == nil {
		return
	}
	shares := map[andon.GroupID]int{}
	all, equal := 0, true
	for _, t := range next.Route.Targets {
		shares[t.Instance.Group()] += t.Weight
		all += t.Weight
		equal = equal && t.Weight == 1
	}
	if equal {
		return
	}
	w.stats.shares++
	for _, s := range w.in.Plan.Canary {
		if len(shares) == 2 && 100*shares[w.in.Plan.Group] == s.Weight*all {
			return
		}
	}
	w.fail("shares the requests as %v", shares)
}

// checkRemoved wants a copy to go only once no request can reach it and those in flight ended, on
// any host whose proxy the server hears of: by what that attested, and by what it really does.
func (w *world) checkRemoved(c *andon.Copy, next andon.Desired, gaveUp bool) {
	w.want(!next.Routed(c.ID) && !w.in.Desired.Routed(c.ID), "removes %s, which is in the route", c.ID)
	r := w.record(c.ID)
	if r.Unrouted.IsZero() || gaveUp || !w.in.Now.Before(r.Unrouted.Add(c.Spec.Drain)) || w.in.Now.Before(r.Unrouted.Add(-ClockSlack)) {
		return
	}
	for _, h := range w.hosts {
		if _, lost := w.in.Lost[h.name]; lost {
			continue
		}
		rs := w.in.Routes[h.name]
		if rs != nil {
			w.want(!slices.Contains(rs.Draining, c.ID) && !slices.Contains(rs.Targets, c.ID), "removes %s, which has requests by %s", c.ID, h.name)
		}
		_, flying := h.flying[c.ID]
		w.want(!flying && !slices.Contains(h.targets, c.ID), "removes %s, to which %s really sends requests", c.ID, h.name)
	}
}

// checkEnd wants exactly what should be live, and nothing else but what is kept warm.
func (w *world) checkEnd(s Step) {
	want, group := &w.in.Plan.Release, w.in.Plan.Group
	if w.in.Reverting {
		want, group = w.in.Plan.Previous, w.in.Plan.Base
	}
	n, warm := 0, 0
	for _, c := range w.in.Desired.Copies {
		switch {
		case want != nil && c.Group == group:
			n++
			w.want(c.Artifact == want.Artifact && c.Config == want.Config, "ends with %s, which is not %s", c.ID, want.Version)
			w.want(w.in.Desired.Routed(c.ID) == (want.Spec.Port > 0), "ends and %s is routed: %t", c.ID, w.in.Desired.Routed(c.ID))
		case c.Group == w.in.Plan.Base && KeepsWarm(&w.in.Plan) && !w.in.Reverting:
			warm++
			w.want(!w.in.Desired.Routed(c.ID), "keeps %s warm and in the route", c.ID)
		default:
			w.fail("ends and leaves %s", c.ID)
		}
	}
	if warm > 0 {
		w.stats.warm++
	}
	if want == nil {
		w.want(w.in.Desired.Route == nil, "ends with a route to nothing")
		return
	}
	w.want(n == want.Spec.Instances, "ends with %d copies instead of %d", n, want.Spec.Instances)
	if r := w.in.Desired.Route; r != nil {
		w.want(r.Requests == want.Spec.Requests, "ends with the limits of another release than %s", want.Version)
	}
	w.want(s.Attention == "" || w.in.Reverting, "succeeds and needs attention: %s", s.Attention)
}
