package web

import (
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// touched returns the services whose rows on the board an event can change; everything is true
// when it can change all of them, or which services there are.
func touched(e andon.Event) (services []andon.ServiceName, everything bool) {
	one := func(s andon.ServiceName) ([]andon.ServiceName, bool) { return []andon.ServiceName{s}, s == "" }
	switch b := e.Body.(type) {
	case andon.VersionCreated:
		return one(b.Version.Service)
	case andon.VersionReachedTrunk:
		return one(b.Version.Service)
	case andon.MaturityChanged:
		return one(b.Version.Service)
	case andon.VersionEnded:
		return one(b.Version.Service)
	case andon.StageAdmitted:
		return one(b.Version.Service)
	case andon.StageStarted:
		return one(b.Version.Service)
	case andon.StageFinished:
		return one(b.Version.Service)
	case andon.TaskQueued:
		return one(b.Task.Version.Service)
	case andon.TaskLeased:
		return one(serviceOf(string(b.Task)))
	case andon.TaskCancelled:
		return one(serviceOf(string(b.Task)))
	case andon.TaskEnded:
		return one(b.Version.Service)
	case andon.DeploymentPlanned:
		return one(b.Plan.Service)
	case andon.DeploymentStarted:
		return one(b.Plan.Service)
	case andon.DesiredChanged:
		return one(b.Desired.Service)
	case andon.DeploymentMoved:
		return one(serviceOf(string(b.Deployment)))
	case andon.DeploymentJudged:
		return one(serviceOf(string(b.Deployment)))
	case andon.DeploymentEnded:
		return one(b.Service)
	case andon.CordPulled:
		return one(b.Cord.Scope.Service)
	case andon.CordReleased:
		return one(b.Scope.Service)
	case andon.Observed:
		for _, c := range b.Observation.Instances {
			services = append(services, serviceOf(string(c.ID)))
		}
		for _, r := range b.Observation.Routes {
			services = append(services, r.Service)
		}
		return services, false
	default:
		return nil, true
	}
}

// serviceOf returns the service that an ID of a task, a deployment or a copy begins with: names
// have no dots.
func serviceOf(id string) andon.ServiceName {
	service, _, _ := strings.Cut(id, ".")
	return andon.ServiceName(service)
}
