package line

import (
	"fmt"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// lockHold returns what keeps a place from being taken for a stage: one thing at a time changes a
// service in an environment.
func (s *State) lockHold(pl andon.Place, w andon.Wait) []andon.Wait {
	p := s.Places[pl.Key()]
	w.Kind = andon.WaitLock
	if first := s.firstQueued(p); first != nil {
		w.On = string(first.Plan.ID)
		w.Reason = fmt.Sprintf("deployment %s, which %s asked for, is to change %s first", first.Plan.ID, first.Plan.By, pl)
		return []andon.Wait{w}
	}
	if waits := s.busy(p, w); len(waits) > 0 {
		return waits
	}
	for _, t := range s.Tasks { // of a stage that was ended in the middle
		if t.Task.Kind == andon.TaskJob && t.Task.Target == pl.Environment && t.Task.Version.Service == pl.Service {
			w.On, w.Task = string(t.Task.ID), t.Task.ID
			w.Reason = fmt.Sprintf("job %s of %s still ends on agent %s", t.Task.Job, t.Task.Version, t.Agent)
			return []andon.Wait{w}
		}
	}
	return s.hostHold(pl, w)
}

// firstQueued returns the queued deployment that is to have the place next; nil: there is none
// that no cord holds. A held one must not keep the fix out that releases the cord.
func (s *State) firstQueued(p *Place) *Deployment {
	if p == nil || p.Active != nil {
		return nil
	}
	for _, d := range p.Queued {
		if len(s.stopped(d)) == 0 {
			return d
		}
	}
	return nil
}

// busy returns what has the place now: an active deployment, a stage, or copies of a service of
// the same name that was removed.
func (s *State) busy(p *Place, w andon.Wait) []andon.Wait {
	if p == nil {
		return nil
	}
	w.Kind = andon.WaitLock
	switch {
	case p.Active != nil:
		w.On = string(p.Active.Plan.ID)
		w.Reason = fmt.Sprintf("deployment %s changes %s", p.Active.Plan.ID, p.Place)
	case p.Holder != nil:
		holder := andon.VersionRef{Service: p.Place.Service, Number: p.Holder.Version}
		w.On = holder.String()
		w.Reason = fmt.Sprintf("%s has %s for its stage %s", holder, p.Place, p.Holder.Stage)
	case p.Removing:
		for _, id := range sorted(p.Copies) {
			if a := s.Agents[p.Copies[id].Agent]; a != nil && !a.Lost {
				w.Kind, w.On = andon.WaitStop, string(id)
				w.Reason = fmt.Sprintf("%s, of the service that was removed, stops", id)
				return []andon.Wait{w}
			}
		}
		return nil
	default:
		return nil
	}
	return []andon.Wait{w}
}

// away returns the agents of a place that are not there, and since when.
func (s *State) away(p *Place) map[andon.AgentName]time.Time {
	var away map[andon.AgentName]time.Time
	for _, name := range p.Hosts {
		if a := s.Agents[name]; a != nil && a.Lost {
			put(&away, name, a.Since)
		}
	}
	return away
}
