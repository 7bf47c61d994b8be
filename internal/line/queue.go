package line

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// deepestReason bounds how far the reasons of reasons are followed.
const deepestReason = 5

// A Reason says why something does not move, and what holds back that which it waits for.
type Reason struct {
	andon.Wait
	Because []Reason
}

// Root returns what is at the end of the chain: what must change before anything moves.
func (r Reason) Root() andon.Wait {
	for len(r.Because) > 0 {
		r = r.Because[0]
	}
	return r.Wait
}

// Chains returns the chains of reasons that begin at those of the waits that a condition selects.
func Chains(waits []andon.Wait, which func(andon.Wait) bool) (chains []Reason) {
	index := indexed(waits)
	for _, w := range waits {
		if which(w) {
			chains = append(chains, index.chain(w, deepestReason))
		}
	}
	return chains
}

// A Cause is what things wait for in the end, with all that do.
type Cause struct {
	andon.Wait        // the one at the end of the chains that has lasted longest
	GoesOn     bool   // it is being done, and ends by itself
	Who        string // who or what ends it, in a sentence; empty: it ends by itself
	Held       []Reason
	// Deployment is the one that goes on, when the cause is that; nil: it is not.
	Deployment *andon.Plan
	Started    time.Time
}

// Causes returns everything that does not move, by what it waits for in the end: the causes first
// that hold something longest, and what one holds longest first. A version or deployment that is
// held by two causes is with both. moving is how many go on by themselves, and are not in it.
func (s *State) Causes(now time.Time) (causes []Cause, moving int) {
	waits := s.Waiting(now)
	index := indexed(waits)
	byKey := map[string]int{}
	held := map[string]bool{} // things by cause: one that waits twice for the same is named once
	going, stuck := map[string]bool{}, map[string]bool{}
	for _, w := range waits {
		if w.Kind == andon.WaitWarm || index.isPart(w) {
			continue
		}
		reason := index.chain(w, deepestReason)
		root, thing := reason.Root(), thingOf(w)
		if !stands(reason) {
			going[thing] = true
			continue
		}
		stuck[thing] = true
		key := causeKey(root)
		if held[key+"\n"+thing] {
			continue
		}
		held[key+"\n"+thing] = true
		at, known := byKey[key]
		if !known {
			at = len(causes)
			byKey[key] = at
			causes = append(causes, Cause{Wait: root, GoesOn: GoesOn(root), Who: s.Unblocks(root)})
		}
		if root.Since.Before(causes[at].Since) {
			causes[at].Wait = root
		}
		causes[at].Held = append(causes[at].Held, reason)
	}
	for i := range causes {
		if d := s.FindDeployment(causes[i].Wait.Deployment); d != nil && causes[i].GoesOn && !d.Started.IsZero() {
			plan := d.Plan
			causes[i].Deployment, causes[i].Started = &plan, d.Started
		}
		slices.SortStableFunc(causes[i].Held, func(a, b Reason) int { return a.Since.Compare(b.Since) })
	}
	slices.SortStableFunc(causes, func(a, b Cause) int {
		return cmp.Or(a.Held[0].Since.Compare(b.Held[0].Since), cmp.Compare(causeKey(a.Wait), causeKey(b.Wait)))
	})
	for thing := range going {
		if !stuck[thing] {
			moving++
		}
	}
	return causes, moving
}

// thingOf names what a wait is about: a version in its pipeline, or a deployment that a person
// asked for.
func thingOf(w andon.Wait) string {
	if w.Deployment != "" && w.Kind != andon.WaitDeployment {
		return string(w.Deployment)
	}
	return andon.VersionRef{Service: w.Service, Number: w.Version}.String()
}

// stands reports whether something in a chain does not go on by itself: it waits its turn, or for
// somebody.
func stands(r Reason) bool {
	for {
		if !GoesOn(r.Wait) {
			return true
		}
		if len(r.Because) == 0 {
			return false
		}
		r = r.Because[0]
	}
}

// GoesOn reports whether a wait ends by what is being done already.
func GoesOn(w andon.Wait) bool {
	switch w.Kind {
	case andon.WaitApproval, andon.WaitCord, andon.WaitAgent, andon.WaitLock:
		return false
	default:
		return true
	}
}

// causeKey is the same for waits that end with the same event. People let versions in one by one,
// but are one cause.
func causeKey(w andon.Wait) string {
	switch w.Kind {
	case andon.WaitApproval:
		return string(w.Kind)
	case andon.WaitCord, andon.WaitAgent:
		return string(w.Kind) + " " + w.On
	case andon.WaitLock:
		return string(w.Kind) + " " + string(w.Service) + " " + w.On
	default:
		return "goes " + thingOf(w)
	}
}

// Unblocks says who or what ends a wait, in a sentence; empty: it ends by itself.
func (s *State) Unblocks(w andon.Wait) string {
	switch w.Kind {
	case andon.WaitApproval:
		return "Anybody who may promote it."
	case andon.WaitCord:
		at := slices.IndexFunc(s.Cords, func(c *Cord) bool { return string(c.ID) == w.On })
		if at < 0 {
			return ""
		}
		return s.Cords[at].releasedBy()
	case andon.WaitLock:
		return "Nobody needs to: it is its turn when that has ended."
	case andon.WaitAgent:
		return "Whoever looks after the hosts; by itself, as soon as one is free."
	default:
		return ""
	}
}

// releasedBy says who or what lets a stopped line run again.
func (c *Cord) releasedBy() string {
	if c.Fix == nil {
		return fmt.Sprintf("%s, who pulled %s, or anybody else with a reason.", c.Owner, c.ID)
	}
	return fmt.Sprintf("By itself, with the first version of %s after %s that passes %s; or anybody with a reason.", c.Fix.Service, c.Fix.After, c.Fix.Stage)
}

// A waitIndex holds waits by their service: nothing waits for another one's.
type waitIndex map[andon.ServiceName][]andon.Wait

func indexed(waits []andon.Wait) waitIndex {
	index := waitIndex{}
	for _, w := range waits {
		index[w.Service] = append(index[w.Service], w)
	}
	return index
}

// chain returns a wait with what is behind it.
func (index waitIndex) chain(w andon.Wait, depth int) Reason {
	r := Reason{Wait: w}
	if depth == 0 {
		return r
	}
	for _, next := range index[w.Service] {
		if w.HeldBy(next) {
			r.Because = append(r.Because, index.chain(next, depth-1))
		}
	}
	return r
}

// isPart reports whether a wait is of a task or a deployment of something that waits for it, and
// tells the rest itself.
func (index waitIndex) isPart(w andon.Wait) bool {
	return slices.ContainsFunc(index[w.Service], func(of andon.Wait) bool {
		return (of.Kind == andon.WaitTask || of.Kind == andon.WaitDeployment) && of.HeldBy(w)
	})
}
