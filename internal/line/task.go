package line

import (
	"fmt"
	"maps"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// maxAttempts is how often a task is tried whose agent goes away in the middle.
const maxAttempts = 3

// jobTask returns the task of a job of the stage that a version is in. Jobs of a stage that
// deployed run beside the copies: their ANDON_URL is a listener on that host.
func (s *State) jobTask(v *Version, j andon.Job) andon.Task {
	t := andon.Task{
		ID:   andon.TaskID(fmt.Sprintf("%s.%s.%s.%s.%d", v.Ref.Service, v.Ref.Number, v.Run.Stage, j.Name, v.Run.Run)),
		Kind: andon.TaskJob, Version: v.Ref, Commit: v.Commit, Stage: v.Run.Stage, Job: j.Name,
		Timeout: j.Timeout, Steps: j.Steps, JUnit: j.JUnit, Env: map[string]string{"ANDON_BRANCH": v.Branch},
	}
	if t.Timeout <= 0 {
		t.Timeout = andon.DefaultJobTimeout
	}
	if src := v.Pipeline.Commit.Artifact; v.Next == commitStage && src != nil && src.Job == j.Name {
		t.Artifact = src
	}
	if env := v.deploysTo(); env != "" {
		t.Target, t.Deployment = env, v.Run.Deployment
		t.Agent = s.beside(&t)
	}
	maps.Copy(t.Env, j.Env)
	return t
}

// beside returns the agent that serves the place that the task's stage deployed to: the first
// whose proxy has its route and that is there. Empty when nothing runs there.
func (s *State) beside(t *andon.Task) andon.AgentName {
	p := s.Places[andon.Place{Service: t.Version.Service, Environment: t.Target}.Key()]
	if p == nil || len(p.Desired.Copies) == 0 {
		return ""
	}
	first := p.Desired.Copies[0].Agent
	if p.Desired.Route == nil || len(p.Desired.Route.Edges) == 0 {
		return first
	}
	for _, name := range p.Desired.Route.Edges {
		if a := s.Agents[name]; a != nil && !a.Lost {
			return name
		}
	}
	return p.Desired.Route.Edges[0]
}

// smokeTask returns the nth smoke test of the deployment that changes a place.
func (s *State) smokeTask(p *Place, id andon.InstanceID, n int) andon.Task {
	plan := &p.Active.Plan
	t := andon.Task{
		ID:   andon.TaskID(fmt.Sprintf("%s.smoke.%d", plan.ID, n)),
		Kind: andon.TaskSmoke, Version: andon.VersionRef{Service: plan.Service, Number: plan.Release.Version},
		Commit: plan.Release.Commit, Stage: plan.Stage, Timeout: andon.DefaultSmokeTimeout,
		Checks: plan.Release.Smoke, Instance: id, Deployment: plan.ID, Target: plan.Environment,
	}
	if c, ok := p.Desired.Copy(id); ok {
		t.Agent = c.Agent
	}
	return t
}

// assign gives a task in the queue to an agent that can take it: the first one of the service
// that has the fewest jobs running, so that no service keeps the slots from others, however much
// it has queued. Smoke tests take no slot: a deployment never waits for a build.
func (s *State) assign() []andon.Body {
	if len(s.Queue) == 0 {
		return nil
	}
	free := s.freest()
	var running map[andon.ServiceName]int
	if len(s.Queue) > 1 { // one task keeps no slot from others
		running = s.jobsByService()
	}
	var first *Task
	var to andon.AgentName
	for _, id := range s.Queue {
		t := s.Tasks[id]
		name := s.takes(&t.Task, free)
		if name == "" {
			continue
		}
		jobs := running[t.Task.Version.Service]
		if first == nil || jobs < running[first.Task.Version.Service] {
			first, to = t, name
		}
		if jobs == 0 || t.Task.Kind != andon.TaskJob {
			first, to = t, name
			break
		}
	}
	if first == nil {
		return nil
	}
	return []andon.Body{andon.TaskLeased{Task: first.Task.ID, Agent: to, Attempt: first.Attempt + 1, Token: s.Token + 1}}
}

// jobsByService counts the jobs that run.
func (s *State) jobsByService() map[andon.ServiceName]int {
	running := make(map[andon.ServiceName]int)
	for _, a := range s.Agents {
		for id := range a.leases {
			if t := s.Tasks[id]; t != nil && t.Task.Kind == andon.TaskJob {
				running[t.Task.Version.Service]++
			}
		}
	}
	return running
}

// takes returns the agent that can take a task now; empty: none can.
func (s *State) takes(t *andon.Task, freest andon.AgentName) andon.AgentName {
	if t.Agent == "" {
		return freest
	}
	a := s.Agents[t.Agent]
	if a == nil || a.Lost || t.Kind == andon.TaskJob && a.Jobs >= andon.Room(a.Slots) {
		return ""
	}
	return t.Agent
}

// freest returns the agent with the most free slots; empty: none has one.
func (s *State) freest() andon.AgentName {
	var best andon.AgentName
	most := 0
	for name, a := range s.Agents {
		free := a.Slots - a.Jobs
		if a.Lost || free <= 0 || free < most || free == most && name > best {
			continue
		}
		best, most = name, free
	}
	return best
}

// queuedHold says why a task in the queue is not given out.
func (s *State) queuedHold(t *Task) andon.Wait {
	w := andon.Wait{
		Service: t.Task.Version.Service, Version: t.Task.Version.Number, Stage: t.Task.Stage,
		Deployment: t.Task.Deployment, Task: t.Task.ID, Kind: andon.WaitAgent, Since: t.Queued,
	}
	if name := t.Task.Agent; name != "" {
		w.On = string(name)
		w.Reason = fmt.Sprintf("agent %s, which must run it, has no free slot", name)
		if a := s.Agents[name]; a == nil || a.Lost {
			w.Reason = fmt.Sprintf("agent %s, which must run it, is away", name)
		}
		return w
	}
	connected, builders := 0, 0
	for _, a := range s.Agents {
		if !a.Lost {
			connected++
		}
		if !a.Lost && a.Slots > 0 {
			builders++
		}
	}
	switch {
	case connected == 0:
		w.Reason, w.Action = "no agent is connected", "andon agent --server URL --token TOKEN"
	case builders == 0:
		w.Reason, w.Action = "no connected agent has slots for jobs", "andon agent --slots N"
	case builders == 1:
		w.Reason = "no slot is free on the only connected agent that has any"
	default:
		w.Reason = fmt.Sprintf("no slot is free on the %d connected agents that have any", builders)
	}
	return w
}

// decide takes the end of a task from the agent that has it.
func (f FinishTask) decide(d *decision) error {
	t := d.s.Tasks[f.Task]
	if t == nil || t.Agent != f.Agent || t.Token != f.Token {
		return andon.Errorf(andon.KindConflict, "agent %s does not have task %s with token %d any more", f.Agent, f.Task, f.Token).
			WithHint("the result is not wanted any more; drop it")
	}
	if a := d.s.Agents[f.Agent]; f.Epoch != 0 && a != nil && f.Epoch != a.Epoch {
		return d.s.checkEpoch(f.Agent, f.Epoch)
	}
	switch f.Result.Outcome {
	case andon.Succeeded, andon.Failed, andon.TimedOut, andon.Cancelled, andon.NeedsAttention:
		d.emit(d.s.taskEnded(t, f.Result, false))
	case andon.Lost:
		d.emit(d.s.taskLost(t, f.Result))
	default:
		return andon.Errorf(andon.KindInvalid, "a task cannot end with outcome %q", f.Result.Outcome)
	}
	return nil
}

// decide ends a lease that was not renewed.
func (x ExpireLease) decide(d *decision) error {
	t := d.s.Tasks[x.Task]
	if t == nil || t.Agent == "" || t.Token != x.Token {
		return nil
	}
	d.emit(d.s.taskLost(t, lostResult(fmt.Sprintf("agent %s did not report in time", t.Agent), t.Leased, d.now)))
	return nil
}

func lostResult(reason string, began, now time.Time) andon.TaskResult {
	return andon.TaskResult{Outcome: andon.Lost, Reason: reason, Started: began, Ended: now}
}

func (s *State) taskEnded(t *Task, r andon.TaskResult, again bool) andon.TaskEnded {
	return andon.TaskEnded{
		Task: t.Task.ID, Version: t.Task.Version, Attempt: t.Attempt, Token: t.Token, Agent: t.Agent, Result: r, Again: again,
	}
}

// taskLost ends an attempt whose agent went away. Nobody knows how far it came: it is tried
// again, a few times, unless nobody wants it any more.
func (s *State) taskLost(t *Task, r andon.TaskResult) andon.TaskEnded {
	return s.taskEnded(t, r, !t.Cancel && t.Attempt < maxAttempts)
}
