package line

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// candidate reports whether the version may repair what stopped the line: it reached the trunk
// after what is broken, or is the broken one itself, run again.
func (c *Cord) candidate(v *Version) bool {
	if c.Fix == nil || c.Fix.Service != v.Ref.Service || !v.Trunk {
		return false
	}
	return v.Order > c.Order || v.Ref.Number == c.Fix.Broken
}

// passes reports whether the cord lets the version into a stage of the index: it is a candidate,
// and the stage is not behind the one that it must pass.
func (c *Cord) passes(v *Version, index int) bool {
	if !c.candidate(v) {
		return false
	}
	fix := v.stageIndex(c.Fix.Stage)
	return fix == noStage || index <= fix
}

// cordHold returns the cords that hold a waiting version back from its stage.
func (s *State) cordHold(v *Version) []andon.Wait {
	return s.stoppedFor(v, v.Next, v.deploysTo(), s.waitOf(v))
}

// stoppedFor returns a wait for each cord that keeps a version from a stage, or from an
// environment outside of its stages (index noStage).
func (s *State) stoppedFor(v *Version, index int, env andon.EnvironmentName, w andon.Wait) []andon.Wait {
	var waits []andon.Wait
	since := w.Since
	for _, c := range s.Cords {
		if !c.Scope.Covers(v.Ref.Service, env) || index != noStage && c.passes(v, index) {
			continue
		}
		w.Kind, w.On, w.Since = andon.WaitCord, string(c.ID), since
		if c.Pulled.After(since) {
			w.Since = c.Pulled
		}
		w.Reason = fmt.Sprintf("the line is stopped for %s by %s: %s", c.Scope, c.Owner, c.Reason)
		w.Action = fmt.Sprintf("andon cord release %s --reason …", c.ID)
		waits = append(waits, w)
	}
	return waits
}

// redStage pulls the cord for a stage that a trunk version failed, unless one is pulled that
// waits for the same stage already.
func (s *State) redStage(v *Version, stage andon.StageName, reason string, now time.Time) []andon.Body {
	fix := &andon.Fix{Service: v.Ref.Service, Broken: v.Ref.Number, After: v.Ref.Number, Stage: stage}
	for _, c := range s.Cords {
		if c.Fix != nil && c.Fix.Service == fix.Service && c.Fix.Stage == fix.Stage {
			return nil
		}
	}
	return []andon.Body{s.pull(andon.ActorLine, andon.Scope{Kind: andon.ScopeService, Service: v.Ref.Service}, reason, fix, now)}
}

func (s *State) pull(owner andon.Actor, scope andon.Scope, reason string, fix *andon.Fix, now time.Time) andon.CordPulled {
	return andon.CordPulled{Cord: andon.Cord{
		ID: andon.CordID(fmt.Sprintf("cord-%d", s.CordCount+1)), Scope: scope, Owner: owner, Reason: reason, Pulled: now, Fix: fix,
	}}
}

func released(c *Cord, v *Version, how string) andon.CordReleased {
	return andon.CordReleased{Cord: c.ID, Scope: c.Scope, Reason: fmt.Sprintf("%s %s", v.Ref, how), Version: v.Ref.Number}
}

func (s *State) applyCordPulled(c andon.Cord) {
	s.CordCount++
	cord := &Cord{Cord: c}
	if c.Fix != nil {
		if svc := s.Services[c.Fix.Service]; svc != nil {
			cord.Order = svc.Order
			if broken := svc.Versions[c.Fix.Broken]; c.Fix.Broken == c.Fix.After && broken != nil && broken.Trunk {
				cord.Order = broken.Order
			}
		}
	}
	s.Cords = append(s.Cords, cord)
	s.markScope(c.Scope)
}

func (s *State) applyCordReleased(b andon.CordReleased) {
	s.Cords = slices.DeleteFunc(s.Cords, func(c *Cord) bool { return c.ID == b.Cord })
	s.markScope(b.Scope)
}

// markScope puts what a cord held, or holds now, on the agenda.
func (s *State) markScope(scope andon.Scope) {
	if scope.Kind != andon.ScopeService {
		s.markAll()
		return
	}
	s.todo.markService(scope.Service)
	for env := range s.Environments {
		s.todo.markPlace(andon.Place{Service: scope.Service, Environment: env})
	}
}

// decide pulls the cord by hand.
func (c PullCord) decide(d *decision) error {
	if strings.TrimSpace(c.Reason) == "" {
		return andon.Errorf(andon.KindInvalid, "pulling the cord needs a reason").WithHint("add --reason and say what is wrong")
	}
	if err := c.Check(d.s); err != nil {
		return err
	}
	d.emit(d.s.pull(d.by, c.Scope, c.Reason, nil, d.now))
	return nil
}

// Check returns why the command would be refused as things are, given a reason; nil: it would be
// done.
func (c PullCord) Check(s *State) error {
	if err := s.checkScope(c.Scope); err != nil {
		return err
	}
	for _, open := range s.Cords {
		if open.Fix == nil && open.Scope == c.Scope {
			return andon.Errorf(andon.KindConflict, "the line is stopped for %s already: %s pulled %s (%s)", c.Scope, open.Owner, open.ID, open.Reason)
		}
	}
	return nil
}

func (s *State) checkScope(scope andon.Scope) error {
	switch scope.Kind {
	case andon.ScopePlant:
		if scope.Service == "" && scope.Environment == "" {
			return nil
		}
	case andon.ScopeEnvironment:
		if scope.Service == "" {
			_, err := s.findEnvironment(scope.Environment)
			return err
		}
	case andon.ScopeService:
		if scope.Environment == "" {
			_, err := s.findService(scope.Service)
			return err
		}
	}
	return andon.Errorf(andon.KindInvalid, "a cord stops the plant, one environment, or one service")
}

// decide releases cords by hand.
func (r ReleaseCord) decide(d *decision) error {
	if strings.TrimSpace(r.Reason) == "" {
		return andon.Errorf(andon.KindInvalid, "releasing a cord needs a reason").WithHint("add --reason and say why the line may run again")
	}
	found, err := r.Cords(d.s)
	for _, c := range found {
		d.emit(andon.CordReleased{Cord: c.ID, Scope: c.Scope, Reason: r.Reason})
	}
	return err
}

// Cords returns the cords that the command would release, given a reason; or why it would be
// refused.
func (r ReleaseCord) Cords(s *State) (found []andon.Cord, err error) {
	for _, c := range s.Cords {
		if c.ID == r.Cord || r.Cord == "" && c.Scope == r.Scope {
			found = append(found, c.Cord)
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case r.Cord != "":
		return nil, andon.Errorf(andon.KindNotFound, "no cord %s is pulled", r.Cord).WithHint("`andon status` lists the cords that are pulled")
	default:
		return nil, andon.Errorf(andon.KindNotFound, "no cord is pulled for %s", r.Scope).WithHint("`andon status` lists the cords that are pulled")
	}
}
