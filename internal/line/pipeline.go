package line

import (
	"cmp"
	"maps"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
)

// Pipeline returns the one of the newest version of the trunk that has one; nil: none has.
func (svc *Service) Pipeline() *andon.Pipeline {
	var newest *Version
	for _, v := range svc.Versions {
		if v.Trunk && v.Pipeline != nil && (newest == nil || v.Order > newest.Order) {
			newest = v
		}
	}
	if newest == nil {
		return nil
	}
	return newest.Pipeline
}

// Team returns who is responsible for a service, as its pipeline says; empty: nobody says.
func (svc *Service) Team() andon.TeamName {
	p := svc.Pipeline()
	if p == nil {
		return ""
	}
	return p.Team
}

// Concerns reports whether a cord of a scope holds something of a service back: all of it, or what
// goes to an environment that it is in, or on its way to.
func (s *State) Concerns(scope andon.Scope, svc *Service) bool {
	if scope.Kind != andon.ScopeEnvironment {
		return scope.Covers(svc.Name, "")
	}
	if p := s.PlaceOf(andon.Place{Service: svc.Name, Environment: scope.Environment}); p != nil && (p.Live != nil || p.Active != nil) {
		return true
	}
	p := svc.Pipeline()
	if p == nil {
		return false
	}
	_, _, goes := p.StageFor(scope.Environment)
	return goes
}

// EnvironmentsInOrder returns the environments in the order in which versions come to them: each by
// the latest stage of any pipeline that deploys there, those that no pipeline names after all others.
func (s *State) EnvironmentsInOrder() []andon.EnvironmentName {
	stage := make(map[andon.EnvironmentName]int, len(s.Environments))
	for name := range s.Environments {
		stage[name] = noPipelinesStage
	}
	for _, svc := range s.Services {
		p := svc.Pipeline()
		if p == nil {
			continue
		}
		for i, st := range p.Stages {
			if at, known := stage[st.Deploy]; known && (at == noPipelinesStage || i > at) {
				stage[st.Deploy] = i
			}
		}
	}
	return slices.SortedFunc(maps.Keys(stage), func(a, b andon.EnvironmentName) int {
		return cmp.Or(cmp.Compare(stage[a], stage[b]), cmp.Compare(a, b))
	})
}

// noPipelinesStage is after the stages of all pipelines.
const noPipelinesStage = 1 << 30
