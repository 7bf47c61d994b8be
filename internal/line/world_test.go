package line

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

var sprintf = fmt.Sprintf

// world is everything outside: agents with their copies and proxies. It goes on in small steps,
// each of which one agent takes; chance, when set, decides which, and what goes wrong.
type world struct {
	p      *plant
	agents map[andon.AgentName]*simAgent
	chance *chance
	// job decides how a task ends when there is no chance; nil: it succeeds.
	job func(*andon.Task) andon.Outcome
	// sick says which versions never become healthy, or break in another way.
	sick map[andon.VersionNumber]andon.Phase
	// hang says of which versions the requests never end.
	hang map[andon.VersionNumber]bool
}

// simAgent is an agent: what it was told, what it does, and what it has yet to tell.
type simAgent struct {
	name    andon.AgentName
	epoch   int64
	slots   int
	labels  map[string]string
	away    bool // it hears and says nothing
	desired map[string]andon.Desired
	copies  map[andon.InstanceID]*simCopy
	far     map[andon.InstanceID]string // where copies on other hosts listen, as it was told
	flying  map[andon.InstanceID]bool   // copies that have requests of its proxy in flight
	served  map[string]andon.RouteState // by its proxy
	said    map[andon.InstanceID]andon.InstanceState
	saidOf  map[string]andon.RouteState
	running map[andon.TaskID]andon.Lease
	reports []FinishTask // that were made; some are made again
}

type simCopy struct {
	copy     andon.Copy
	phase    andon.Phase
	restarts int
	stuck    bool // it does not stop
}

func newWorld(p *plant) *world {
	return &world{p: p, agents: map[andon.AgentName]*simAgent{}, sick: map[andon.VersionNumber]andon.Phase{}, hang: map[andon.VersionNumber]bool{}}
}

// connect makes an agent say hello and attest everything that it has.
func (w *world) connect(name andon.AgentName, slots int) *simAgent {
	a := w.agents[name]
	if a == nil {
		a = &simAgent{
			name: name, desired: map[string]andon.Desired{}, copies: map[andon.InstanceID]*simCopy{}, flying: map[andon.InstanceID]bool{},
			served: map[string]andon.RouteState{}, running: map[andon.TaskID]andon.Lease{},
		}
		w.agents[name] = a
	}
	w.p.must(ConnectAgent{Hello: andon.Hello{Agent: name, Slots: slots, Labels: a.labels}})
	a.epoch, a.slots, a.away = w.p.s.Agents[name].Epoch, slots, false
	a.said, a.saidOf = map[andon.InstanceID]andon.InstanceState{}, map[string]andon.RouteState{}
	w.attest(a, true)
	return a
}

// label makes an agent connect with labels, then and whenever it connects again.
func (w *world) label(name andon.AgentName, key, value string) {
	a := w.connect(name, 1)
	a.labels = map[string]string{key: value}
	w.connect(name, 1)
}

// step lets each connected agent take one step, or lets the time pass to when the line wants to
// be woken. It returns false when nothing happened.
func (w *world) step() bool {
	for _, name := range sorted(w.agents) {
		if a := w.agents[name]; !a.away && w.act(a) {
			return true
		}
	}
	wake := w.p.s.Wake()
	if wake.IsZero() {
		return false
	}
	if wake.After(w.p.now) {
		w.p.now = wake
	}
	before := len(w.p.events)
	w.p.do(Tick{})
	return len(w.p.events) > before || !w.p.s.Wake().Equal(wake)
}

// settle goes on until nothing happens any more; false when that does not come.
func (w *world) settle(most int) bool {
	for range most {
		if !w.step() {
			return true
		}
	}
	return false
}

// act lets an agent take the first step that it can: hear, work, say.
func (w *world) act(a *simAgent) bool {
	return w.hear(a) || w.work(a) || w.converge(a) || w.attest(a, false)
}

// hear fetches the agent's work.
func (w *world) hear(a *simAgent) bool {
	work := w.p.s.WorkFor(a.name)
	changed := !maps.Equal(a.far, work.Addresses)
	a.far = work.Addresses
	told := map[string]bool{}
	for _, d := range work.Desired {
		key := d.Place.Key()
		told[key] = true
		if have, ok := a.desired[key]; ok && have.Generation >= d.Generation {
			if have.Generation > d.Generation {
				w.p.fail("agent %s is told generation %d of %s after %d", a.name, d.Generation, key, have.Generation)
			}
			continue
		}
		a.desired[key], changed = d, true
	}
	for key := range a.desired {
		if !told[key] {
			delete(a.desired, key)
			changed = true
		}
	}
	leases := map[andon.TaskID]andon.Lease{}
	for _, l := range work.Leases {
		leases[l.Task.ID] = l
	}
	for id, l := range a.running {
		if now, ok := leases[id]; !ok || now.Token != l.Token {
			delete(a.running, id)
			changed = true
		}
	}
	for id, l := range leases {
		if have, ok := a.running[id]; !ok || have.Cancel != l.Cancel {
			a.running[id] = l
			changed = true
		}
	}
	return changed
}

// work ends the first task that the agent has.
func (w *world) work(a *simAgent) bool {
	for _, id := range sorted(a.running) {
		l := a.running[id]
		o := andon.Succeeded
		switch {
		case l.Cancel:
			o = andon.Cancelled
		case w.job != nil:
			o = w.job(&l.Task)
		}
		if o == "" {
			continue // it goes on
		}
		w.finish(a, l, o)
		return true
	}
	return false
}

func (w *world) finish(a *simAgent, l andon.Lease, o andon.Outcome) {
	delete(a.running, l.Task.ID)
	r := andon.TaskResult{Outcome: o, Started: w.p.now, Ended: w.p.now}
	if o == andon.Succeeded && l.Task.Artifact != nil {
		r.Artifact = &andon.Artifact{Digest: digestOf(l.Task.Commit), Size: 1}
	}
	if o != andon.Succeeded {
		r.Reason = "exit status 1"
	}
	report := FinishTask{Agent: a.name, Epoch: a.epoch, Task: l.Task.ID, Token: l.Token, Result: r}
	a.reports = append(a.reports, report)
	w.p.do(report)
	if w.p.err != nil && andon.KindOf(w.p.err) != andon.KindConflict {
		w.p.fail("the report of %s: %v", l.Task.ID, w.p.err)
	}
}

// converge makes one change towards what the agent was told: start a copy, move traffic, drain,
// stop a copy.
func (w *world) converge(a *simAgent) bool {
	wanted := map[andon.InstanceID]andon.Copy{}
	for _, key := range sorted(a.desired) {
		for _, c := range a.desired[key].Copies {
			if c.Agent == a.name {
				wanted[c.ID] = c
			}
		}
	}
	for _, id := range sorted(wanted) {
		if a.copies[id] == nil {
			a.copies[id] = &simCopy{copy: wanted[id], phase: andon.PhaseStarting}
			return true
		}
	}
	for _, id := range sorted(wanted) {
		if w.live(a.copies[id]) {
			return true
		}
	}
	for _, key := range sorted(a.desired) {
		if w.route(a, key) {
			return true
		}
	}
	for _, id := range sorted(a.copies) {
		if _, ok := wanted[id]; !ok {
			return w.stop(a, id)
		}
	}
	for key := range a.served {
		if _, ok := a.desired[key]; !ok {
			delete(a.served, key)
			return true
		}
	}
	return false
}

// live takes a copy one phase further; a sick one goes where its sickness leads.
func (w *world) live(c *simCopy) bool {
	end := andon.PhaseHealthy
	if s, ok := w.sick[c.copy.Version]; ok {
		end = s
	}
	if c.phase == end {
		if end == andon.PhaseExited && c.restarts < 5 { // a crash loop
			c.restarts++
			return true
		}
		return false
	}
	if c.phase == andon.PhaseExited {
		c.restarts++
	}
	c.phase = end
	return true
}

// revive gives a copy another life, which its agent attests before anything else happens.
func (w *world) revive(id andon.InstanceID) {
	for _, a := range w.agents {
		if c := a.copies[id]; c != nil {
			c.restarts++
			w.attest(a, false)
		}
	}
}

// route lets the agent's proxy follow what should be: healthy targets get requests, and those
// that leave have some in flight for a while.
func (w *world) route(a *simAgent, key string) bool {
	d := a.desired[key]
	next := andon.RouteState{Place: d.Place, Generation: d.Generation}
	if serves, all := d.Serves(a.name); !serves {
		if have, ok := a.served[key]; !ok || have.Generation == d.Generation && len(have.Targets) == 0 {
			return false
		}
	} else {
		for _, t := range d.Route.Targets {
			if c := w.reached(a, t.Instance, all); c != nil && c.phase == andon.PhaseHealthy {
				next.Targets = append(next.Targets, t.Instance)
			}
		}
	}
	have := a.served[key]
	for _, id := range have.Targets {
		if !slices.Contains(next.Targets, id) {
			a.flying[id] = true
		}
	}
	for _, id := range sorted(a.flying) {
		c := w.reached(a, id, true)
		if pl, _ := placeOf(id); pl != d.Place || slices.Contains(next.Targets, id) {
			continue
		}
		if c == nil || w.drains(c, have, id) {
			delete(a.flying, id)
			continue
		}
		next.Draining = append(next.Draining, id)
	}
	if sameServed(have, next) {
		return false
	}
	a.served[key] = next
	return true
}

// reached returns a copy that an agent's proxy can send requests to; with all, also one on another
// host whose address it was told.
func (w *world) reached(a *simAgent, id andon.InstanceID, all bool) *simCopy {
	if c := a.copies[id]; c != nil || !all || a.far[id] == "" {
		return c
	}
	for _, other := range w.agents {
		if c := other.copies[id]; c != nil {
			return c
		}
	}
	return nil
}

// drains reports whether the requests of a copy end now: at the earliest a step after it left.
func (w *world) drains(c *simCopy, have andon.RouteState, id andon.InstanceID) bool {
	return !w.hang[c.copy.Version] && slices.Contains(have.Draining, id)
}

func sameServed(a, b andon.RouteState) bool {
	return a.Generation == b.Generation && slices.Equal(a.Targets, b.Targets) && slices.Equal(a.Draining, b.Draining)
}

func (w *world) stop(a *simAgent, id andon.InstanceID) bool {
	if a.copies[id].stuck {
		return false
	}
	delete(a.copies, id)
	delete(a.flying, id)
	for key, s := range a.served {
		s.Targets = slices.DeleteFunc(slices.Clone(s.Targets), func(t andon.InstanceID) bool { return t == id })
		s.Draining = slices.DeleteFunc(slices.Clone(s.Draining), func(t andon.InstanceID) bool { return t == id })
		a.served[key] = s
	}
	return true
}

// attest tells the line what changed since the agent last spoke; full: everything.
func (w *world) attest(a *simAgent, full bool) bool {
	obs := andon.Observation{Agent: a.name, Epoch: a.epoch, Full: full}
	for _, id := range sorted(a.copies) {
		c := a.copies[id]
		i := andon.InstanceState{ID: id, Phase: c.phase, Artifact: c.copy.Artifact, Config: c.copy.Config, Restarts: c.restarts, Run: int64(c.restarts) + 1}
		if c.copy.Spec.Port > 0 {
			i.Address = "127.0.0.1:1"
		}
		if full || a.said[id] != i {
			obs.Instances = append(obs.Instances, i)
		}
		a.said[id] = i
	}
	for _, id := range sorted(a.said) {
		if a.copies[id] == nil {
			delete(a.said, id)
			obs.Instances = append(obs.Instances, andon.InstanceState{ID: id, Phase: andon.PhaseStopped})
		}
	}
	for _, key := range sorted(a.served) {
		r := a.served[key]
		if have, ok := a.saidOf[key]; full || !ok || !sameServed(have, r) {
			obs.Routes = append(obs.Routes, r)
		}
		a.saidOf[key] = r
	}
	if !full && len(obs.Instances) == 0 && len(obs.Routes) == 0 {
		return false
	}
	w.p.do(Observe{Observation: obs})
	if w.p.err != nil && andon.KindOf(w.p.err) != andon.KindConflict {
		w.p.fail("observation of %s: %v", a.name, w.p.err)
	}
	return true
}

// lose makes the line give an agent up. The agent keeps its copies, and its tasks until it is told.
func (w *world) lose(a *simAgent) {
	a.away = true
	w.p.must(LoseAgent{Agent: a.name, Epoch: a.epoch, Reason: "not heard of"})
}

// restart makes an agent forget its tasks, as after a crash, and connect again.
func (w *world) restart(a *simAgent) {
	lost := slices.Collect(maps.Values(a.running))
	a.running = map[andon.TaskID]andon.Lease{}
	w.connect(a.name, a.slots)
	slices.SortFunc(lost, func(x, y andon.Lease) int { return int(x.Token - y.Token) })
	for _, l := range lost {
		w.finish(a, l, andon.Lost)
	}
}

// pass lets time go by, without anything being woken.
func (w *world) pass(d time.Duration) { w.p.now = w.p.now.Add(d) }
