package line

import "github.com/andon-cd/andon/internal/andon"

// crowded returns why the proxy of an edge cannot have as many copies in a route as the deployment
// would bring there; nil: all can.
func (s *State) crowded(plan *andon.Plan, e *andon.Environment) *andon.Error {
	if len(plan.Hosts) == 0 {
		return nil
	}
	most := plan.Release.Spec.Instances + s.besideNew(plan)
	for _, name := range s.edges(e, s.hosts(e, plan.Release.Spec.Platform)) {
		if a := s.Agents[name]; a.Targets > 0 && most > a.Targets {
			return andon.Errorf(andon.KindRefused, "%s would have up to %d copies in traffic, and the proxy of host %s takes %d", plan.Place, most, name, a.Targets).
				WithHint("run fewer instances, start that host with --haproxy-copies %d, or without --traffic haproxy", most)
		}
	}
	return nil
}

// besideNew is how many copies more than the new ones the route may have while the strategy goes on.
func (s *State) besideNew(plan *andon.Plan) int {
	old := 0
	if p := s.Places[plan.Place.Key()]; p != nil && p.Live != nil && p.Live.Spec.Port > 0 {
		old = p.Live.Spec.Instances
	}
	switch {
	case plan.Strategy == andon.Canary:
		return old
	case plan.Strategy == andon.Rolling && old > 0 && plan.MaxUnavailable == 0 && plan.MaxSurge == 0:
		return max(0, old-plan.Release.Spec.Instances) + 1
	case plan.Strategy == andon.Rolling && old > 0:
		return max(0, old-plan.Release.Spec.Instances) + plan.MaxSurge
	}
	return 0
}
