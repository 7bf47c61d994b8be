package line

import (
	"fmt"

	"github.com/andon-cd/andon/internal/andon"
)

func (c Cancel) decide(d *decision) error {
	if (c.Deployment == "") == (c.Version == andon.VersionRef{}) {
		return andon.Errorf(andon.KindInvalid, "cancel takes either a version or a deployment")
	}
	reason := "cancelled by " + string(d.by)
	if c.Reason != "" {
		reason += ": " + c.Reason
	}
	if c.Deployment != "" {
		return d.cancelDeployment(c.Deployment, reason)
	}
	v, err := d.s.findVersion(c.Version)
	if err != nil {
		return err
	}
	if !v.Open() {
		return andon.Errorf(andon.KindConflict, "the way of %s is over: %s", v.Ref, v.ending())
	}
	if c.Stage != "" && v.Stage() != c.Stage {
		return andon.Errorf(andon.KindConflict, "%s is not in stage %s: it is in stage %s", v.Ref, c.Stage, v.Stage())
	}
	if p := d.s.stageDeployment(v); p != nil {
		d.emit(d.s.revert(p, andon.Aborted, reason)...)
	}
	d.emit(d.s.endVersion(v, andon.Cancelled, reason, d.now)...)
	return nil
}

// stageDeployment returns the place that the stage of a version changes now, unless that goes
// back already.
func (s *State) stageDeployment(v *Version) *Place {
	if v.Run == nil || v.Run.Deployment == "" {
		return nil
	}
	p := s.deploymentPlace(v.Run.Deployment)
	if p == nil || p.Active == nil || p.Active.Plan.ID != v.Run.Deployment || p.Active.Step == andon.StepReverting {
		return nil
	}
	return p
}

func (d *decision) cancelDeployment(id andon.DeploymentID, reason string) error {
	found := d.s.FindDeployment(id)
	if found == nil {
		return andon.Errorf(andon.KindNotFound, "no deployment %s is on its way", id).WithHint("`andon status` lists those that are")
	}
	p := d.s.deploymentPlace(id)
	switch {
	case found != p.Active:
		d.emit(d.s.deploymentEnd(p, found, andon.Cancelled, reason))
		return nil
	case found.Step == andon.StepReverting:
		return andon.Errorf(andon.KindConflict, "deployment %s goes back already: %s", id, found.Reason)
	}
	d.emit(d.s.revert(p, andon.Aborted, reason)...)
	v := d.s.version(andon.VersionRef{Service: p.Place.Service, Number: found.Plan.Release.Version})
	if v != nil && v.Run != nil && v.Run.Deployment == id {
		d.emit(d.s.endVersion(v, andon.Cancelled, reason, d.now)...)
	}
	return nil
}

func (r Rerun) decide(d *decision) error {
	if (r.Deployment == "") == (r.Version == andon.VersionRef{}) {
		return andon.Errorf(andon.KindInvalid, "rerun takes either a version or a deployment")
	}
	if r.Deployment != "" {
		return d.rerunDeployment(r.Deployment)
	}
	v, err := d.s.findVersion(r.Version)
	if err != nil {
		return err
	}
	return d.rerun(v, r.Stage)
}

// rerun takes the way of a version up again where it ended, or at an earlier stage.
func (d *decision) rerun(v *Version, stage andon.StageName) error {
	switch {
	case v.Open():
		return andon.Errorf(andon.KindConflict, "%s is on its way: it is in stage %s", v.Ref, v.Stage())
	case v.Maturity == andon.Quarantined:
		return v.mayProceed()
	case v.Pipeline == nil:
		return andon.Errorf(andon.KindRefused, "%s has no pipeline to run: %s", v.Ref, v.ending()).WithHint("push a fix")
	case v.Ended.Outcome == andon.Superseded:
		return andon.Errorf(andon.KindConflict, "%s was superseded by version %s", v.Ref, v.Ended.By).
			WithHint("`andon promote %s %s %s` takes it up again", v.Ref.Service, v.Ref.Number, v.Stage())
	case v.Ended.Outcome == andon.Succeeded:
		return andon.Errorf(andon.KindConflict, "%s went through all its stages", v.Ref)
	}
	index := v.Next
	if stage != "" {
		index = v.stageIndex(stage)
	}
	switch {
	case index == noStage:
		return andon.Errorf(andon.KindInvalid, "%s has no stage %s", v.Ref, stage)
	case index > v.Next:
		return andon.Errorf(andon.KindRefused, "%s ended in stage %s: it cannot go on at stage %s", v.Ref, v.Stage(), stage)
	case index == commitStage && v.Artifact != nil:
		return andon.Errorf(andon.KindRefused, "%s is built: a version is built once", v.Ref)
	}
	if v.Maturity == andon.Rejected {
		d.emit(andon.MaturityChanged{Version: v.Ref, From: v.Maturity, To: v.Earned, Reason: fmt.Sprintf("stage %s runs again", v.stageName(index))})
	}
	d.emit(andon.StageAdmitted{Version: v.Ref, Stage: v.stageName(index), Reason: "run again"})
	return nil
}

// rerunDeployment asks again for what the last deployment of a place could not do.
func (d *decision) rerunDeployment(id andon.DeploymentID) error {
	p := d.s.deploymentPlace(id)
	if d.s.FindDeployment(id) != nil {
		return andon.Errorf(andon.KindConflict, "deployment %s has not ended", id)
	}
	if p == nil || p.Last == nil || p.Last.Plan.ID != id {
		return andon.Errorf(andon.KindNotFound, "%s is not the last deployment of its place", id).
			WithHint("`andon deploy SERVICE VERSION ENVIRONMENT` deploys any version that is ready for it")
	}
	if p.Last.Outcome == andon.Succeeded {
		return andon.Errorf(andon.KindConflict, "deployment %s succeeded", id)
	}
	plan := p.Last.Plan
	switch {
	case plan.Kind == andon.DeployRollback:
		return Rollback{Place: plan.Place, To: plan.Release.Version, Reason: plan.Reason}.decide(d)
	case plan.Stage != "":
		v, err := d.s.findVersion(andon.VersionRef{Service: plan.Service, Number: plan.Release.Version})
		if err != nil {
			return err
		}
		return d.rerun(v, plan.Stage)
	}
	return Deploy{
		Version: andon.VersionRef{Service: plan.Service, Number: plan.Release.Version}, Environment: plan.Environment, Reason: plan.Reason,
	}.decide(d)
}
