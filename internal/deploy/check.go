package deploy

import (
	"fmt"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// trouble returns why the new group cannot become, or stay, what it should be; empty: nothing
// is wrong with it so far.
func (v *view) trouble() string {
	if v.Worse != "" {
		return "the new group is worse than the old one: " + v.Worse
	}
	for _, c := range v.ours {
		if why := v.troubleOf(c); why != "" {
			return why
		}
	}
	return ""
}

func (v *view) troubleOf(c andon.Copy) string {
	r := v.record(c.ID)
	if since, lost := v.Lost[c.Agent]; lost {
		if v.elapsed(since, v.startDeadline(c, since)) {
			return fmt.Sprintf("agent %s, which has %s, has been away for too long", c.Agent, c.ID)
		}
		return ""
	}
	if s := v.Smokes[c.ID]; s != nil && s.Outcome != "" && s.Outcome != andon.Succeeded {
		return smokeTrouble(c.ID, s)
	}
	placedHere := string(v.group) == string(v.Plan.ID) // a warm group has its restarts from an earlier life
	if placedHere && r.Observed.Restarts >= MaxRestarts {
		return because(fmt.Sprintf("%s is in a crash loop: it was restarted %d times", c.ID, r.Observed.Restarts), r.Observed.Reason)
	}
	if v.healthy(c) || v.doubted(c) {
		return ""
	}
	switch r.Observed.Phase {
	case andon.PhaseFailed:
		return because(fmt.Sprintf("%s cannot run", c.ID), r.Observed.Reason)
	case andon.PhaseUnhealthy, andon.PhaseExited, andon.PhaseStopped:
		if v.proven(c) {
			return v.condition(c) + ", although it had been healthy"
		}
	}
	if v.elapsed(v.latest(r.Placed, v.Started), v.startDeadline(c, r.Placed)) {
		return fmt.Sprintf("not healthy within %s: %s", andon.Brief(c.Spec.Health.Start), v.condition(c))
	}
	return ""
}

// proven reports whether the copy has become healthy and must stay so: it has requests, or is
// watched.
func (v *view) proven(c andon.Copy) bool { return v.Desired.Routed(c.ID) || v.watched() }

// doubted reports whether a proven copy has failed its first probe, and the next one has not had its
// time. While its agent is away, nobody tells of a next one.
func (v *view) doubted(c andon.Copy) bool {
	r := v.record(c.ID)
	return !v.lost(c) && r.Observed.Phase == andon.PhaseUnhealthy && v.proven(c) && r.Falls < MaxFalls && !v.elapsed(r.Since, v.probedAgain(c, r))
}

// probedAgain is when the next probe after one that failed has ended.
func (v *view) probedAgain(c andon.Copy, r Record) time.Time {
	return r.Since.Add(c.Spec.Health.Interval + c.Spec.Health.Timeout)
}

// doubts returns the waits for the next probe of copies that failed one.
func (v *view) doubts() []Wait {
	return v.unready(slices.DeleteFunc(slices.Clone(v.ours), func(c andon.Copy) bool { return !v.doubted(c) }))
}

// watched reports whether the new group has taken over and is being watched: then a copy that
// turns bad fails the deployment at once, also one without a route.
func (v *view) watched() bool { return v.Step == andon.StepSoaking && v.missing() == 0 }

func smokeTrouble(id andon.InstanceID, s *Smoke) string {
	return because(fmt.Sprintf("the smoke test of %s %s", id, endedAs(s.Outcome)), s.Reason)
}

func endedAs(o andon.Outcome) string {
	switch o {
	case andon.TimedOut:
		return "took too long"
	case andon.Cancelled:
		return "was cancelled"
	case andon.Lost:
		return "was lost"
	default:
		return "failed"
	}
}

func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

// startDeadline is when a copy must be healthy at the latest.
func (v *view) startDeadline(c andon.Copy, from time.Time) time.Time {
	return v.latest(from, v.Started).Add(c.Spec.Health.Start)
}

// attentive makes sure that a step that waits is looked at again when some new copy's time to
// become healthy ends, whatever else the step waits for.
func (v *view) attentive(step Step) Step { return wakeFor(step, v.unready(v.ours)) }

// wakeFor makes sure that a step that waits is looked at again when other waits end, too.
func wakeFor(step Step, others []Wait) Step {
	if len(step.Waits) == 0 {
		return step
	}
	for _, w := range others {
		if until := &step.Waits[0].Until; until.IsZero() || w.Until.Before(*until) {
			*until = w.Until
		}
	}
	return step
}

// unready returns the waits for those copies that are not healthy or whose agent is away.
func (v *view) unready(copies []andon.Copy) []Wait {
	var waits []Wait
	for _, c := range copies {
		r := v.record(c.ID)
		if since, lost := v.Lost[c.Agent]; lost {
			waits = append(waits, Wait{
				Kind: andon.WaitAgent, On: string(c.Agent), Since: since, Until: v.startDeadline(c, since),
				Reason: fmt.Sprintf("agent %s, which has %s, is away", c.Agent, c.ID),
			})
			continue
		}
		if !v.healthy(c) {
			w := Wait{Kind: andon.WaitCopies, On: string(c.ID), Since: r.Placed, Until: v.startDeadline(c, r.Placed), Reason: v.condition(c)}
			if v.doubted(c) {
				w.Since, w.Until = r.Since, v.probedAgain(c, r)
			}
			waits = append(waits, w)
		}
	}
	return waits
}

// smoked has the copies tested that must be and were not, or not since they were started again: a
// request for tests, or the waits
// for those that run. Neither: all are tested. trouble finds those that failed.
func (v *view) smoked(copies []andon.Copy) (Step, bool) {
	if len(v.release.Smoke) == 0 {
		return Step{}, true
	}
	step := Step{At: andon.StepSmoking}
	for _, c := range copies {
		s := v.Smokes[c.ID]
		switch {
		case s == nil, s.Outcome != "" && v.restarted(c, s):
			step.Smoke = append(step.Smoke, c.ID)
		case s.Outcome == "":
			step.Waits = append(step.Waits, Wait{
				Kind: andon.WaitTask, On: string(s.Task), Since: v.StepSince,
				Reason: fmt.Sprintf("the smoke test of %s has not ended", c.ID),
			})
		}
	}
	if len(step.Smoke) > 0 {
		step.Waits = nil
	}
	return step, len(step.Smoke) == 0 && len(step.Waits) == 0
}

// restarted reports whether a copy was started again after its smoke test was asked for.
func (v *view) restarted(c andon.Copy, s *Smoke) bool {
	now := v.record(c.ID).Observed.Run
	return s.Run != 0 && now != 0 && s.Run != now
}

// attested returns the waits until the agents serve the route as it should be, and what is wrong
// when that takes too long.
func (v *view) attested() (waits []Wait, trouble string) {
	if v.Desired.Route == nil {
		return nil, ""
	}
	for _, agent := range v.Desired.Edges() {
		w, missing := v.serving(agent)
		if !missing {
			continue
		}
		waits = append(waits, w)
		if v.elapsed(w.Since, w.Until) {
			trouble = fmt.Sprintf("traffic did not move within %s: %s", andon.Brief(SwitchLimit), w.Reason)
		}
	}
	return waits, trouble
}

// serving returns the wait for an agent that does not serve the route as it should be. One that
// is away is not waited for while reverting, nor if it was away before the deployment began and
// the route names others too: it finds the route when it is back.
func (v *view) serving(agent andon.AgentName) (Wait, bool) {
	if since, lost := v.Lost[agent]; lost {
		return Wait{
			Kind: andon.WaitAgent, On: string(agent), Since: since,
			Until:  v.latest(since, v.routeSince()).Add(SwitchLimit),
			Reason: fmt.Sprintf("agent %s, which keeps the proxy, is away", agent),
		}, !v.Reverting && (since.After(v.Started) || !v.othersServe())
	}
	why, since := v.unserved(agent)
	return Wait{
		Kind: andon.WaitTraffic, On: string(agent), Since: since, Until: since.Add(SwitchLimit), Reason: why,
	}, why != ""
}

// othersServe reports whether some agent that keeps the route is there.
func (v *view) othersServe() bool {
	return slices.ContainsFunc(v.Desired.Edges(), func(agent andon.AgentName) bool {
		_, lost := v.Lost[agent]
		return !lost
	})
}

// routeSince is when this deployment began to wait for the present route.
func (v *view) routeSince() time.Time {
	if v.Reverting {
		return v.latest(v.RouteChanged, v.StepSince)
	}
	return v.latest(v.RouteChanged, v.Started)
}

// unserved says how what an agent attests differs from the route, and since when; empty: it does
// not differ.
func (v *view) unserved(agent andon.AgentName) (string, time.Time) {
	rs := v.Routes[agent]
	if rs == nil || rs.Generation < v.RouteGeneration {
		return fmt.Sprintf("agent %s has not attested the new route yet", agent), v.routeSince()
	}
	for _, c := range v.Desired.Copies {
		far := c.Agent != agent
		if far && (len(v.Desired.Route.Edges) == 0 || v.lost(c)) {
			continue
		}
		if !v.Desired.Routed(c.ID) || !v.healthy(c) || slices.Contains(rs.Targets, c.ID) {
			continue
		}
		why := fmt.Sprintf("agent %s does not send requests to %s yet", agent, c.ID)
		if far {
			why += fmt.Sprintf(": it may not reach the host of agent %s", c.Agent)
		}
		return why, v.latest(v.routeSince(), v.record(c.ID).Since)
	}
	for _, id := range rs.Targets {
		if !v.Desired.Routed(id) {
			return fmt.Sprintf("agent %s still sends requests to %s", agent, id), v.routeSince()
		}
	}
	return "", time.Time{}
}
