package line

import (
	"reflect"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// keptVersions is how many versions of a service whose way is over stay in the state, besides
// those that a place refers to. They can be rerun, promoted and deployed, and a push of their
// commit is recognised.
const keptVersions = 20

func (s *State) version(ref andon.VersionRef) *Version {
	if svc := s.Services[ref.Service]; svc != nil {
		return svc.Versions[ref.Number]
	}
	return nil
}

func (s *State) applyVersionCreated(b andon.VersionCreated, at time.Time) {
	svc := s.Services[b.Version.Service]
	if svc == nil {
		return
	}
	v := &Version{
		Ref: b.Version, Commit: b.Commit, Branch: b.Branch, Trunk: b.Trunk, Author: b.Author, Subject: b.Subject,
		Committed: b.Committed, Created: at, Pipeline: b.Pipeline, Problem: b.Problem,
		Maturity: andon.Development, Earned: andon.Development, Next: commitStage, Since: at,
	}
	// Most versions have the pipeline of the one before: one copy of it in memory is enough.
	if last := svc.Versions[svc.Newest]; last != nil && reflect.DeepEqual(last.Pipeline, v.Pipeline) {
		v.Pipeline = last.Pipeline
	}
	if v.Trunk {
		svc.Order++
		v.Order = svc.Order
	}
	svc.Newest = max(svc.Newest, b.Version.Number)
	put(&svc.Versions, b.Version.Number, v)
	s.todo.markService(svc.Name)
}

func (s *State) applyReachedTrunk(b andon.VersionReachedTrunk, at time.Time) {
	v := s.version(b.Version)
	if v == nil {
		return
	}
	svc := s.Services[b.Version.Service]
	svc.Order++
	v.Trunk, v.Order, v.Branch, v.Since = true, svc.Order, svc.Source.Trunk, at
	if v.Ended != nil && v.Maturity != andon.Rejected {
		v.Ended = nil
	}
	s.todo.markService(svc.Name)
}

func (s *State) applyMaturity(b andon.MaturityChanged) {
	v := s.version(b.Version)
	if v == nil {
		return
	}
	v.Maturity = b.To
	switch b.To {
	case andon.Rejected:
	case andon.Quarantined:
		s.quarantine(b.Version)
	default:
		v.Earned = b.To
	}
	s.markScope(andon.Scope{Kind: andon.ScopeService, Service: b.Version.Service})
}

// quarantine marks a version in the history of every place, so that no rollback picks it.
func (s *State) quarantine(ref andon.VersionRef) {
	for env := range s.Environments {
		p := s.Places[andon.Place{Service: ref.Service, Environment: env}.Key()]
		if p == nil {
			continue
		}
		for i := range p.Good {
			if p.Good[i].Release.Version == ref.Number {
				p.Good[i].Quarantined = true
			}
		}
	}
}

func (s *State) applyVersionEnded(b andon.VersionEnded, at time.Time) {
	v := s.version(b.Version)
	if v == nil {
		return
	}
	v.Ended = &End{Outcome: b.Outcome, Reason: b.Reason, At: at, By: b.By}
	v.Since = at
	v.Admitted, v.Forced = "", false
	s.prune(s.Services[b.Version.Service])
	s.todo.markService(b.Version.Service)
}

func (s *State) applyAdmitted(b andon.StageAdmitted, at time.Time) {
	v := s.version(b.Version)
	if v == nil {
		return
	}
	v.Admitted = b.Stage
	if v.Ended != nil {
		v.Ended, v.Forced, v.Since = nil, true, at
		v.Next = v.stageIndex(b.Stage)
	}
	s.todo.markService(b.Version.Service)
}

func (s *State) applyStageStarted(b andon.StageStarted, at time.Time) {
	v := s.version(b.Version)
	if v == nil {
		return
	}
	svc := s.Services[b.Version.Service]
	v.Run = &StageRun{Stage: b.Stage, Run: b.Run, Started: at}
	if v.Order > svc.Entered[b.Stage].Order {
		put(&svc.Entered, b.Stage, Entry{Version: b.Version.Number, Order: v.Order})
	}
	if env := v.deploysTo(); env != "" {
		s.place(andon.Place{Service: svc.Name, Environment: env}).Holder = &Holder{Version: b.Version.Number, Stage: b.Stage, Since: at}
	}
	s.todo.markService(svc.Name)
}

func (s *State) applyStageFinished(b andon.StageFinished, at time.Time) {
	v := s.version(b.Version)
	if v == nil || v.Run == nil {
		return
	}
	if env := v.deploysTo(); env != "" {
		p := s.place(andon.Place{Service: b.Version.Service, Environment: env})
		if p.Holder != nil && p.Holder.Version == b.Version.Number && p.Holder.Stage == b.Stage {
			p.Holder = nil
		}
		s.todo.markPlace(p.Place)
	}
	v.Stages = slices.DeleteFunc(v.Stages, func(e StageEnd) bool { return e.Stage == b.Stage })
	v.Stages = append(v.Stages, StageEnd{
		Stage: b.Stage, Run: b.Run, Outcome: b.Outcome, Reason: b.Reason, Ended: at, Took: b.Took,
		Slow: b.Slow, Deployment: v.Run.Deployment,
	})
	v.Run = nil
	v.Since = at
	v.Admitted, v.Forced = "", false
	if b.Outcome == andon.Succeeded {
		v.Next++
	}
	if b.Artifact != nil {
		v.Artifact = b.Artifact
	}
	s.todo.markService(b.Version.Service)
}

// prune lets the oldest versions go whose way is over and that no place refers to.
func (s *State) prune(svc *Service) {
	if len(svc.Versions) <= keptVersions {
		return
	}
	used := map[andon.VersionNumber]bool{}
	for env := range s.Environments {
		if p := s.Places[andon.Place{Service: svc.Name, Environment: env}.Key()]; p != nil {
			p.uses(used)
		}
	}
	kept := 0
	for _, n := range slices.Backward(sorted(svc.Versions)) {
		switch v := svc.Versions[n]; {
		case v.Ended == nil || used[n] || n == svc.Newest:
		case kept < keptVersions:
			kept++
		default:
			delete(svc.Versions, n)
		}
	}
}

// uses adds the versions that a place refers to.
func (p *Place) uses(used map[andon.VersionNumber]bool) {
	if p.Live != nil {
		used[p.Live.Version] = true
	}
	for _, g := range p.Good {
		used[g.Release.Version] = true
	}
	if p.Active != nil {
		used[p.Active.Plan.Release.Version] = true
	}
	for _, d := range p.Queued {
		used[d.Plan.Release.Version] = true
	}
}
