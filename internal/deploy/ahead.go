package deploy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A StepAhead is one step that a deployment will take, for people.
type StepAhead struct {
	Step   andon.DeploymentStep
	Does   string            // one sentence, without a full stop
	Agents []andon.AgentName // the hosts where it happens, as far as the plan tells
	Takes  time.Duration     // that it takes at least by the plan itself: a pause, or a soak
}

// Ahead says what a deployment will do, in order, if all goes well. A step that turns out to have
// nothing to do is passed over.
func Ahead(p andon.Plan) []StepAhead {
	r := p.Release
	copies := number(r.Spec.Instances, "copy", "copies") + " of version " + r.Version.String()
	steps := []StepAhead{{Step: andon.StepPlacing, Agents: p.Agents, Does: placing(p, copies)}}
	if len(r.Smoke) > 0 {
		steps = append(steps, StepAhead{
			Step: andon.StepSmoking, Agents: p.Agents,
			Does: "run " + number(len(r.Smoke), "smoke test", "smoke tests") + " against each of them before it has traffic",
		})
	}
	if len(p.Hosts) > 0 {
		steps = append(steps, switching(p)...)
	}
	if p.Soak > 0 {
		steps = append(steps, StepAhead{Step: andon.StepSoaking, Takes: p.Soak, Does: "watch them for " + andon.Brief(p.Soak) + watching(p.Watch)})
	}
	if p.Previous == nil {
		return steps
	}
	if len(p.Hosts) > 0 {
		steps = append(steps, StepAhead{
			Step: andon.StepDraining, Agents: p.Edges,
			Does: "let requests on the old copies end, for at most " + andon.Brief(p.Previous.Spec.Drain),
		})
	}
	old := number(p.Previous.Spec.Instances, "copy", "copies") + " of version " + p.Previous.Version.String()
	does := "stop " + old
	if KeepsWarm(&p) {
		does = "keep " + old + " warm, without traffic, for " + andon.Brief(p.Warm) + ", and stop them then"
	}
	return append(steps, StepAhead{Step: andon.StepRemoving, Does: does})
}

// ReusesGroup reports whether the deployment makes a group live that is there already.
func ReusesGroup(p *andon.Plan) bool { return string(p.Group) != string(p.ID) }

func placing(p andon.Plan, copies string) string {
	switch {
	case ReusesGroup(&p):
		return "use the " + copies + " again that are still there, once they are healthy"
	case p.Strategy == andon.Replace:
		return "start " + copies + " as new instances and wait until they are healthy"
	default:
		return "start " + copies + " and wait until they are healthy"
	}
}

// switching says how the traffic moves.
func switching(p andon.Plan) []StepAhead {
	all := StepAhead{Step: andon.StepSwitching, Agents: p.Edges, Does: "move all traffic to them at once"}
	switch {
	case p.Strategy == andon.Rolling:
		all.Does = "move traffic to them, " + byHowMany(p.Rollout)
	case p.Strategy == andon.Canary && p.Previous != nil && len(p.Canary) > 0:
		var steps []StepAhead
		for _, s := range p.Canary {
			steps = append(steps,
				StepAhead{Step: andon.StepSwitching, Agents: p.Edges, Does: "give them " + strconv.Itoa(s.Weight) + " % of the traffic"},
				StepAhead{Step: andon.StepPausing, Takes: s.Pause, Does: "watch them for " + andon.Brief(s.Pause) + watching(p.Watch)})
		}
		all.Does = "give them all of the traffic"
		return append(steps, all)
	}
	return []StepAhead{all}
}

// byHowMany says how many copies a rolling deployment replaces at a time.
func byHowMany(r andon.Rollout) string {
	if r.MaxUnavailable <= 0 && r.MaxSurge <= 0 {
		return "one copy at a time"
	}
	return fmt.Sprintf("with at most %s more than wanted, and at most %d fewer in traffic", number(r.MaxSurge, "copy", "copies"), r.MaxUnavailable)
}

// watching says what a deployment compares with the old copies.
func watching(w *andon.Watch) string {
	if w == nil {
		return ""
	}
	limits := []string{fmt.Sprintf("more than %g percentage points more of their requests fail than of those to the old copies", w.Errors)}
	if w.Latency > 0 {
		limits = append(limits, fmt.Sprintf("the 95th percentile of their latency is more than %g times that of the old ones", w.Latency))
	}
	return ", and go back if " + strings.Join(limits, " or ")
}

// AtLeast is how long a deployment takes by its plan alone: its pauses and its soak. What it takes
// to start, test and stop copies comes on top.
func AtLeast(p andon.Plan) time.Duration {
	var sum time.Duration
	for _, s := range Ahead(p) {
		sum += s.Takes
	}
	return sum
}

// A Pace says how long a deployment should take.
type Pace struct {
	Takes time.Duration // 0: nothing like it has been done, so nobody knows
	Least time.Duration // by the plan alone: its pauses and its soak
	From  int           // how many deployments like it Takes is from
}

// PaceOf says how long a deployment should take, from others that were like it and succeeded: the
// median of what they took beyond their own pauses, and the pauses of this one.
func PaceOf(p andon.Plan, like []Took) Pace {
	pace := Pace{Least: AtLeast(p), From: len(like)}
	if len(like) == 0 {
		return pace
	}
	beyond := make([]time.Duration, 0, len(like))
	for _, l := range like {
		beyond = append(beyond, max(0, l.Took-AtLeast(l.Plan)))
	}
	slices.Sort(beyond)
	pace.Takes = pace.Least + beyond[len(beyond)/2]
	return pace
}

// Took is a deployment that succeeded, and how long it took from its start.
type Took struct {
	Plan andon.Plan
	Took time.Duration
}

// Shares returns how many copies of a plan go to each of its agents, in turn: those that are
// placed anew.
func Shares(p andon.Plan) map[andon.AgentName]int {
	shares := map[andon.AgentName]int{}
	if len(p.Agents) == 0 || ReusesGroup(&p) {
		return shares
	}
	for i := range p.Release.Spec.Instances {
		shares[p.Agents[i%len(p.Agents)]]++
	}
	return shares
}

func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
