package line

import (
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/deploy"
)

func (s *State) applyTaskQueued(b andon.TaskQueued, at time.Time) {
	t := &Task{Task: b.Task, Queued: at}
	s.Tasks[b.Task.ID] = t
	s.Queue = append(s.Queue, b.Task.ID)
	if smoke, place := s.smokeOf(&t.Task); smoke != nil {
		put(&smoke.Smokes, b.Task.Instance, smokeAfter(smoke.Smokes[b.Task.Instance], place.Copies[b.Task.Instance], b.Task.ID))
		s.todo.markPlace(place.Place)
	} else if v := s.version(b.Task.Version); v != nil && v.Run != nil {
		put(&v.Run.Jobs, b.Task.Job, &JobRun{Task: b.Task.ID})
		v.Run.waiting = false
		s.todo.markService(b.Task.Version.Service)
	}
	s.todo.markTasks()
}

// smokeAfter returns the smoke test of a copy as it runs now, which may have been tested before.
func smokeAfter(before *deploy.Smoke, r *deploy.Record, task andon.TaskID) *deploy.Smoke {
	next := &deploy.Smoke{Task: task}
	if before != nil {
		next.Again = before.Again + 1
	}
	if r != nil {
		next.Run = r.Observed.Run
	}
	return next
}

func (s *State) applyTaskLeased(b andon.TaskLeased, at time.Time) {
	t := s.Tasks[b.Task]
	if t == nil {
		return
	}
	s.Queue = slices.DeleteFunc(s.Queue, func(id andon.TaskID) bool { return id == b.Task })
	t.Agent, t.Attempt, t.Token, t.Leased = b.Agent, b.Attempt, b.Token, at
	s.Token = max(s.Token, b.Token)
	if a := s.Agents[b.Agent]; a != nil {
		put(&a.leases, b.Task, struct{}{})
		if t.Task.Kind == andon.TaskJob {
			a.Jobs++
		}
	}
	s.todo.markTasks()
}

func (s *State) applyTaskCancelled(b andon.TaskCancelled) {
	t := s.Tasks[b.Task]
	if t == nil {
		return
	}
	t.Cancel, t.Reason = true, b.Reason
	s.settle(t, andon.Cancelled, b.Reason, nil)
	if t.Agent == "" {
		s.dropTask(t)
	}
}

func (s *State) applyTaskEnded(b andon.TaskEnded) {
	t := s.Tasks[b.Task]
	if t == nil {
		return
	}
	s.free(t)
	if b.Again {
		s.Queue = slices.Insert(s.Queue, 0, b.Task)
		s.todo.markTasks()
		return
	}
	s.settle(t, b.Result.Outcome, b.Result.Reason, b.Result.Artifact)
	s.dropTask(t)
}

// free takes a task from the agent that has it.
func (s *State) free(t *Task) {
	if a := s.Agents[t.Agent]; a != nil {
		delete(a.leases, t.Task.ID)
		if t.Task.Kind == andon.TaskJob {
			a.Jobs--
		}
	}
	t.Agent, t.Token, t.Leased = "", 0, time.Time{}
	s.todo.markTasks()
}

func (s *State) dropTask(t *Task) {
	s.Queue = slices.DeleteFunc(s.Queue, func(id andon.TaskID) bool { return id == t.Task.ID })
	delete(s.Tasks, t.Task.ID)
	s.todo.markService(t.Task.Version.Service)
}

// settle records how a task ended with whoever asked for it, once.
func (s *State) settle(t *Task, outcome andon.Outcome, reason string, artifact *andon.Artifact) {
	if d, place := s.smokeOf(&t.Task); d != nil {
		if sm := d.Smokes[t.Task.Instance]; sm != nil && sm.Task == t.Task.ID && sm.Outcome == "" {
			sm.Outcome, sm.Reason = outcome, reason
			s.todo.markPlace(place.Place)
		}
		return
	}
	v := s.version(t.Task.Version)
	if v == nil || v.Run == nil {
		return
	}
	if j := v.Run.Jobs[t.Task.Job]; j != nil && j.Task == t.Task.ID && j.Outcome == "" {
		j.Outcome, j.Reason, j.Artifact = outcome, reason, artifact
		v.Run.waiting = false
		s.todo.markService(t.Task.Version.Service)
	}
}

// smokeOf returns the deployment that a smoke test belongs to, while it changes its place.
func (s *State) smokeOf(t *andon.Task) (*Deployment, *Place) {
	if t.Kind != andon.TaskSmoke {
		return nil, nil
	}
	p := s.Places[andon.Place{Service: t.Version.Service, Environment: t.Target}.Key()]
	if p == nil || p.Active == nil || p.Active.Plan.ID != t.Deployment {
		return nil, nil
	}
	return p.Active, p
}
