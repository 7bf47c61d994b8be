package line

import (
	"reflect"
	"slices"

	"github.com/andon-cd/andon/internal/andon"
)

func (a ApplyEstate) decide(d *decision) error {
	if a.Commit == "" || len(a.Environments) == 0 {
		return andon.Errorf(andon.KindInvalid, "an estate needs a commit and at least one environment")
	}
	declared := make([]andon.EnvironmentName, 0, len(a.Environments))
	for _, e := range a.Environments {
		if !andon.ValidName(string(e.Name)) || slices.Contains(declared, e.Name) {
			return andon.Errorf(andon.KindInvalid, "%q cannot name an environment of the estate", e.Name).WithHint(andon.NameRule)
		}
		declared = append(declared, e.Name)
	}
	var gone []andon.EnvironmentName
	for _, name := range sorted(d.s.Environments) {
		if slices.Contains(declared, name) {
			continue
		}
		if err := d.s.removable(name); err != nil {
			return err
		}
		gone = append(gone, name)
	}
	for _, name := range gone {
		d.emit(andon.EnvironmentRemoved{Environment: name})
	}
	changed := len(gone) > 0
	for _, e := range a.Environments {
		if have := d.s.Environments[e.Name]; have == nil || !reflect.DeepEqual(*have, e) {
			d.emit(andon.EnvironmentDeclared{Environment: e})
			changed = true
		}
	}
	if changed || d.s.Estate == nil || d.s.Estate.Commit != a.Commit {
		slices.Sort(declared)
		d.emit(andon.EstateApplied{Commit: a.Commit, Environments: declared})
	}
	return nil
}

// removable returns why an environment must stay: something is there, or on its way there.
func (s *State) removable(name andon.EnvironmentName) error {
	for _, key := range sorted(s.Places) {
		p := s.Places[key]
		if p.Place.Environment == name && (p.Live != nil || p.Active != nil || len(p.Queued) > 0 || len(p.Desired.Copies) > 0) {
			return andon.Errorf(andon.KindConflict, "the estate does not declare %s any more, and %s runs there", name, p.Place.Service).
				WithHint("keep environments/%s.yaml until no service needs it", name)
		}
	}
	for _, key := range sorted(s.Services) {
		for _, number := range sorted(s.Services[key].Versions) {
			v := s.Services[key].Versions[number]
			if v.Ended != nil || v.Pipeline == nil {
				continue
			}
			if _, _, named := v.Pipeline.StageFor(name); named {
				return andon.Errorf(andon.KindConflict, "the estate does not declare %s any more, and %s is on its way there", name, v.Ref).
					WithHint("keep environments/%s.yaml until no service needs it", name)
			}
		}
	}
	return nil
}
