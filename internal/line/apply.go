package line

import (
	"fmt"

	"github.com/andon-cd/andon/internal/andon"
)

// Apply changes the state by one event. It never decides anything: the event has the facts.
func (s *State) Apply(e andon.Event) {
	switch b := e.Body.(type) {
	case andon.PlantCreated:
		s.Plant = b.Plant
	case andon.EnvironmentDeclared:
		env := b.Environment
		s.Environments[env.Name] = &env
		s.markAll()
	case andon.EnvironmentRemoved:
		delete(s.Environments, b.Environment)
		s.markAll()
	case andon.EstateApplied:
		s.applyEstate(b, e)
	case andon.EstateFollowed:
		s.applyEstateFollowed(b, e)
	case andon.EstateRefused:
		s.applyEstateRefused(b, e)
	case andon.ServiceAdded:
		s.applyServiceAdded(b, e.Time)
	case andon.ServiceRemoved:
		s.applyServiceRemoved(b)
	case andon.VersionCreated:
		s.applyVersionCreated(b, e.Time)
	case andon.VersionReachedTrunk:
		s.applyReachedTrunk(b, e.Time)
	case andon.MaturityChanged:
		s.applyMaturity(b)
	case andon.VersionEnded:
		s.applyVersionEnded(b, e.Time)
	case andon.StageAdmitted:
		s.applyAdmitted(b, e.Time)
	case andon.StageStarted:
		s.applyStageStarted(b, e.Time)
	case andon.StageFinished:
		s.applyStageFinished(b, e.Time)
	case andon.TaskQueued:
		s.applyTaskQueued(b, e.Time)
	case andon.TaskLeased:
		s.applyTaskLeased(b, e.Time)
	case andon.TaskCancelled:
		s.applyTaskCancelled(b)
	case andon.TaskEnded:
		s.applyTaskEnded(b)
	case andon.AgentConnected:
		s.applyAgentConnected(b, e.Time)
	case andon.AgentLost:
		s.applyAgentLost(b, e.Time)
	case andon.HostAdded:
		s.applyHostAdded(b, e.Time)
	case andon.HostJoined:
		s.applyHostJoined(b, e.Time)
	case andon.HostRemoved:
		s.applyHostRemoved(b)
	case andon.Observed:
		s.applyObserved(b.Observation, e.Time)
	case andon.DeploymentPlanned:
		s.applyPlanned(b.Plan, e.Time)
	case andon.DeploymentStarted:
		s.applyStarted(b.Plan, e.Time)
	case andon.DesiredChanged:
		s.applyDesired(b, e.Time)
	case andon.DeploymentMoved:
		s.applyMoved(b, e.Time)
	case andon.DeploymentJudged:
		s.applyJudged(b)
	case andon.DeploymentEnded:
		s.applyDeploymentEnded(b, e.Time)
	case andon.CordPulled:
		s.applyCordPulled(b.Cord)
	case andon.CordReleased:
		s.applyCordReleased(b)
	default:
		panic(fmt.Sprintf("line: Apply does not know the event %T", e.Body))
	}
}
