package line

import (
	"reflect"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
)

func (a ApplyEstate) decide(d *decision) error {
	if err := a.Check(d.s); err != nil {
		return err
	}
	declared := a.names()
	changed := false
	for _, name := range sorted(d.s.Environments) {
		if !slices.Contains(declared, name) {
			d.emit(andon.EnvironmentRemoved{Environment: name})
			changed = true
		}
	}
	for _, e := range a.Environments {
		if have := d.s.Environments[e.Name]; have == nil || !reflect.DeepEqual(*have, e) {
			d.emit(andon.EnvironmentDeclared{Environment: e})
			changed = true
		}
	}
	if changed || !a.known(d.s) {
		d.emit(andon.EstateApplied{Commit: a.Commit, Environments: declared, Origin: a.Origin})
	}
	return nil
}

// Check returns why the line would refuse the estate as things are; nil: it would not. It changes
// nothing.
func (a ApplyEstate) Check(s *State) error {
	if a.Commit == "" || len(a.Environments) == 0 {
		return andon.Errorf(andon.KindInvalid, "an estate needs a commit and at least one environment")
	}
	declared := a.names()
	for i, name := range declared {
		if !andon.ValidName(string(name)) || i > 0 && declared[i-1] == name {
			return andon.Errorf(andon.KindInvalid, "%q cannot name an environment of the estate", name).WithHint(andon.NameRule)
		}
	}
	if s.Followed != nil && a.Origin != andon.EstateWatched {
		return andon.Errorf(andon.KindConflict, "the estate comes from the repository %s", s.Followed.Source.URL).
			WithHint("push there: the plant follows it; `andon estate unfollow` ends that")
	}
	if s.Followed == nil && a.Origin == andon.EstateWatched {
		return andon.Errorf(andon.KindConflict, "the estate is not followed any more")
	}
	for _, name := range sorted(s.Environments) {
		if slices.Contains(declared, name) {
			continue
		}
		if needs := s.needs(name); len(needs) > 0 {
			return andon.Errorf(andon.KindConflict, "the estate does not declare %s any more, and %s", name, listed(needs)).
				WithHint("keep environments/%s.yaml until no service needs it", name)
		}
	}
	if clash := s.routesClash(a.Environments, a.services(s)); clash != nil {
		return clash
	}
	return nil
}

// names returns the environments, in rising order.
func (a ApplyEstate) names() []andon.EnvironmentName {
	names := make([]andon.EnvironmentName, 0, len(a.Environments))
	for _, e := range a.Environments {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return names
}

// services returns those that there are, and those that the estate names before there are any.
func (a ApplyEstate) services(s *State) []andon.ServiceName {
	names := sorted(s.Services)
	for i := range a.Environments {
		for service := range a.Environments[i].Routes {
			names = append(names, service)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// known reports whether the state says already all that the event would.
func (a ApplyEstate) known(s *State) bool {
	return s.Estate != nil && s.Estate.Commit == a.Commit && (s.Followed == nil || s.Followed.Refused == nil) &&
		(a.Origin != andon.EstatePushed || s.Estate.Pushed == a.Commit)
}

func (f FollowEstate) decide(d *decision) error {
	source := f.Source
	if source.URL == "" {
		if d.s.Followed == nil {
			return andon.Errorf(andon.KindConflict, "the estate is not followed")
		}
		d.emit(andon.EstateFollowed{})
		return nil
	}
	source = withTrunk(source)
	if d.s.Followed == nil || d.s.Followed.Source != source {
		d.emit(andon.EstateFollowed{Source: source})
	}
	return nil
}

func (r RefuseEstate) decide(d *decision) error {
	if d.s.Followed == nil {
		return andon.Errorf(andon.KindConflict, "the estate is not followed any more")
	}
	if !r.Commit.Valid() || len(r.Problems) == 0 {
		return andon.Errorf(andon.KindInvalid, "a refusal needs a commit and what is wrong with it")
	}
	problems := make([]*andon.Error, 0, min(len(r.Problems), mostProblems))
	for _, problem := range r.Problems[:min(len(r.Problems), mostProblems)] {
		shown := *problem
		shown.Cause = nil // for the server's log only
		problems = append(problems, &shown)
	}
	if known := d.s.Followed.Refused; known != nil && known.Commit == r.Commit && slices.EqualFunc(known.Problems, problems, same) {
		return nil
	}
	d.emit(andon.EstateRefused{Commit: r.Commit, Problems: problems})
	return nil
}

// mostProblems is how many problems of a refused estate are kept.
const mostProblems = 20

// same reports whether two errors say the same.
func same(a, b *andon.Error) bool { return *a == *b }

// nameFree returns why a new service cannot have its name.
func (s *State) nameFree(name andon.ServiceName) error {
	if name == andon.EstateRepository {
		return andon.Errorf(andon.KindInvalid, "no service can be called %s: that is the repository of the estate", name).
			WithHint("choose another name")
	}
	environments := make([]andon.Environment, 0, len(s.Environments))
	for _, env := range sorted(s.Environments) {
		environments = append(environments, *s.Environments[env])
	}
	if clash := s.routesClash(environments, append(sorted(s.Services), name)); clash != nil {
		return clash
	}
	return nil
}
