package deploy

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// world is a place on several hosts whose deployments come one after the other. Hosts hear late,
// speak late, and are cut off while their copies and proxies go on. In some worlds each proxy has
// the copies of its own host; in others some hosts are edges, whose proxies have the copies of all
// hosts, or of those that they reach.
type world struct {
	*rand.Rand
	in     Input
	hosts  []*host
	calm   bool // no faults any more
	number int  // of the deployment
	sick   andon.GroupID
	broken string

	live   *andon.Release
	group  andon.GroupID
	good   []andon.Release
	wanted Step // the last answer
	stats  simStats
}

type simStats struct {
	steps, deployments, reverted, attention, cuts, warm, shares, edged, blinded, far int
}

// host is an agent with its copies and its proxy.
type host struct {
	name    andon.AgentName
	cut     bool                      // it and the server do not hear each other
	edge    bool                      // its proxy is to get the routes
	bare    bool                      // it gets no copies
	slow    int                       // it does something only once in so many times that it could
	blind   map[andon.AgentName]bool  // hosts that it does not reach
	known   map[andon.InstanceID]bool // copies on other hosts of which it was told where they listen
	told    andon.Desired
	copies  map[andon.InstanceID]*andon.InstanceState
	targets []andon.InstanceID
	flying  map[andon.InstanceID]int // acts of the host until the requests in flight end
}

func newSimWorld(seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 0xdeb107))}
	for i := range 1 + w.IntN(4) {
		h := &host{
			name: andon.AgentName(fmt.Sprint("web-", i)), copies: map[andon.InstanceID]*andon.InstanceState{}, flying: map[andon.InstanceID]int{},
			blind: map[andon.AgentName]bool{}, known: map[andon.InstanceID]bool{},
		}
		if w.once(4) {
			h.slow = 2 + w.IntN(6)
		}
		w.hosts = append(w.hosts, h)
	}
	w.assign()
	w.in = Input{
		Desired: andon.Desired{Place: andon.Place{Service: "shop", Environment: "test"}},
		Copies:  map[andon.InstanceID]*Record{}, Routes: map[andon.AgentName]*andon.RouteState{}, Lost: map[andon.AgentName]time.Time{}, Now: start,
	}
	w.begin()
	return w
}

func (w *world) once(in int) bool { return w.IntN(in) == 0 }

// assign says which hosts are edges, and which of these get no copies; none, in half of the worlds.
func (w *world) assign() {
	edges, bare := w.once(2), w.once(2)
	for i, h := range w.hosts {
		h.edge = edges && (w.once(2) || i == 0)
		h.bare = h.edge && bare && len(w.hosts) > 1 && i == 0
	}
}

// host returns the host of that name; every name in a world is one.
func (w *world) host(name andon.AgentName) *host {
	i := slices.IndexFunc(w.hosts, func(h *host) bool { return h.name == name })
	return w.hosts[i]
}

// begin starts the next deployment: of a new release, or back to one that was live.
func (w *world) begin() {
	w.number++
	w.stats.deployments++
	id := andon.DeploymentID(fmt.Sprint("d", w.number))
	r := release(andon.VersionNumber(w.number), 1+w.IntN(4))
	r.Spec.Health.Start = time.Duration(5+w.IntN(60)) * time.Second
	if w.once(5) {
		r.Smoke = nil
	}
	if w.once(8) {
		r.Spec.Port = 0
		r.Smoke = nil
	}
	plan := andon.Plan{Place: w.in.Desired.Place, ID: id, Group: andon.GroupID(id), Kind: andon.DeployForward, Release: r, Rollout: w.rollout()}
	if len(w.good) > 1 && w.once(4) {
		plan.Release = w.good[w.IntN(len(w.good)-1)]
		plan.Kind = andon.DeployRollback
		plan.Rollout = andon.Rollout{Strategy: andon.BlueGreen}
		for _, c := range w.in.Desired.Copies {
			_, lost := w.in.Lost[c.Agent]
			if c.Group != w.group && c.Artifact == plan.Release.Artifact && !lost {
				plan.Group = c.Group
			}
		}
	}
	plan.Previous, plan.Base = w.live, w.group
	if plan.Release.Spec.Port > 0 {
		plan.Hosts = []string{"shop.localhost"}
	}
	if w.once(10) {
		w.assign() // somebody labels hosts anew
	}
	for _, h := range w.hosts {
		if _, lost := w.in.Lost[h.name]; !lost && !h.bare {
			plan.Agents = append(plan.Agents, h.name)
		}
		if h.edge && plan.Release.Spec.Port > 0 {
			plan.Edges = append(plan.Edges, h.name)
		}
	}
	if len(plan.Agents) == 0 {
		plan.Agents = []andon.AgentName{w.hosts[len(w.hosts)-1].name}
	}
	if len(plan.Edges) > 0 {
		w.stats.edged++
	}
	w.sick = ""
	if w.once(6) {
		w.sick = plan.Group
	}
	w.in.Plan, w.in.Reverting, w.in.Worse = plan, false, ""
	w.in.Step, w.in.StepSince, w.in.Started, w.in.Smokes = andon.StepPlacing, w.in.Now, w.in.Now, map[andon.InstanceID]*Smoke{}
}

func (w *world) rollout() andon.Rollout {
	r := andon.Rollout{
		Strategy: andon.Strategies()[w.IntN(4)], MaxUnavailable: w.IntN(3), MaxSurge: w.IntN(3),
		Soak: time.Duration(w.IntN(20)) * time.Second, Warm: time.Duration(w.IntN(2)) * time.Minute,
	}
	for weight := 1 + w.IntN(60); r.Strategy == andon.Canary && weight < 100; weight += 1 + w.IntN(60) {
		r.Canary = append(r.Canary, andon.CanaryStep{Weight: weight, Pause: time.Duration(w.IntN(30)) * time.Second})
	}
	return r
}

// step asks for the next step of the deployment, carries it out, and lets one thing happen.
func (w *world) step() {
	w.stats.steps++
	s := Next(w.in)
	w.checkStep(s)
	switch {
	case s.Done:
		w.end(s)
	case s.Failed != "":
		w.revert()
	default:
		if s.At != w.in.Step {
			w.in.Step, w.in.StepSince = s.At, w.in.Now
		}
		if s.Desired != nil {
			w.checkChange(*s.Desired)
			w.change(*s.Desired)
		}
		for _, id := range s.Smoke {
			w.in.Smokes[id] = &Smoke{Task: "t", Run: w.record(id).Observed.Run}
		}
	}
	w.wanted = s
	w.happen()
}

func (w *world) record(id andon.InstanceID) Record {
	if r := w.in.Copies[id]; r != nil {
		return *r
	}
	return Record{}
}

func (w *world) revert() {
	w.in.Reverting, w.in.Step, w.in.StepSince = true, andon.StepReverting, w.in.Now
	w.stats.reverted++
}

// end records how a deployment ended, and begins the next one.
func (w *world) end(s Step) {
	w.checkEnd(s)
	if s.Attention != "" {
		w.stats.attention++
	}
	if !w.in.Reverting {
		r := w.in.Plan.Release
		w.live, w.group = &r, w.in.Plan.Group
		w.good = append(w.good, r)
		if len(w.good) > 5 {
			w.good = w.good[1:]
		}
	}
	w.begin()
}

// change makes a Desired the present one, as the line does.
func (w *world) change(next andon.Desired) {
	old := w.in.Desired
	next.Generation = old.Generation + 1
	for _, c := range next.Copies {
		r := w.in.Copies[c.ID]
		if r == nil {
			r = &Record{}
			w.in.Copies[c.ID] = r
		}
		if _, had := old.Copy(c.ID); !had {
			r.Agent, r.Placed, r.Removed = c.Agent, w.in.Now, time.Time{}
		}
		switch {
		case next.Routed(c.ID):
			r.Unrouted = time.Time{}
		case old.Routed(c.ID):
			r.Unrouted = w.in.Now
		}
	}
	for _, c := range old.Copies {
		if _, kept := next.Copy(c.ID); kept {
			continue
		}
		if r := w.in.Copies[c.ID]; r.Observed.Phase == "" {
			delete(w.in.Copies, c.ID)
		} else {
			r.Removed, r.Stop = w.in.Now, c.Spec.Stop
		}
	}
	was, is := old.Route, next.Route
	if (was == nil) != (is == nil) || is != nil && (was.Ledger != is.Ledger || !slices.Equal(was.Targets, is.Targets) || !slices.Equal(was.Edges, is.Edges)) {
		w.in.RouteGeneration, w.in.RouteChanged = next.Generation, w.in.Now
	}
	w.in.Desired = next
}

// happen lets a host act, somebody intervene, something break, or time pass.
func (w *world) happen() {
	if w.calm {
		moved := false
		for _, h := range w.hosts {
			moved = w.act(h) || moved
		}
		if !moved && !w.smokesEnd(0) {
			w.wake()
		}
		return
	}
	h := w.hosts[w.IntN(len(w.hosts))]
	switch n := w.IntN(100); {
	case n < 74:
		for range 1 + w.IntN(8) {
			if h := w.hosts[w.IntN(len(w.hosts))]; h.slow == 0 || w.once(h.slow) {
				w.act(h)
			}
		}
	case n < 84:
		w.smokesEnd(20)
	case n < 89:
		w.wake()
	case n < 92:
		w.in.Now = w.in.Now.Add(time.Duration(w.IntN(5000)) * time.Millisecond)
	case n < 95:
		w.hurt(h)
	case n < 96:
		w.cut(h)
	case n < 97:
		w.part(h)
	case n < 98:
		if !w.in.Reverting && w.once(4) {
			w.revert() // a person aborts
		}
	case n < 99:
		if w.once(10) {
			w.in.Worse = "all fail"
		}
	default:
		if w.once(20) {
			w.in.Now = w.in.Now.Add(-time.Duration(w.IntN(300)) * time.Second)
		}
	}
}

// wake lets the time pass until the first of the waits is over.
func (w *world) wake() {
	var until time.Time
	for _, x := range w.wanted.Waits {
		if !x.Until.IsZero() && (until.IsZero() || x.Until.Before(until)) {
			until = x.Until
		}
	}
	if until.After(w.in.Now) {
		w.in.Now = until
	}
}

// smokesEnd ends a smoke test; one in so many fails.
func (w *world) smokesEnd(failing int) bool {
	for _, c := range w.in.Desired.Copies {
		if s := w.in.Smokes[c.ID]; s != nil && s.Outcome == "" {
			s.Outcome = andon.Succeeded
			if failing > 0 && w.once(failing) {
				s.Outcome = andon.Failed
			}
			return true
		}
	}
	return false
}

// cut takes a host off the network, makes the server notice, or brings it back.
func (w *world) cut(h *host) {
	switch _, lost := w.in.Lost[h.name]; {
	case h.cut && !lost && w.once(2):
		w.in.Lost[h.name] = w.in.Now
	case h.cut:
		h.cut = false
		delete(w.in.Lost, h.name)
	case w.once(4):
		h.cut = true
		w.stats.cuts++
	}
}

// part lets an edge not reach another host, which the server does, or reach it again.
func (w *world) part(h *host) {
	other := w.hosts[w.IntN(len(w.hosts))]
	switch {
	case other == h:
	case h.blind[other.name]:
		delete(h.blind, other.name)
	case h.edge && w.once(4):
		h.blind[other.name] = true
		w.stats.blinded++
	}
}

// hurt makes a copy of a host crash or turn unhealthy; the agent brings it back in its acts.
func (w *world) hurt(h *host) {
	if len(h.copies) == 0 || !w.once(4) {
		return
	}
	ids := slices.Sorted(maps.Keys(h.copies))
	c := h.copies[ids[w.IntN(len(ids))]]
	c.Phase = andon.PhaseUnhealthy
	if w.once(2) {
		c.Phase = andon.PhaseExited
		c.Restarts++
		c.Run++
	}
}

// act lets a host do one thing: hear, start, stop or bring a copy back, move its traffic, speak.
func (w *world) act(h *host) bool {
	if !h.cut && h.told.Generation < w.in.Desired.Generation && (w.calm || w.once(2)) {
		h.told = w.in.Desired
		return true
	}
	for _, c := range h.told.Copies {
		if c.Agent != h.name {
			continue
		}
		have := h.copies[c.ID]
		if have == nil {
			h.copies[c.ID] = &andon.InstanceState{ID: c.ID, Phase: andon.PhaseStarting, Artifact: c.Artifact, Config: c.Config, Run: 1}
			return true
		}
		if have.Phase != andon.PhaseHealthy && (c.Group != w.sick || w.calm) {
			have.Phase = andon.PhaseHealthy
			return true
		}
	}
	return w.route(h) || w.stopOne(h) || !h.cut && w.speak(h)
}

// route lets the proxy of a host follow what it was told: the healthy copies that it has in the
// route get requests, its own or those of all hosts.
func (w *world) route(h *host) bool {
	var targets []andon.InstanceID
	serves, all := h.told.Serves(h.name)
	for i := range h.told.Copies {
		c := &h.told.Copies[i]
		if !serves || !h.told.Routed(c.ID) {
			continue
		}
		if c.Agent != h.name && (!all || !w.reaches(h, c)) {
			continue
		}
		if have := w.host(c.Agent).copies[c.ID]; have != nil && have.Phase == andon.PhaseHealthy {
			targets = append(targets, c.ID)
			if c.Agent != h.name {
				w.stats.far++
			}
		}
	}
	for _, id := range h.targets {
		if !slices.Contains(targets, id) {
			h.flying[id] = w.IntN(4)
		}
	}
	moved := !slices.Equal(targets, h.targets)
	h.targets = targets
	for id, left := range h.flying {
		if left == 0 || !w.runs(id) || slices.Contains(targets, id) {
			delete(h.flying, id)
		} else {
			h.flying[id]--
		}
		moved = true
	}
	return moved
}

// reaches reports whether a host's proxy gets through to a copy on another host: it was told where
// that listens, and the network lets it.
func (w *world) reaches(h *host, c *andon.Copy) bool {
	if !h.cut && w.record(c.ID).Observed.Phase != "" {
		h.known[c.ID] = true
	}
	return h.known[c.ID] && !h.blind[c.Agent]
}

// runs reports whether there is a copy on any host.
func (w *world) runs(id andon.InstanceID) bool {
	return slices.ContainsFunc(w.hosts, func(h *host) bool { return h.copies[id] != nil })
}

func (w *world) stopOne(h *host) bool {
	for _, id := range slices.Sorted(maps.Keys(h.copies)) {
		if _, wanted := h.told.Copy(id); !wanted {
			delete(h.copies, id)
			h.targets = slices.DeleteFunc(slices.Clone(h.targets), func(t andon.InstanceID) bool { return t == id })
			delete(h.flying, id)
			return true
		}
	}
	return false
}

// speak tells the server everything, as it is; false when it knows that.
func (w *world) speak(h *host) bool {
	news := false
	for id, r := range w.in.Copies {
		if r.Agent != h.name {
			continue
		}
		if _, desired := w.in.Desired.Copy(id); h.copies[id] == nil && !desired {
			delete(w.in.Copies, id)
			news = true
		} else if h.copies[id] == nil && r.Observed.Phase != "" {
			r.Observed, r.Since = andon.InstanceState{}, w.in.Now
			news = true
		}
	}
	for id, c := range h.copies {
		r := w.in.Copies[id]
		if r == nil {
			r = &Record{Agent: h.name}
			w.in.Copies[id] = r
		}
		if r.Observed != *c {
			r.Saw(*c, w.in.Now)
			news = true
		}
	}
	rs := &andon.RouteState{Generation: h.told.Generation, Targets: h.targets}
	for id := range h.flying {
		rs.Draining = append(rs.Draining, id)
	}
	slices.Sort(rs.Draining)
	if was := w.in.Routes[h.name]; was == nil || was.Generation != rs.Generation || !slices.Equal(was.Targets, rs.Targets) || !slices.Equal(was.Draining, rs.Draining) {
		w.in.Routes[h.name], news = rs, true
	}
	return news
}
