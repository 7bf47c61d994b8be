package line

import (
	"fmt"

	"github.com/andon-cd/andon/internal/andon"
)

func (p Promote) decide(d *decision) error {
	v, _, err := p.admissible(d.s)
	if err != nil {
		return err
	}
	d.emit(andon.StageAdmitted{Version: v.Ref, Stage: p.Stage, Reason: p.Reason})
	return nil
}

// Check returns why the command would be refused as things are; nil: it would be done.
func (p Promote) Check(s *State) error {
	_, _, err := p.admissible(s)
	return err
}

// admissible returns the version and the index of the stage that it may be let into, or why not.
func (p Promote) admissible(s *State) (*Version, int, error) {
	v, err := s.findVersion(p.Version)
	if err != nil {
		return nil, 0, err
	}
	index := v.stageIndex(p.Stage)
	if index < 0 {
		return nil, 0, andon.Errorf(andon.KindInvalid, "%s has no stage %s after its commit stage", v.Ref, p.Stage).
			WithHint("its stages are %s", v.stageNames())
	}
	if err := v.mayProceed(); err != nil {
		return nil, 0, err
	}
	if v.Open() {
		err = p.checkOpen(v, index)
	} else {
		err = p.checkEnded(s, v, index)
	}
	return v, index, err
}

// mayProceed refuses a version that nothing may take any further.
func (v *Version) mayProceed() error {
	switch {
	case v.Maturity == andon.Quarantined:
		return andon.Errorf(andon.KindRefused, "%s is quarantined: it was rolled back", v.Ref).
			WithHint("push a commit that repairs it")
	case v.Maturity == andon.Rejected:
		return andon.Errorf(andon.KindRefused, "%s is rejected: %s", v.Ref, v.ending()).
			WithHint("`andon rerun %s %s` tries what failed again; or push a fix", v.Ref.Service, v.Ref.Number)
	case !v.Trunk:
		return andon.Errorf(andon.KindRefused, "%s is on branch %s: only versions of the trunk are promoted", v.Ref, v.Branch)
	}
	return nil
}

func (p Promote) checkOpen(v *Version, index int) error {
	switch {
	case v.Pipeline.Stages[index].Approval == nil:
		return andon.Errorf(andon.KindInvalid, "stage %s has no manual gate: %s enters it by itself", p.Stage, v.Ref)
	case v.waits(index) && v.Admitted == p.Stage:
		return andon.Errorf(andon.KindConflict, "%s is admitted to stage %s already", v.Ref, p.Stage).
			WithHint("`andon why %s@%s` says what it waits for", v.Ref.Service, v.Ref.Number)
	case v.waits(index):
		return nil
	case v.Next >= index:
		return andon.Errorf(andon.KindConflict, "%s has been in stage %s already", v.Ref, p.Stage)
	default:
		return andon.Errorf(andon.KindConflict, "%s has not come to stage %s yet: it is in stage %s", v.Ref, p.Stage, v.Stage()).
			WithHint("promote it when it waits there")
	}
}

// checkEnded lets a version be taken up again that a newer one superseded just before the stage.
func (p Promote) checkEnded(s *State, v *Version, index int) error {
	if v.Ended.Outcome != andon.Superseded {
		return andon.Errorf(andon.KindConflict, "the way of %s is over: %s", v.Ref, v.ending()).
			WithHint("`andon rerun %s %s` takes up a stage that failed or was cancelled", v.Ref.Service, v.Ref.Number)
	}
	if v.Next != index {
		return andon.Errorf(andon.KindRefused, "%s was superseded before stage %s: it cannot enter stage %s", v.Ref, v.Stage(), p.Stage)
	}
	for _, w := range s.Services[v.Ref.Service].open() {
		if w.Order > v.Order && w.waits(w.Next) && w.Stage() == p.Stage && s.permission(w) == 2 {
			return andon.Errorf(andon.KindConflict, "%s is newer and about to enter stage %s", w.Ref, p.Stage).
				WithHint("cancel it first if %s is to go there instead", v.Ref)
		}
	}
	return nil
}

func (r Deploy) decide(d *decision) error {
	plan, err := r.plan(d.s, d.by)
	if err != nil {
		return err
	}
	p := d.s.Places[plan.Place.Key()]
	for _, queued := range p.forward() { // the newest wish counts
		d.emit(d.s.deploymentEnd(p, queued, andon.Superseded, fmt.Sprintf("%s asked for %s instead", d.by, r.Version)))
	}
	d.emit(andon.DeploymentPlanned{Plan: plan})
	return nil
}

func (r Deploy) plan(s *State, by andon.Actor) (andon.Plan, error) {
	v, err := s.findVersion(r.Version)
	if err != nil {
		return andon.Plan{}, err
	}
	if _, err := s.findEnvironment(r.Environment); err != nil {
		return andon.Plan{}, err
	}
	if err := v.mayProceed(); err != nil {
		return andon.Plan{}, err
	}
	if want := v.Pipeline.MaturityFor(r.Environment); !v.Maturity.AtLeast(want) {
		return andon.Plan{}, andon.Errorf(andon.KindRefused, "%s is %s, and %s asks for %s", v.Ref, v.Maturity, r.Environment, want).
			WithHint("its pipeline brings it there: `andon why %s@%s` says what it waits for", v.Ref.Service, v.Ref.Number)
	}
	plan, problem := s.plan(v, r.Environment, andon.DeployForward, by, r.Reason)
	if problem == nil {
		return plan, nil
	}
	if v.Artifact == nil && v.Open() {
		return andon.Plan{}, andon.Errorf(andon.KindConflict, "%s is not built yet", v.Ref)
	}
	return andon.Plan{}, problem
}
