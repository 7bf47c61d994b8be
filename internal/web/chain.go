package web

import (
	"slices"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

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
	for _, r := range line.Chains(all, which) {
		chains = append(chains, explain(s, r))
	}
	return chains
}

func explain(s *line.State, r line.Reason) reason {
	out := reason{Wait: r.Wait, Who: s.Unblocks(r.Wait), Way: wayOut(s, r.Wait)}
	for _, next := range r.Because {
		out.Because = append(out.Because, explain(s, next))
	}
	return out
}

// begins reports whether a chain of reasons begins at a wait: nothing else waits for what it is
// about. That a group stays warm holds nothing up.
func begins(all []andon.Wait) func(andon.Wait) bool {
	return func(w andon.Wait) bool {
		return w.Kind != andon.WaitWarm && !slices.ContainsFunc(all, func(other andon.Wait) bool { return other.HeldBy(w) })
	}
}

// GoesOn reports whether the wait ends by what is being done already.
func (r reason) GoesOn() bool { return line.GoesOn(r.Wait) }

// wayOut leads to what a person can do about a wait.
func wayOut(s *line.State, w andon.Wait) wayOn {
	switch {
	case w.Kind == andon.WaitApproval:
		return wayOn{"Promote …", versionPath(andon.VersionRef{Service: w.Service, Number: w.Version}) + "/promote"}
	case w.Kind == andon.WaitCord:
		for _, c := range s.Cords {
			if string(c.ID) == w.On {
				return wayOn{"Release " + w.On + " …", cordPath(c.Scope) + "?cord=" + w.On}
			}
		}
	case w.Deployment != "" && w.Action != "" && s.FindDeployment(w.Deployment) != nil:
		return wayOn{"Abort " + string(w.Deployment) + " …", deploymentPath(w.Service, w.Deployment) + "/cancel"}
	}
	return wayOn{}
}
