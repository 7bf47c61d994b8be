package line

import (
	"fmt"

	"github.com/andon-cd/andon/internal/andon"
)

func (r Rerun) decide(d *decision) error {
	if r.Deployment != "" {
		means, err := r.Means(d.s)
		if err != nil {
			return err
		}
		return means.decide(d)
	}
	v, index, err := r.way(d.s)
	if err != nil {
		return err
	}
	if v.Maturity == andon.Rejected {
		d.emit(andon.MaturityChanged{Version: v.Ref, From: v.Maturity, To: v.Earned, Reason: fmt.Sprintf("stage %s runs again", v.stageName(index))})
	}
	d.emit(andon.StageAdmitted{Version: v.Ref, Stage: v.stageName(index), Reason: "run again"})
	return nil
}

// Check returns why the command, of a version, would be refused as things are; nil: it would be
// done. One of a deployment is what it Means.
func (r Rerun) Check(s *State) error {
	_, _, err := r.way(s)
	return err
}

// way returns the version and the index of the stage where its way is taken up again: where it
// ended, or at an earlier stage; or why it cannot be.
func (r Rerun) way(s *State) (*Version, int, error) {
	if (r.Deployment == "") == (r.Version == andon.VersionRef{}) {
		return nil, 0, andon.Errorf(andon.KindInvalid, "rerun takes either a version or a deployment")
	}
	v, err := s.findVersion(r.Version)
	if err != nil {
		return nil, 0, err
	}
	switch {
	case v.Open():
		return nil, 0, andon.Errorf(andon.KindConflict, "%s is on its way: it is in stage %s", v.Ref, v.Stage())
	case v.Maturity == andon.Quarantined:
		return nil, 0, v.mayProceed()
	case v.Pipeline == nil:
		return nil, 0, andon.Errorf(andon.KindRefused, "%s has no pipeline to run: %s", v.Ref, v.ending()).WithHint("push a fix")
	case v.Ended.Outcome == andon.Superseded:
		return nil, 0, andon.Errorf(andon.KindConflict, "%s was superseded by version %s", v.Ref, v.Ended.By).
			WithHint("`andon promote %s %s %s` takes it up again", v.Ref.Service, v.Ref.Number, v.Stage())
	case v.Ended.Outcome == andon.Succeeded:
		return nil, 0, andon.Errorf(andon.KindConflict, "%s went through all its stages", v.Ref)
	}
	index := v.Next
	if r.Stage != "" {
		index = v.stageIndex(r.Stage)
	}
	switch {
	case index == noStage:
		return nil, 0, andon.Errorf(andon.KindInvalid, "%s has no stage %s", v.Ref, r.Stage).
			WithHint("its stages are %s", v.stageNames())
	case index > v.Next:
		return nil, 0, andon.Errorf(andon.KindRefused, "%s ended in stage %s: it cannot go on at stage %s", v.Ref, v.Stage(), r.Stage)
	case index == commitStage && v.Artifact != nil:
		return nil, 0, andon.Errorf(andon.KindRefused, "%s is built: a version is built once", v.Ref)
	}
	return v, index, nil
}

// Means returns the command that asks again for what the last deployment of a place could not do:
// a Rollback, the Rerun of a stage, or a Deploy.
func (r Rerun) Means(s *State) (Verb, error) {
	if r.Version != (andon.VersionRef{}) {
		return nil, andon.Errorf(andon.KindInvalid, "rerun takes either a version or a deployment")
	}
	p := s.deploymentPlace(r.Deployment)
	if s.FindDeployment(r.Deployment) != nil {
		return nil, andon.Errorf(andon.KindConflict, "deployment %s has not ended", r.Deployment)
	}
	if p == nil || !p.had(r.Deployment) {
		return nil, andon.Errorf(andon.KindNotFound, "there is no deployment %s", r.Deployment).
			WithHint("`andon status` lists what is on its way, `andon audit` what happened")
	}
	if p.Last == nil || p.Last.Plan.ID != r.Deployment {
		return nil, andon.Errorf(andon.KindNotFound, "%s is not the last deployment of its place", r.Deployment).
			WithHint("`andon deploy SERVICE VERSION ENVIRONMENT` deploys any version that is ready for it")
	}
	if p.Last.Outcome == andon.Succeeded {
		return nil, andon.Errorf(andon.KindConflict, "deployment %s succeeded", r.Deployment)
	}
	plan := p.Last.Plan
	ref := andon.VersionRef{Service: plan.Service, Number: plan.Release.Version}
	switch {
	case plan.Kind == andon.DeployRollback:
		return Rollback{Place: plan.Place, To: plan.Release.Version, Reason: plan.Reason}, nil
	case plan.Stage != "":
		return Rerun{Version: ref, Stage: plan.Stage}, nil
	}
	return Deploy{Version: ref, Environment: plan.Environment, Reason: plan.Reason}, nil
}
