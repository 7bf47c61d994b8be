package line

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// play plays the history of a seed and returns what it broke.
func play(t *testing.T, seed uint64) (broken []string, st stats) {
	p := barePlant(t)
	p.quiet = true
	c := newChance(seed)
	p.world.chance = c
	defer func() {
		if r := recover(); r != nil {
			buf := make([]byte, 4096)
			broken = append(p.broken, fmt.Sprintf("panic: %v\n%s", r, buf[:runtime.Stack(buf, false)]))
		}
	}()
	h := &history{p: p, c: c, w: p.world}
	h.begin()
	for range 30 + c.IntN(80) {
		h.happen()
		if len(p.broken) > 0 {
			return p.broken, h.stats()
		}
	}
	h.end()
	return p.broken, h.stats()
}

// history is a random history on its way.
type history struct {
	p *plant
	c *chance
	w *world
	n int // commits made
}

func (h *history) begin() {
	envs := andon.DefaultEnvironments()
	if h.c.in(3) {
		envs[0].Strategy, envs[1].Strategy = envs[1].Strategy, envs[0].Strategy
	}
	for i := range envs {
		if h.c.in(2) {
			envs[i].Rollout = h.rollout()
		}
	}
	if h.c.in(2) {
		envs[1].Soak = time.Duration(h.c.IntN(60)) * time.Second
	}
	h.p.do(CreatePlant{Plant: "p", Environments: envs})
	switch h.c.IntN(5) {
	case 0:
		h.w.connect("web-1", 1+h.c.IntN(2))
		h.w.connect("web-2", h.c.IntN(2))
	case 4: // hosts behind edges, and one that is both
		h.w.label("edge-1", andon.LabelRole, andon.RoleEdge)
		h.w.label("edge-2", andon.LabelRole, andon.RoleEdge)
		h.w.connect("web-1", 1)
		if h.c.in(2) {
			h.w.connect("local", 1)
		}
	case 1:
		h.w.connect("local", h.c.IntN(2))
		h.w.connect("builder", 2)
	default:
		h.w.connect("local", 1+h.c.IntN(2))
	}
	h.p.pipe = h.pipeline()
	h.w.job = func(t *andon.Task) andon.Outcome {
		switch h.c.IntN(12) {
		case 0, 1, 2, 3:
			return "" // it goes on
		case 4:
			return pick(h.c, []andon.Outcome{andon.Failed, andon.Failed, andon.TimedOut, andon.Lost, andon.NeedsAttention, andon.Cancelled})
		default:
			return andon.Succeeded
		}
	}
	if h.c.in(2) { // a calm history, which goes far
		h.w.job = func(t *andon.Task) andon.Outcome {
			if h.c.in(25) {
				return andon.Failed
			}
			return andon.Succeeded
		}
	}
}

// rollout returns a random strategy with random numbers.
func (h *history) rollout() andon.Rollout {
	c := h.c
	r := andon.Rollout{
		Strategy: pick(c, andon.Strategies()), MaxUnavailable: c.IntN(3), MaxSurge: c.IntN(3),
		Soak: time.Duration(c.IntN(20)) * time.Second, Warm: time.Duration(c.IntN(3)) * 5 * time.Minute,
	}
	for weight := 1 + c.IntN(50); r.Strategy == andon.Canary && weight < 100; weight += 1 + c.IntN(60) {
		r.Canary = append(r.Canary, andon.CanaryStep{Weight: weight, Pause: time.Duration(c.IntN(120)) * time.Second})
	}
	if c.in(2) {
		r.Watch = &andon.Watch{Errors: 1, Least: 20}
	}
	return r
}

// count lets the proxies have counted some requests, and the server hear of it.
func (h *history) count() {
	for _, key := range sorted(h.p.s.Places) {
		id, watched := h.p.s.Watched(h.p.s.Places[key].Place)
		if !watched {
			continue
		}
		plan := h.p.s.Places[key].Active.Plan
		n := int64(h.c.IntN(400))
		groups := []andon.GroupStats{{Group: plan.Base, Ledger: id, Requests: 500, Errors: 1}, {Group: plan.Group, Ledger: id, Requests: n}}
		if h.c.in(4) {
			groups[1].Errors = n / 4
		}
		h.p.do(Judge{Deployment: id, Groups: groups})
	}
	h.p.do(Judge{Deployment: h.anyDeployment()}) // of one that is over, or counted nothing
}

// pipeline returns a random way to production.
func (h *history) pipeline() *andon.Pipeline {
	p := shopPipeline()
	p.Run.Instances = 1 + h.c.IntN(3)
	switch h.c.IntN(6) {
	case 0:
		p.Run.Port = 0
		p.Smoke = nil
	case 1:
		p.Smoke = nil
	case 2:
		p.Environments = map[andon.EnvironmentName]andon.EnvironmentOptions{"production": {Instances: 4}}
	case 3:
		p = withGate(p, "production")
	case 4:
		p.Stages = p.Stages[2:]
	}
	return p
}

// happen lets one thing happen. Mostly the world goes on.
func (h *history) happen() {
	switch n := h.c.IntN(100); {
	case n < 8:
		h.w.settle(h.c.IntN(60)) // a calm while, in which things get somewhere
	case n < 62:
		h.worldActs()
	case n < 72:
		h.push()
	case n < 74:
		h.count()
	case n < 84:
		h.person()
	case n < 92:
		h.fault()
	default:
		h.time()
	}
}

// worldActs lets some agent take a few steps, in any order.
func (h *history) worldActs() {
	for range 1 + h.c.IntN(8) {
		a := pick(h.c, h.agents())
		if a.away { // cut off: what it was told goes on
			h.w.converge(a)
			continue
		}
		switch h.c.IntN(8) {
		case 0, 1:
			h.w.hear(a)
		case 2:
			h.w.work(a)
		case 3, 4:
			h.w.converge(a)
		case 5:
			h.w.attest(a, false)
		default:
			h.w.act(a)
		}
	}
}

func (h *history) agents() []*simAgent {
	var out []*simAgent
	for _, name := range sorted(h.w.agents) {
		out = append(out, h.w.agents[name])
	}
	return out
}

func (h *history) push() {
	h.n++
	branch := "main"
	if h.c.in(5) {
		branch = "feature"
	}
	name := fmt.Sprint("c", h.n)
	if h.c.in(5) && h.n > 1 {
		name = fmt.Sprint("c", 1+h.c.IntN(h.n)) // again, perhaps on another branch
	}
	push := Push{Service: h.p.service, Branch: branch, Commit: commit(name), Subject: name, Committed: h.p.now}
	if h.c.in(12) {
		push.Problem = andon.Errorf(andon.KindInvalid, "andon.yaml:1: unknown key")
	} else {
		if h.c.in(6) {
			h.p.pipe = h.pipeline()
		}
		push.Pipeline = h.p.pipe
	}
	h.p.do(push)
	if svc := h.p.s.Services[h.p.service]; svc != nil {
		delete(h.w.sick, svc.Newest)
		if h.c.in(6) {
			h.w.sick[svc.Newest] = pick(h.c, []andon.Phase{andon.PhaseStarting, andon.PhaseFailed, andon.PhaseExited, andon.PhaseUnhealthy})
		}
		h.w.hang[svc.Newest] = h.c.in(5)
	}
}

// anyVersion returns some version's number, sometimes one that is not there.
func (h *history) anyVersion() andon.VersionNumber {
	svc := h.p.s.Services[h.p.service]
	if svc == nil {
		return 1
	}
	return andon.VersionNumber(h.c.Int64N(int64(svc.Newest) + 2))
}

func (h *history) anyDeployment() andon.DeploymentID {
	pl := andon.Place{Service: h.p.service, Environment: pick(h.c, []andon.EnvironmentName{"test", "production"})}
	if p := h.p.s.Places[pl.Key()]; p != nil {
		if p.Active != nil && !h.c.in(5) {
			return p.Active.Plan.ID
		}
		return andon.NewDeploymentID(pl, p.Deployments)
	}
	return andon.NewDeploymentID(pl, 1)
}

func (h *history) person() {
	p, c := h.p, h.c
	env := pick(c, []andon.EnvironmentName{"test", "production", "production"})
	ref := p.ref(h.anyVersion())
	stage := pick(c, []andon.StageName{"", "commit", "acceptance", "certify", "production"})
	p.by = "alice"
	defer func() { p.by = "git:alice" }()
	switch c.IntN(17) {
	case 15, 16:
		h.estate()
	case 14:
		h.host()
	case 0:
		p.do(Promote{Version: ref, Stage: stage})
	case 1:
		p.do(Promote{Version: ref, Stage: "production"})
	case 2, 3:
		p.do(Deploy{Version: ref, Environment: env})
	case 4, 5:
		p.do(Rollback{Place: andon.Place{Service: p.service, Environment: env}, Reason: "it is bad"})
	case 6:
		p.do(Rollback{Place: andon.Place{Service: p.service, Environment: env}, To: ref.Number})
	case 7:
		p.do(Cancel{Version: ref})
	case 8:
		p.do(Cancel{Deployment: h.anyDeployment()})
	case 9:
		p.do(Rerun{Version: ref, Stage: pick(c, []andon.StageName{"", "", stage})})
	case 10:
		p.do(Rerun{Deployment: h.anyDeployment()})
	case 11:
		p.do(PullCord{Scope: pick(c, []andon.Scope{
			{Kind: andon.ScopePlant}, {Kind: andon.ScopeEnvironment, Environment: env}, {Kind: andon.ScopeService, Service: p.service},
		}), Reason: "stop"})
	case 12:
		for _, cord := range p.s.Cords {
			if c.in(2) {
				p.do(ReleaseCord{Cord: cord.ID, Reason: "go"})
				break
			}
		}
	case 13:
		switch {
		case c.in(6):
			p.do(RemoveService{Service: p.service, Reason: "not needed"})
		case c.in(2):
			p.do(AddService{Service: p.service, Source: andon.Source{Trunk: "main"}})
		default:
			envs := andon.DefaultEnvironments()
			envs[0].Rollout = h.rollout()
			p.do(CreatePlant{Environments: envs})
		}
	}
}

// estate changes what declares the environments, or where that is.
func (h *history) estate() {
	p, c := h.p, h.c
	switch c.IntN(6) {
	case 0:
		p.do(FollowEstate{Source: andon.Source{URL: pick(c, []string{"", "https://git.example/estate.git", "https://git.example/other.git"})}})
	case 1:
		p.do(RefuseEstate{Commit: commit(fmt.Sprint("bad ", c.IntN(3))), Problems: []*andon.Error{andon.Errorf(andon.KindInvalid, "unknown key")}})
	default:
		before := p.json(p.s)
		p.do(ApplyEstate{Commit: commit(fmt.Sprint("estate ", c.IntN(50))), Environments: h.environments(), Origin: h.origin()})
		if p.err != nil && p.json(p.s) != before {
			p.fail("a refused estate changes the state")
		}
	}
}

// origin returns where the next estate comes from: mostly from where it may.
func (h *history) origin() andon.EstateOrigin {
	if h.p.s.Followed != nil && !h.c.in(4) {
		return andon.EstateWatched
	}
	return pick(h.c, andon.EstateOrigins())
}

// environments returns what a random estate declares. Copies find a host in each of them.
func (h *history) environments() []andon.Environment {
	c := h.c
	all := andon.DefaultEnvironments()
	if c.in(3) {
		all = append(all, andon.Environment{Name: "staging", Hosts: "{service}.staging.localhost"})
	}
	if c.in(6) {
		all = all[1:]
	}
	for i := range all {
		e := &all[i]
		e.Rollout = h.rollout()
		if c.in(3) {
			e.Limits = andon.Limits{Memory: c.Int64N(2) << 30, Processes: c.IntN(500)}
		}
		if c.in(8) {
			e.MostInstances = 1 + c.IntN(4)
		}
		if c.in(4) { // sometimes that of another environment
			e.Aliases = []string{pick(c, []string{"{service}.example", "{service}-a.example", "{service}.test.localhost"})}
		}
		if c.in(5) {
			e.Routes = map[andon.ServiceName][]string{h.p.service: {pick(c, []string{"shop.example", "shop.localhost", "www.example"})}}
		}
	}
	return all
}

// host adds, lets in or removes a host that agents may have the name of.
func (h *history) host() {
	name := pick(h.c, []andon.AgentName{"web-1", "web-2", "edge-2", "builder"})
	if h.p.s.removed(name) {
		h.admit(name)
		if a := h.w.agents[name]; a != nil && h.c.in(2) {
			h.w.connect(name, a.slots)
		}
		return
	}
	h.p.do(RemoveHost{Host: name, Force: h.c.in(2)})
	if a := h.w.agents[name]; a != nil && h.p.err == nil {
		a.away = true
	}
}

// admit lets a host in that was removed.
func (h *history) admit(name andon.AgentName) {
	if h.p.s.removed(name) {
		h.p.do(AddHost{Host: name, TokenHash: "hash", Expires: h.p.now.Add(time.Hour)})
		h.p.do(JoinHost{Host: name, TokenHash: "hash", Key: "key"})
	}
}

func (h *history) fault() {
	a := pick(h.c, h.agents())
	switch h.c.IntN(10) {
	case 0:
		switch {
		case h.p.s.removed(a.name):
			h.p.do(ConnectAgent{Hello: andon.Hello{Agent: a.name}})
			if andon.KindOf(h.p.err) != andon.KindRefused {
				h.p.fail("a host that was removed is let in: %v", h.p.err)
			}
		case a.away:
			h.w.connect(a.name, a.slots)
		default:
			h.w.lose(a)
		}
	case 1:
		if !h.p.s.removed(a.name) {
			h.w.restart(a)
		}
	case 2: // it says again what it has said
		if len(a.reports) > 0 {
			h.p.do(pick(h.c, a.reports))
			if andon.KindOf(h.p.err) != andon.KindConflict {
				h.p.fail("a result that is not wanted any more was taken: %v", h.p.err)
			}
		}
	case 3: // an older connection speaks
		h.p.do(Observe{Observation: andon.Observation{Agent: a.name, Epoch: a.epoch - 1, Full: true}})
		if h.p.err == nil {
			h.p.fail("an observation of an older connection was taken")
		}
	case 4: // a lease runs out
		for _, id := range sorted(h.p.s.Tasks) {
			if t := h.p.s.Tasks[id]; t.Agent != "" && h.c.in(2) {
				if holder := h.w.agents[t.Agent]; holder != nil { // its result comes too late
					holder.reports = append(holder.reports, FinishTask{Agent: t.Agent, Task: id, Token: t.Token, Result: result(t, andon.Succeeded, h.p.now)})
				}
				h.p.do(ExpireLease{Task: id, Token: t.Token})
				break
			}
		}
	case 6:
		h.p.reload()
	case 5:
		h.p.do(ExpireLease{Task: "shop.1.commit.test.1", Token: 1})
	default:
		h.hurt(a)
	}
}

// hurt makes a copy crash, turn unhealthy, or recover.
func (h *history) hurt(a *simAgent) {
	ids := sorted(a.copies)
	if len(ids) == 0 {
		return
	}
	c := a.copies[pick(h.c, ids)]
	switch h.c.IntN(5) {
	case 4:
		c.stuck = true
	case 0:
		c.phase = andon.PhaseExited
	case 1:
		c.phase = andon.PhaseUnhealthy
	case 2:
		c.phase = andon.PhaseFailed
		delete(a.flying, c.copy.ID)
	default:
		delete(h.w.sick, c.copy.Version)
	}
	if h.c.in(2) && !a.away {
		h.w.attest(a, false)
	}
}

func (h *history) time() {
	switch h.c.IntN(10) {
	case 0:
		h.w.pass(time.Duration(h.c.IntN(7200)) * time.Second)
	case 1:
		h.w.pass(-time.Duration(h.c.IntN(300)) * time.Second)
	case 2:
		h.w.pass(time.Duration(h.c.IntN(1000)) * time.Millisecond)
	case 3, 4:
		h.w.pass(time.Duration(h.c.IntN(15)) * time.Second)
	default:
		if wake := h.p.s.Wake(); wake.After(h.p.now) {
			h.p.now = wake
		}
	}
	h.p.do(Tick{})
	if wake := h.p.s.Wake(); !wake.IsZero() && !wake.After(h.p.now) {
		h.p.fail("after a tick at %s the line still wants to be woken at %s: %s", h.p.now, wake, h.p.waits())
	}
}

// end stops all faults and wants the plant to come to rest, where nothing waits for anything but
// people, and the journal gives the same state again.
func (h *history) end() {
	p := h.p
	h.w.job = nil
	clear(h.w.sick)
	clear(h.w.hang)
	for _, a := range h.agents() {
		for _, c := range a.copies {
			c.stuck = false
		}
		h.admit(a.name)
		h.w.connect(a.name, a.slots)
	}
	if !h.w.settle(4000) {
		p.fail("it does not come to rest without faults: %s", p.waits())
		return
	}
	for _, w := range p.s.Waiting(p.now) {
		if w.Kind != andon.WaitApproval && w.Kind != andon.WaitCord {
			p.fail("at rest, something waits for more than people: %+v", w)
		}
	}
	for _, pl := range p.s.Places {
		if pl.Removing || p.s.Services[pl.Place.Service] == nil {
			p.fail("at rest, %s of a removed service is left", pl.Place)
		}
		if pl.Active != nil || pl.Holder != nil {
			p.fail("at rest, %s is taken", pl.Place)
		}
		for id, r := range pl.Copies {
			if _, ok := pl.Desired.Copy(id); !ok || r.Observed.Phase != andon.PhaseHealthy {
				p.fail("at rest, %s is %s", id, r.Observed.Phase)
			}
		}
	}
	if len(p.s.Tasks) > 0 || len(p.s.Queue) > 0 {
		p.fail("at rest, there are tasks: %v", sorted(p.s.Tasks))
	}
	if !h.c.in(5) {
		return // comparing whole states is slow
	}
	want := p.json(p.s)
	if p.json(p.shadow) != want {
		p.fail("the state is not what its events make")
	}
	if h.c.in(5) {
		if p.json(p.replayed()) != want {
			p.fail("the replayed journal gives another state")
		}
		back, err := Restore([]byte(want))
		if err != nil || p.json(back) != want {
			p.fail("the snapshot gives another state: %v", err)
		}
	}
}

func (h *history) stats() stats {
	st := stats{events: len(h.p.events), tail: h.p.events[max(0, len(h.p.events)-40):], outcomes: map[andon.Outcome]int{}, names: map[string]int{}}
	kinds := map[andon.DeploymentID]andon.DeploymentKind{}
	for _, e := range h.p.events {
		st.names[e.Body.EventName()]++
		switch b := e.Body.(type) {
		case andon.DeploymentStarted:
			kinds[b.Plan.ID] = b.Plan.Kind
		case andon.DeploymentEnded:
			st.outcomes[b.Outcome]++
			if kinds[b.Deployment] == andon.DeployRollback && b.Outcome == andon.Succeeded {
				st.rollback++
			}
		}
	}
	return st
}
