package line

import (
	"strconv"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

func (c Cancel) decide(d *decision) error {
	if err := c.Check(d.s); err != nil {
		return err
	}
	reason := "cancelled by " + string(d.by)
	if c.Reason != "" {
		reason += ": " + c.Reason
	}
	if c.Deployment != "" {
		d.cancelDeployment(c.Deployment, reason)
		return nil
	}
	v := d.s.version(c.Version)
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

// Check returns why the command would be refused as things are; nil: it would be done.
func (c Cancel) Check(s *State) error {
	if (c.Deployment == "") == (c.Version == andon.VersionRef{}) {
		return andon.Errorf(andon.KindInvalid, "cancel takes either a version or a deployment")
	}
	if c.Deployment != "" {
		found := s.FindDeployment(c.Deployment)
		switch {
		case found == nil && s.deploymentPlace(c.Deployment).had(c.Deployment):
			return andon.Errorf(andon.KindConflict, "deployment %s has ended", c.Deployment)
		case found == nil:
			return andon.Errorf(andon.KindNotFound, "no deployment %s is on its way", c.Deployment).WithHint("`andon status` lists those that are")
		case found.Step == andon.StepReverting:
			return andon.Errorf(andon.KindConflict, "deployment %s goes back already: %s", c.Deployment, found.Reason)
		}
		return nil
	}
	v, err := s.findVersion(c.Version)
	switch {
	case err != nil:
		return err
	case !v.Open():
		return andon.Errorf(andon.KindConflict, "the way of %s is over: %s", v.Ref, v.ending())
	case c.Stage != "" && v.Stage() != c.Stage:
		return andon.Errorf(andon.KindConflict, "%s is not in stage %s: it is in stage %s", v.Ref, c.Stage, v.Stage())
	}
	return nil
}

// had reports whether a deployment was one of the place, whatever became of it.
func (p *Place) had(id andon.DeploymentID) bool {
	if p == nil {
		return false
	}
	n, err := strconv.ParseInt(string(id[strings.LastIndexByte(string(id), '.')+1:]), 10, 64)
	return err == nil && n > 0 && n <= p.Deployments && id == andon.NewDeploymentID(p.Place, n)
}

// cancelDeployment ends a deployment that may be cancelled.
func (d *decision) cancelDeployment(id andon.DeploymentID, reason string) {
	p := d.s.deploymentPlace(id)
	found := d.s.FindDeployment(id)
	if found != p.Active {
		d.emit(d.s.deploymentEnd(p, found, andon.Cancelled, reason))
		return
	}
	d.emit(d.s.revert(p, andon.Aborted, reason)...)
	v := d.s.version(andon.VersionRef{Service: p.Place.Service, Number: found.Plan.Release.Version})
	if v != nil && v.Run != nil && v.Run.Deployment == id {
		d.emit(d.s.endVersion(v, andon.Cancelled, reason, d.now)...)
	}
}
