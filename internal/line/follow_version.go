package line

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// serviceNext returns what follows for the first of a service's open versions that can move; the
// newest on the trunk is looked at first. Versions whose jobs run or wait are passed over: there
// may be a thousand of them, and this is called for every event.
func (s *State) serviceNext(svc *Service, now time.Time) []andon.Body {
	for _, v := range svc.versions((*Version).mayMove) {
		bodies, waits := s.versionNext(svc, v, now)
		if len(bodies) > 0 {
			return bodies
		}
		if v.Run != nil && len(waits) > 0 && waits[0].Kind == andon.WaitTask { // then all of them are
			v.Run.waiting = true
		}
	}
	return nil
}

// open returns the versions that are on their way, the newest on the trunk first.
func (svc *Service) open() []*Version { return svc.versions((*Version).Open) }

// versions returns the versions that a condition holds for, the newest on the trunk first.
func (svc *Service) versions(condition func(*Version) bool) []*Version {
	var all []*Version
	for _, v := range svc.Versions {
		if condition(v) {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b *Version) int {
		return cmp.Or(cmp.Compare(b.Order, a.Order), cmp.Compare(b.Ref.Number, a.Ref.Number))
	})
	return all
}

// versionNext returns what follows for an open version, or why nothing does.
func (s *State) versionNext(svc *Service, v *Version, now time.Time) ([]andon.Body, []andon.Wait) {
	switch {
	case v.Run != nil:
		return s.stageNext(v, now)
	case v.Next == commitStage:
		return []andon.Body{andon.StageStarted{Version: v.Ref, Stage: andon.CommitStageName, Run: v.runs(andon.CommitStageName) + 1}}, nil
	case !v.Trunk:
		return []andon.Body{andon.VersionEnded{Version: v.Ref, Outcome: andon.Succeeded, Reason: "built; " + v.Branch + " is not the trunk"}}, nil
	case v.stage() == nil:
		return s.wayThrough(v), nil
	default:
		return s.enterNext(svc, v)
	}
}

// wayThrough ends the way of a version that went through all its stages. A stopped line that
// waits for a stage which this version does not have any more has its fix with it.
func (s *State) wayThrough(v *Version) []andon.Body {
	bodies := []andon.Body{andon.VersionEnded{Version: v.Ref, Outcome: andon.Succeeded}}
	for _, c := range s.Cords {
		if c.candidate(v) && v.stageIndex(c.Fix.Stage) == noStage {
			bodies = append(bodies, released(c, v, "went through all its stages"))
		}
	}
	return bodies
}

// enterNext lets a version into the stage that it waits for, or says what holds it.
func (s *State) enterNext(svc *Service, v *Version) ([]andon.Body, []andon.Wait) {
	if by, why := s.superseder(svc, v); by != nil {
		return []andon.Body{andon.VersionEnded{
			Version: v.Ref, Outcome: andon.Superseded, By: by.Ref.Number,
			Reason: fmt.Sprintf("%s %s", by.Ref, why),
		}}, nil
	}
	if waits := s.entryHold(v); len(waits) > 0 {
		return nil, waits
	}
	name := v.stage().Name
	return []andon.Body{andon.StageStarted{Version: v.Ref, Stage: name, Run: v.runs(name) + 1}}, nil
}

// entryHold returns what holds a version back from the stage that it waits for. The first gate
// that is shut is the answer: what comes behind it is of no interest yet.
func (s *State) entryHold(v *Version) []andon.Wait {
	if waits := s.approvalHold(v); len(waits) > 0 {
		return waits
	}
	if waits := s.cordHold(v); len(waits) > 0 {
		return waits
	}
	st := v.stage()
	if st.Deploy == "" {
		return nil
	}
	return s.lockHold(andon.Place{Service: v.Ref.Service, Environment: st.Deploy}, s.waitOf(v))
}

func (s *State) approvalHold(v *Version) []andon.Wait {
	st := v.stage()
	if st.Approval == nil || v.Admitted == st.Name {
		return nil
	}
	w := s.waitOf(v)
	w.Kind, w.On = andon.WaitApproval, string(st.Name)
	w.Reason = fmt.Sprintf("stage %s begins when a person promotes %s into it", st.Name, v.Ref)
	w.Action = fmt.Sprintf("andon promote %s %s %s", v.Ref.Service, v.Ref.Number, st.Name)
	return []andon.Wait{w}
}

// waitOf returns a wait of a version, to be completed.
func (s *State) waitOf(v *Version) andon.Wait {
	return andon.Wait{Service: v.Ref.Service, Version: v.Ref.Number, Stage: v.Stage(), Since: v.Since}
}

// permission ranks how far a waiting version is through the gates of the stage it waits for.
func (s *State) permission(v *Version) int {
	switch {
	case len(s.approvalHold(v)) > 0:
		return 0
	case len(s.cordHold(v)) > 0:
		return 1
	default:
		return 2
	}
}

// superseder returns the newer version that takes a waiting one's place, and why. A newer version
// that was in the stage already does, unless a person has just reopened the way of the older one;
// so does one that waits beside it and has come as far through the gates.
func (s *State) superseder(svc *Service, v *Version) (*Version, string) {
	st := v.stage()
	if e := svc.Entered[st.Name]; e.Order > v.Order && !v.Forced {
		by := svc.Versions[e.Version]
		if by == nil {
			by = &Version{Ref: andon.VersionRef{Service: svc.Name, Number: e.Version}}
		}
		return by, fmt.Sprintf("entered stage %s before it", st.Name)
	}
	for _, w := range svc.open() {
		if w.Order > v.Order && w.Trunk && w.Run == nil && w.Next >= 0 && w.Stage() == st.Name && s.permission(w) >= s.permission(v) {
			return w, fmt.Sprintf("is newer and ready for stage %s", st.Name)
		}
	}
	return nil, ""
}
