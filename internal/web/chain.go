package web

import (
	"fmt"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// deepestChain bounds how far the reasons of reasons are followed.
const deepestChain = 5

// A reason says why something does not move, who can change that, and what is behind it.
type reason struct {
	andon.Wait
	Who     string
	Way     wayOn // to what ends it; no words: nothing that somebody can do
	Because []reason
}

// reasons returns the chains that begin at those waits that a condition selects.
func reasons(s *line.State, all []andon.Wait, which func(andon.Wait) bool) []reason {
	var chains []reason
	for _, w := range all {
		if which(w) {
			chains = append(chains, chainOf(s, all, w, deepestChain))
		}
	}
	return chains
}

func chainOf(s *line.State, all []andon.Wait, w andon.Wait, depth int) reason {
	r := reason{Wait: w, Who: whoUnblocks(s, w), Way: wayOut(s, w)}
	if depth == 0 {
		return r
	}
	for _, next := range all {
		if w.HeldBy(next) {
			r.Because = append(r.Because, chainOf(s, all, next, depth-1))
		}
	}
	return r
}

// begins reports whether a chain of reasons begins at a wait: nothing else waits for what it is
// about. That a group stays warm holds nothing up.
func begins(all []andon.Wait) func(andon.Wait) bool {
	return func(w andon.Wait) bool {
		return w.Kind != andon.WaitWarm && !slices.ContainsFunc(all, func(other andon.Wait) bool { return other.HeldBy(w) })
	}
}

// GoesOn reports whether the wait ends by what is being done already.
func (r reason) GoesOn() bool {
	switch r.Kind {
	case andon.WaitApproval, andon.WaitCord, andon.WaitAgent, andon.WaitLock:
		return false
	default:
		return true
	}
}

// whoUnblocks says who or what ends a wait; empty: it ends by itself.
func whoUnblocks(s *line.State, w andon.Wait) string {
	switch w.Kind {
	case andon.WaitApproval:
		return "Anybody who may promote it."
	case andon.WaitCord:
		at := slices.IndexFunc(s.Cords, func(c *line.Cord) bool { return string(c.ID) == w.On })
		if at < 0 {
			return ""
		}
		return whoReleases(s.Cords[at].Cord)
	case andon.WaitLock:
		return "Nobody needs to: it is its turn when that has ended."
	case andon.WaitAgent:
		return "Whoever looks after the hosts; by itself, as soon as one is free."
	default:
		return ""
	}
}

// wayOut leads to what a person can do about a wait.
func wayOut(s *line.State, w andon.Wait) wayOn {
	switch w.Kind {
	case andon.WaitApproval:
		return wayOn{"Promote …", versionPath(andon.VersionRef{Service: w.Service, Number: w.Version}) + "/promote"}
	case andon.WaitCord:
		for _, c := range s.Cords {
			if string(c.ID) == w.On {
				return wayOn{"Release " + w.On + " …", cordPath(c.Scope) + "?cord=" + w.On}
			}
		}
	}
	return wayOn{}
}

// whoReleases says who or what lets a stopped line run again.
func whoReleases(c andon.Cord) string {
	if c.Fix == nil {
		return fmt.Sprintf("%s, who pulled %s, or anybody else with a reason.", c.Owner, c.ID)
	}
	return fmt.Sprintf("By itself, with the first version of %s after %s that passes %s; or anybody with a reason.", c.Fix.Service, c.Fix.After, c.Fix.Stage)
}
