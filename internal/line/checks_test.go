package line

import (
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

// checks holds the invariants of the design. Before and after each event it looks at the shadow
// state, which has applied exactly the events so far.
type checks struct {
	p          *plant
	thorough   bool // compare whole states after each command; slow
	generation int64
	token      andon.Token
	tasks      map[andon.TaskID]int           // attempts leased
	done       map[andon.TaskID]andon.Outcome // tasks that ended for good
	tested     map[andon.VersionRef]andon.Digest
	deploys    map[andon.DeploymentID]andon.Outcome
	bad        map[andon.VersionRef]bool // quarantined
}

func newChecks(p *plant) *checks {
	return &checks{
		p: p, tasks: map[andon.TaskID]int{}, done: map[andon.TaskID]andon.Outcome{}, tested: map[andon.VersionRef]andon.Digest{},
		deploys: map[andon.DeploymentID]andon.Outcome{}, bad: map[andon.VersionRef]bool{},
	}
}

func (c *checks) want(ok bool, format string, args ...any) {
	if !ok {
		c.p.t.Helper()
		c.p.fail(format, args...)
	}
}

// before looks at the state that an event meets.
func (c *checks) before(e andon.Event) {
	s := c.p.shadow
	switch b := e.Body.(type) {
	case andon.TaskQueued:
		_, again := c.tasks[b.Task.ID]
		c.want(!again, "task %s is queued twice", b.Task.ID)
		c.tasks[b.Task.ID] = 0
	case andon.TaskLeased:
		c.leased(b)
	case andon.TaskEnded:
		t := s.Tasks[b.Task]
		c.want(t != nil && t.Agent == b.Agent && t.Token == b.Token && b.Agent != "", "task %s ends with token %d, which is not its lease", b.Task, b.Token)
		c.want(c.done[b.Task] == "", "task %s ends twice", b.Task)
		if !b.Again {
			c.done[b.Task] = b.Result.Outcome
		}
	case andon.StageStarted:
		c.stageStarted(b)
	case andon.StageFinished:
		v := s.version(b.Version)
		c.want(v != nil && v.Run != nil && v.Run.Stage == b.Stage && v.Run.Run == b.Run, "%s finishes stage %s, which it is not in", b.Version, b.Stage)
		if b.Artifact != nil {
			c.want(v.Artifact == nil, "%s is built twice", b.Version)
			c.tested[b.Version] = b.Artifact.Digest
		}
	case andon.VersionEnded:
		v := s.version(b.Version)
		c.want(v != nil && v.Ended == nil && v.Run == nil, "%s ends while it is not open, or in a stage", b.Version)
	case andon.MaturityChanged:
		c.want(!c.bad[b.Version], "%s was quarantined and becomes %s", b.Version, b.To)
		c.bad[b.Version] = b.To == andon.Quarantined
	case andon.EnvironmentRemoved:
		for _, p := range s.Places {
			c.want(p.Place.Environment != b.Environment || !p.inUse(), "%s is removed while %s is in use", b.Environment, p.Place)
		}
	case andon.DeploymentStarted:
		c.deploymentStarted(b.Plan)
	case andon.DesiredChanged:
		if p := s.Places[b.Desired.Place.Key()]; p != nil {
			c.desired(p, b, e.Time)
		}
	case andon.DeploymentEnded:
		c.deploymentEnded(b)
	}
}

func (c *checks) leased(b andon.TaskLeased) {
	t := c.p.shadow.Tasks[b.Task]
	c.want(t != nil && t.Agent == "" && !t.Cancel, "task %s is leased while it is not free", b.Task)
	c.want(b.Token > c.token, "token %d is not newer than %d", b.Token, c.token)
	c.want(b.Attempt == c.tasks[b.Task]+1 && b.Attempt <= maxAttempts, "attempt %d at %s follows %d", b.Attempt, b.Task, c.tasks[b.Task])
	c.token, c.tasks[b.Task] = b.Token, b.Attempt
	a := c.p.shadow.Agents[b.Agent]
	c.want(a != nil && !a.Lost, "task %s is leased to %s, which is away", b.Task, b.Agent)
	if a != nil && t != nil && t.Task.Kind == andon.TaskJob {
		slots := a.Slots
		if t.Task.Agent != "" {
			slots = max(1, slots)
		}
		c.want(a.Jobs < slots, "agent %s has no slot for %s", b.Agent, b.Task)
	}
}

func (c *checks) stageStarted(b andon.StageStarted) {
	s := c.p.shadow
	v := s.version(b.Version)
	if v == nil || v.Ended != nil || v.Run != nil {
		c.want(false, "%s enters stage %s and is not waiting", b.Version, b.Stage)
		return
	}
	if b.Stage == andon.CommitStageName {
		return
	}
	c.want(v.Trunk, "%s is not on the trunk and enters %s", b.Version, b.Stage)
	c.want(v.Maturity != andon.Rejected && v.Maturity != andon.Quarantined, "%s is %s and enters %s", b.Version, v.Maturity, b.Stage)
	st := v.stage()
	c.want(st != nil && st.Name == b.Stage, "%s enters %s out of turn", b.Version, b.Stage)
	c.want(v.Forced || s.Services[b.Version.Service].Entered[b.Stage].Order <= v.Order, "%s enters %s after a newer one", b.Version, b.Stage)
	c.want(st.Approval == nil || v.Admitted == b.Stage, "%s enters %s without approval", b.Version, b.Stage)
	for _, cord := range s.Cords {
		if cord.Scope.Covers(b.Version.Service, st.Deploy) {
			fix := cord.Fix != nil && (v.Order > cord.Order || v.Ref.Number == cord.Fix.Broken) && (v.stageIndex(cord.Fix.Stage) == noStage || v.Next <= v.stageIndex(cord.Fix.Stage))
			c.want(fix, "%s enters %s while %s stops the line", b.Version, b.Stage, cord.ID)
		}
	}
	if st.Deploy != "" {
		if p := s.Places[andon.Place{Service: b.Version.Service, Environment: st.Deploy}.Key()]; p != nil {
			c.want(p.Active == nil && p.Holder == nil, "%s enters %s while the place is taken", b.Version, b.Stage)
		}
	}
}

func (c *checks) deploymentStarted(plan andon.Plan) {
	s := c.p.shadow
	p := s.Places[plan.Place.Key()]
	c.want(p != nil && p.Active == nil, "%s starts while another deployment changes the place", plan.ID)
	_, known := c.deploys[plan.ID]
	c.want(!known, "%s starts twice", plan.ID)
	c.deploys[plan.ID] = ""
	ref := andon.VersionRef{Service: plan.Service, Number: plan.Release.Version}
	c.want(c.tested[ref] == plan.Release.Artifact, "%s deploys %s, but %s was tested", plan.ID, plan.Release.Artifact, c.tested[ref])
	c.want(!c.bad[ref], "%s deploys %s, which is quarantined", plan.ID, ref)
	if v := s.version(ref); v != nil && plan.Kind == andon.DeployForward {
		c.want(v.Maturity.AtLeast(v.Pipeline.MaturityFor(plan.Environment)), "%s deploys %s, which is %s", plan.ID, ref, v.Maturity)
	}
	c.want((p.Live == nil) == (plan.Previous == nil) && p.Group == plan.Base, "%s does not know what is live", plan.ID)
	if plan.Kind == andon.DeployRollback {
		ok := slices.ContainsFunc(p.Good, func(g Good) bool {
			return g.Release.Version == plan.Release.Version && g.Release.Artifact == plan.Release.Artifact && g.Release.Config == plan.Release.Config
		})
		c.want(ok, "%s rolls back to what never was good", plan.ID)
	}
}

func healthyIn(p *Place, c *andon.Copy) bool {
	r := p.Copies[c.ID]
	return r != nil && r.Observed.Phase == andon.PhaseHealthy && r.Observed.Artifact == c.Artifact && r.Observed.Config == c.Config
}

func healthyRouted(p *Place, d *andon.Desired) int {
	n := 0
	for i := range d.Copies {
		if d.Routed(d.Copies[i].ID) && healthyIn(p, &d.Copies[i]) {
			n++
		}
	}
	return n
}

// desired checks one step of a deployment.
func (c *checks) desired(p *Place, b andon.DesiredChanged, now time.Time) {
	c.want(b.Desired.Generation > c.generation, "generation %d follows %d", b.Desired.Generation, c.generation)
	c.generation = b.Desired.Generation
	if b.Deployment == "" {
		c.want(p.Active == nil, "%s changes under a deployment", p.Place)
		if w := p.Warm; w != nil {
			c.want(passed(now, w.Since, w.Until.Sub(w.Since)), "the warm group of %s goes at %s, before %s", p.Place, now, w.Until)
			c.want(sameRoute(p.Desired.Route, b.Desired.Route), "the route of %s changes with the end of its warm group", p.Place)
			for i := range p.Desired.Copies {
				cp := &p.Desired.Copies[i]
				_, kept := b.Desired.Copy(cp.ID)
				c.want(kept == (cp.Group != w.Group), "the end of the warm group of %s changes %s", p.Place, cp.ID)
			}
			return
		}
		c.want(len(b.Desired.Copies) == 0, "%s is emptied under a deployment", p.Place)
		return
	}
	d := p.Active
	if d == nil || d.Plan.ID != b.Deployment {
		c.want(false, "%s changes %s and is not active", b.Deployment, p.Place)
		return
	}
	reverting := d.Step == andon.StepReverting
	old, next := &p.Desired, &b.Desired
	gaveUp := reverting && passed(now, d.StepSince, startOf(d))
	for i := range next.Copies {
		cp := &next.Copies[i]
		if !next.Routed(cp.ID) || old.Routed(cp.ID) {
			continue
		}
		away := c.p.shadow.Agents[cp.Agent].Lost
		c.want(healthyIn(p, cp) || gaveUp || reverting && away, "%s routes %s, which is not healthy", b.Deployment, cp.ID)
		if !reverting && len(d.Plan.Release.Smoke) > 0 {
			sm := d.Smokes[cp.ID]
			c.want(sm != nil && sm.Outcome == andon.Succeeded, "%s routes %s, which is not smoked", b.Deployment, cp.ID)
		}
	}
	before, after := healthyRouted(p, old), healthyRouted(p, next)
	if reverting {
		promise := 0
		if d.Plan.Previous != nil {
			promise = d.Plan.Previous.Spec.Instances
		}
		away := c.anyAway(p)
		c.want(after >= min(before, promise) || gaveUp || away || !ported(d.Plan.Previous), "%s reverts and leaves %d of %d healthy copies", b.Deployment, after, before)
	} else if d.Plan.Release.Spec.Port > 0 {
		c.want(after >= min(before, d.Plan.Release.Spec.Instances-d.Plan.MaxUnavailable), "%s leaves %d of %d healthy copies", b.Deployment, after, before)
	}
	if d.Plan.Strategy == andon.Rolling && !reverting && len(next.Copies) > len(old.Copies) && d.Plan.Previous != nil &&
		(ported(&d.Plan.Release) || !ported(d.Plan.Previous)) { // one that drops its port comes whole, beside the old one
		most := max(d.Plan.Release.Spec.Instances, d.Plan.Previous.Spec.Instances) + d.Plan.MaxSurge
		if d.Plan.MaxUnavailable+d.Plan.MaxSurge == 0 {
			most++
		}
		c.want(len(next.Copies) <= most, "%s has %d copies, more than %d", b.Deployment, len(next.Copies), most)
	}
	for i := range old.Copies {
		if _, kept := next.Copy(old.Copies[i].ID); !kept {
			c.removed(p, d, &old.Copies[i], next, now, gaveUp)
		}
	}
}

// passed reports whether a time is over, or the clock was set back so far that nobody knows.
func passed(now, since time.Time, d time.Duration) bool {
	return !now.Before(since.Add(d)) || now.Before(since.Add(-deploy.ClockSlack))
}

// setBack reports whether something happened to the place's copies at a time that is still to come:
// the clock was set back. What it counted as passed then, it may wait for when that time is near.
func setBack(p *Place, now time.Time) bool {
	for _, r := range p.Copies {
		if r.Placed.After(now) || r.Unrouted.After(now) || r.Removed.After(now) {
			return true
		}
	}
	return false
}

func ported(r *andon.Release) bool { return r != nil && r.Spec.Port > 0 }

func startOf(d *Deployment) time.Duration {
	if d.Plan.Previous == nil {
		return 0
	}
	return d.Plan.Previous.Spec.Health.Start
}

func (c *checks) anyAway(p *Place) bool {
	return slices.ContainsFunc(p.Hosts, func(n andon.AgentName) bool { return c.p.shadow.Agents[n].Lost })
}

// removed checks that a copy goes only when no request can reach it and those in flight ended.
func (c *checks) removed(p *Place, d *Deployment, cp *andon.Copy, next *andon.Desired, now time.Time, gaveUp bool) {
	c.want(!next.Routed(cp.ID) && !p.Desired.Routed(cp.ID), "%s removes %s, which is in the route", d.Plan.ID, cp.ID)
	r := p.Copies[cp.ID]
	if r == nil || r.Unrouted.IsZero() || c.p.shadow.Agents[cp.Agent].Lost || gaveUp || passed(now, r.Unrouted, cp.Spec.Drain) {
		return
	}
	for _, edge := range edgesOf(&p.Desired, cp) {
		if c.p.shadow.Agents[edge].Lost {
			continue
		}
		rs := p.Routes[edge]
		if p.Desired.Route != nil {
			c.want(rs != nil && rs.Generation >= p.RouteGeneration && !slices.Contains(rs.Targets, cp.ID), "%s removes %s before it is out of traffic at %s", d.Plan.ID, cp.ID, edge)
		}
		if rs != nil {
			c.want(!slices.Contains(rs.Draining, cp.ID), "%s removes %s while it drains at %s", d.Plan.ID, cp.ID, edge)
		}
	}
}

// edgesOf returns the agents whose proxies may have requests for a copy.
func edgesOf(d *andon.Desired, cp *andon.Copy) []andon.AgentName {
	if d.Route != nil && len(d.Route.Edges) > 0 {
		return d.Route.Edges
	}
	return []andon.AgentName{cp.Agent}
}

// deploymentEnded checks that the place is what the end says.
func (c *checks) deploymentEnded(b andon.DeploymentEnded) {
	p := c.p.shadow.Places[b.Place.Key()]
	if p == nil {
		c.want(false, "%s ends in a place that is not known", b.Deployment)
		return
	}
	c.want(c.deploys[b.Deployment] == "", "%s ends twice", b.Deployment)
	c.deploys[b.Deployment] = b.Outcome
	d := p.Active
	if d == nil || d.Plan.ID != b.Deployment {
		c.want(b.Outcome == andon.Cancelled || b.Outcome == andon.Superseded, "%s ends %s and never began", b.Deployment, b.Outcome)
		return
	}
	if strings.HasSuffix(b.Reason, "the service was removed") {
		return
	}
	want, group := d.Plan.Previous, d.Plan.Base
	if b.Outcome == andon.Succeeded {
		want, group = &d.Plan.Release, d.Plan.Group
	}
	c.want((want == nil) == (b.Live == nil) && (want == nil || want.Version == b.Live.Version && want.Artifact == b.Live.Artifact && want.Config == b.Live.Config), "%s ends %s with the wrong release live", b.Deployment, b.Outcome)
	n, healthy := 0, 0
	for i := range p.Desired.Copies {
		cp := &p.Desired.Copies[i]
		if b.Warm != nil && cp.Group == b.Warm.Group {
			c.want(b.Outcome == andon.Succeeded && d.Plan.Warm > 0 && cp.Group == d.Plan.Base && !p.Desired.Routed(cp.ID), "%s leaves %s warm", b.Deployment, cp.ID)
			continue
		}
		c.want(want != nil && cp.Group == group && cp.Artifact == want.Artifact && cp.Config == want.Config, "%s ends %s and leaves %s", b.Deployment, b.Outcome, cp.ID)
		if ported(want) {
			c.want(p.Desired.Routed(cp.ID), "%s ends %s and %s is not routed", b.Deployment, b.Outcome, cp.ID)
		}
		n++
		if healthyIn(p, cp) {
			healthy++
		}
	}
	if want != nil {
		c.want(n == want.Spec.Instances, "%s ends %s with %d copies instead of %d", b.Deployment, b.Outcome, n, want.Spec.Instances)
		if (b.Outcome == andon.Failed || b.Outcome == andon.Aborted) && !c.anyAway(p) {
			c.want(healthy == n, "%s ends %s with %d of %d copies healthy", b.Deployment, b.Outcome, healthy, n)
		}
	} else {
		c.want(p.Desired.Route == nil, "%s ends with a route to nothing", b.Deployment)
	}
}

// after looks at the state that an event made.
func (c *checks) after(e andon.Event) {
	if _, ok := e.Body.(andon.DesiredChanged); ok {
		c.routesApart()
	}
	if b, ok := e.Body.(andon.DeploymentEnded); ok && b.Outcome == andon.Succeeded {
		p := c.p.shadow.Places[b.Place.Key()]
		c.want(p.Live != nil && p.Live.Version == b.Version && p.Group == b.Group, "%s succeeded and is not live", b.Deployment)
	}
}

// routesApart checks that no host name leads to two places.
func (c *checks) routesApart() {
	owners := map[string]andon.Place{}
	for _, p := range c.p.shadow.Places {
		if p.Desired.Route == nil {
			continue
		}
		for _, host := range p.Desired.Route.Hosts {
			has, taken := owners[host]
			c.want(!taken || has == p.Place, "%s leads to %s and to %s", host, has, p.Place)
			owners[host] = p.Place
		}
	}
}

// quiescent checks, after all that follows from a command, that nothing stands still without a
// reason that points at something that exists, and that the line is not woken for nothing.
func (c *checks) quiescent() {
	s, now := c.p.s, c.p.now
	for _, svc := range s.Services {
		for _, v := range svc.open() {
			bodies, waits := s.versionNext(svc, v, now)
			c.want(len(bodies) == 0, "%s could move on with %T", v.Ref, first(bodies))
			c.want(len(waits) > 0, "%s waits for nothing", v.Ref)
			c.pointed(waits)
		}
	}
	for _, p := range s.Places {
		if !p.waits() {
			continue
		}
		if d := p.Active; d != nil && d.Step != andon.StepReverting {
			ref := andon.VersionRef{Service: d.Plan.Service, Number: d.Plan.Release.Version}
			c.want(!c.bad[ref], "%s goes on and %s is quarantined", d.Plan.ID, ref)
		}
		bodies, waits := s.placeNext(p, now)
		if len(bodies) > 0 {
			c.want(!p.wake.IsZero() && !now.Before(p.wake) || setBack(p, now), "%s could move on with %T %+v at %s, woken at %s", p.Place, bodies[0], bodies[0], now, p.wake)
			continue
		}
		c.want(len(waits) > 0, "%s waits for nothing", p.Place)
		c.pointed(waits)
	}
	c.want(len(s.assign()) == 0, "a task could be given out")
	for name, a := range s.Agents {
		n := 0
		for id := range a.leases {
			if t := s.Tasks[id]; t == nil || t.Agent != name {
				c.want(false, "agent %s has a lease of %s that is not its own", name, id)
			} else if t.Task.Kind == andon.TaskJob {
				n++
			}
		}
		c.want(n == a.Jobs, "agent %s counts %d jobs and has %d", name, a.Jobs, n)
	}
}

func first(b []andon.Body) any {
	if len(b) == 0 {
		return nil
	}
	return b[0]
}

// pointed checks that waits have a reason and point at something.
func (c *checks) pointed(waits []andon.Wait) {
	s := c.p.s
	for _, w := range waits {
		c.want(w.Reason != "" && w.Kind != "" && w.On != "", "a wait says nothing: %+v", w)
		var ok bool
		switch w.Kind {
		case andon.WaitCord:
			ok = slices.ContainsFunc(s.Cords, func(x *Cord) bool { return string(x.ID) == w.On })
		case andon.WaitTask:
			_, ok = s.Tasks[andon.TaskID(w.On)]
		case andon.WaitDeployment, andon.WaitSoak:
			ok = s.FindDeployment(andon.DeploymentID(w.On)) != nil
		case andon.WaitCopies, andon.WaitDrain, andon.WaitStop:
			pl, _ := placeOf(andon.InstanceID(w.On))
			p := s.Places[pl.Key()]
			ok = p != nil && p.Copies[andon.InstanceID(w.On)] != nil
		case andon.WaitWarm:
			pl, _ := placeOf(andon.InstanceID(w.On + ".0"))
			p := s.Places[pl.Key()]
			ok = p != nil && p.Warm != nil && w.Until.Equal(p.Warm.Until)
		case andon.WaitTraffic:
			ok = s.Agents[andon.AgentName(w.On)] != nil
		case andon.WaitLock:
			ok = s.FindDeployment(andon.DeploymentID(w.On)) != nil || s.Tasks[andon.TaskID(w.On)] != nil || strings.Contains(w.On, " ")
		default:
			ok = true
		}
		c.want(ok, "a wait points at nothing: %+v", w)
	}
}
