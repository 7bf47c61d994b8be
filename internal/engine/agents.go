package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

const (
	// longPoll is how long a request for work waits for news. It is the agents' heartbeat.
	longPoll = 20 * time.Second
	// hangUpTerm is how long an agent may take to ask again after its connection broke while it
	// waited for news: then its process has most likely ended.
	hangUpTerm = 10 * time.Second
	// leaseMargin is what an agent gets on top of a task's timeout to report its end.
	leaseMargin = 2 * time.Minute
)

// agents keeps what is known of agents besides the journal: when each was last heard of, how long
// its leases run, and which of them have news. After a restart of the server everybody gets one
// full term.
type agents struct {
	timeout time.Duration

	mu     sync.Mutex
	byName map[andon.AgentName]*agentWatch
}

type agentWatch struct {
	epoch    int64
	over     bool // the epoch is from before the server started
	heard    time.Time
	hungUp   time.Time // when its connection broke while it waited for news; zero: it did not
	leases   map[andon.TaskID]leaseWatch
	revision int64         // position of the newest event that concerns the agent
	news     chan struct{} // closed and replaced when revision grows
	// logs holds the logs that the agent was allowed to write to since its work last changed: one
	// of them takes thousands of pieces, which must not wait for the owner of the state.
	logs map[string]struct{}
}

type leaseWatch struct {
	token    andon.Token
	deadline time.Time
}

func newAgents(timeout time.Duration) *agents {
	return &agents{timeout: timeout, byName: map[andon.AgentName]*agentWatch{}}
}

// Connect makes an agent known, with a new epoch. What it says with an older one is refused.
func (e *Engine) Connect(ctx context.Context, hello andon.Hello) (andon.Welcome, error) {
	result, err := e.Do(ctx, agentActor(hello.Agent), line.ConnectAgent{Hello: hello})
	if err != nil {
		return andon.Welcome{}, err
	}
	for _, event := range result.Events {
		if connected, ok := event.Body.(andon.AgentConnected); ok && connected.Agent == hello.Agent {
			var plant string
			if err := e.View(ctx, func(s *line.State) { plant = s.Plant }); err != nil {
				return andon.Welcome{}, err
			}
			return andon.Welcome{Plant: plant, Epoch: connected.Epoch, HeartbeatMS: longPoll.Milliseconds(), Protocol: andon.Protocol}, nil
		}
	}
	return andon.Welcome{}, fmt.Errorf("engine: connecting agent %s emitted no event", hello.Agent)
}

// Work returns what an agent should do once that differs from the revision that it has, or after
// a while in any case.
func (e *Engine) Work(ctx context.Context, agent andon.AgentName, request andon.WorkRequest) (andon.Work, error) {
	wait := time.NewTimer(longPoll)
	defer wait.Stop()
	for {
		revision, news, err := e.agents.hear(agent, request.Epoch, e.now())
		if err != nil {
			return andon.Work{}, err
		}
		if revision != request.Revision {
			return e.workFor(ctx, agent)
		}
		select {
		case <-news:
		case <-wait.C:
			return e.workFor(ctx, agent)
		case <-ctx.Done():
			e.agents.hangUp(agent, request.Epoch, e.now())
			return andon.Work{}, andon.Errorf(andon.KindTimeout, "the request for work was given up").Because(ctx.Err())
		case <-e.ended:
			return andon.Work{}, errStopped()
		}
	}
}

func (e *Engine) workFor(ctx context.Context, agent andon.AgentName) (andon.Work, error) {
	var work andon.Work
	err := e.View(ctx, func(s *line.State) {
		work = s.WorkFor(agent)
		work.Revision = e.agents.revision(agent) // of this very state: the owner runs this
	})
	return work, err
}

// Report takes the end of a task from an agent.
func (e *Engine) Report(ctx context.Context, agent andon.AgentName, report andon.TaskReport) error {
	if _, _, err := e.agents.hear(agent, report.Epoch, e.now()); err != nil {
		return err
	}
	_, err := e.Do(ctx, agentActor(agent), line.FinishTask{Agent: agent, Epoch: report.Epoch, Task: report.Task, Token: report.Token, Result: report.Result})
	return err
}

// Observe takes what an agent attests.
func (e *Engine) Observe(ctx context.Context, agent andon.AgentName, observation andon.Observation) error {
	if _, _, err := e.agents.hear(agent, observation.Epoch, e.now()); err != nil {
		return err
	}
	observation.Agent = agent
	_, err := e.Do(ctx, agentActor(agent), line.Observe{Observation: observation})
	return err
}

// MayLog refuses an agent that wants to write to a log that is not of its own tasks or copies.
func (e *Engine) MayLog(ctx context.Context, agent andon.AgentName, stream string) error {
	if e.agents.logs(agent, stream) {
		return nil
	}
	may := false
	err := e.View(ctx, func(s *line.State) {
		if may = s.MayLog(agent, stream); may {
			e.agents.allowLog(agent, stream) // of this very state: the owner runs this
		}
	})
	if err != nil || may {
		return err
	}
	return andon.Errorf(andon.KindRefused, "agent %s has no task or copy that writes the log %.200q", agent, stream).
		WithHint("its lease is over, or the copy is not on this host: drop what is left")
}

func agentActor(agent andon.AgentName) andon.Actor { return andon.Actor("agent:" + agent) }

// hear notes that the agent is there, and refuses one that has to say hello again.
func (a *agents) hear(agent andon.AgentName, epoch int64, now time.Time) (revision int64, news <-chan struct{}, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.byName[agent]
	if w == nil || w.over || w.epoch != epoch {
		return 0, nil, andon.Errorf(andon.KindConflict, "agent %s is not connected with epoch %d", agent, epoch).
			WithHint("the agent must say hello again; if this repeats, two agents use the same name")
	}
	w.heard, w.hungUp = now, time.Time{}
	return w.revision, w.news, nil
}

// hangUp notes that the agent let go of the connection on which it waited for news: unless it asks
// again soon, it counts as lost without the whole term of one that is only silent. Every sign of
// life makes up for it.
func (a *agents) hangUp(agent andon.AgentName, epoch int64, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.byName[agent]; w != nil && w.epoch == epoch {
		w.hungUp = now
	}
}

// logs reports whether the agent was allowed to write to a log since its work last changed.
func (a *agents) logs(agent andon.AgentName, stream string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.byName[agent]
	if w == nil {
		return false
	}
	_, ok := w.logs[stream]
	return ok
}

func (a *agents) allowLog(agent andon.AgentName, stream string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.byName[agent]; w != nil {
		w.logs[stream] = struct{}{}
	}
}

func (a *agents) revision(agent andon.AgentName) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.byName[agent]; w != nil {
		return w.revision
	}
	return 0
}

// watchAll starts the terms of all agents and leases of a state that was just loaded. Their
// connections are over: an agent that lived on through a restart of the server says hello again, and
// with that everything that runs there, which it would not repeat otherwise.
func (a *agents) watchAll(s *line.State, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, known := range s.Agents {
		if known.Lost {
			continue
		}
		w := a.watch(known.Name)
		w.epoch, w.over, w.heard = known.Epoch, true, now
		for _, lease := range s.WorkFor(known.Name).Leases {
			w.leases[lease.Task.ID] = leaseWatch{lease.Token, now.Add(lease.Task.Timeout + leaseMargin)}
		}
	}
}

func (a *agents) watch(name andon.AgentName) *agentWatch {
	w := a.byName[name]
	if w == nil {
		w = &agentWatch{leases: map[andon.TaskID]leaseWatch{}, logs: map[string]struct{}{}, news: make(chan struct{})}
		a.byName[name] = w
	}
	return w
}

// note updates the terms from committed events, and wakes the agents that they concern.
func (a *agents) note(events []andon.Event, s *line.State, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, event := range events {
		switch body := event.Body.(type) {
		case andon.AgentConnected:
			w := a.watch(body.Agent)
			w.epoch, w.over, w.heard, w.hungUp = body.Epoch, false, now, time.Time{}
			w.wake(event.Seq)
		case andon.AgentLost:
			if w := a.byName[body.Agent]; w != nil {
				close(w.news) // whoever waits for work learns that it has to say hello
			}
			delete(a.byName, body.Agent)
		case andon.TaskLeased:
			w := a.watch(body.Agent)
			w.leases[body.Task] = leaseWatch{body.Token, now.Add(taskTimeout(s, body.Task) + leaseMargin)}
			w.wake(event.Seq)
		case andon.TaskCancelled:
			a.wakeHolder(body.Task, event.Seq)
		case andon.TaskEnded:
			if w := a.byName[body.Agent]; w != nil {
				delete(w.leases, body.Task)
				w.wake(event.Seq)
			}
		case andon.DesiredChanged:
			a.wakeAll(event.Seq)
		case andon.Observed: // where copies listen that others send requests to
			for _, name := range s.Concerned(event) {
				if w := a.byName[name]; w != nil {
					w.wake(event.Seq)
				}
			}
		}
	}
}

// taskTimeout returns how long a task may run; one that has ended in the same batch needs no time.
func taskTimeout(s *line.State, id andon.TaskID) time.Duration {
	if t, ok := s.Tasks[id]; ok {
		return t.Task.Timeout
	}
	return 0
}

func (a *agents) wakeHolder(task andon.TaskID, at andon.Seq) {
	for _, w := range a.byName {
		if _, ok := w.leases[task]; ok {
			w.wake(at)
		}
	}
}

func (a *agents) wakeAll(at andon.Seq) {
	for _, w := range a.byName {
		w.wake(at)
	}
}

func (w *agentWatch) wake(at andon.Seq) {
	if int64(at) <= w.revision {
		return
	}
	w.revision = int64(at)
	clear(w.logs)
	close(w.news)
	w.news = make(chan struct{})
}

// overdue returns what has to be said of agents and leases whose terms are over, and when the
// next one is (zero: none).
func (a *agents) overdue(now time.Time) (verbs []line.Verb, next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, w := range a.byName {
		term, reason := w.term(a.timeout)
		if !now.Before(term) {
			verbs = append(verbs, line.LoseAgent{Agent: name, Epoch: w.epoch, Reason: reason})
			continue
		}
		next = earlier(next, term)
		for task, lease := range w.leases {
			if !now.Before(lease.deadline) {
				verbs = append(verbs, line.ExpireLease{Task: task, Token: lease.token})
				continue
			}
			next = earlier(next, lease.deadline)
		}
	}
	return verbs, next
}

// term returns until when the agent counts as there, and why it does not any more after that.
func (w *agentWatch) term(timeout time.Duration) (time.Time, string) {
	term := w.heard.Add(timeout)
	if !w.hungUp.IsZero() && w.hungUp.Add(hangUpTerm).Before(term) {
		return w.hungUp.Add(hangUpTerm), fmt.Sprintf("its connection broke, and it did not come back within %s", andon.Brief(hangUpTerm))
	}
	return term, fmt.Sprintf("not heard of for %s", andon.Brief(timeout))
}

// leap gives every agent a new term, as after a restart, and every lease what was left of its own:
// the clock was set, or the engine could not look at it for so long, that nobody knows who was
// silent meanwhile. by is how far the clock went, which may be back.
func (a *agents) leap(by time.Duration, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.byName {
		w.heard, w.hungUp = now, time.Time{}
		for task, lease := range w.leases {
			w.leases[task] = leaseWatch{lease.token, lease.deadline.Add(by)}
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
