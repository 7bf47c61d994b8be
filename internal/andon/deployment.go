package andon

import (
	"slices"
	"strings"
	"time"
)

// A DeploymentKind says why a deployment is made.
type DeploymentKind string

// The kinds of deployments.
const (
	DeployForward  DeploymentKind = "deploy"   // a version reaches the environment by its pipeline, or by a person
	DeployRollback DeploymentKind = "rollback" // a version that was good there is made live again
)

// A Release is a version as it ran, or is to run, in one place: what a rollback makes live again.
type Release struct {
	Version  VersionNumber `json:"version"`
	Commit   CommitID      `json:"commit"`
	Artifact Digest        `json:"artifact"`
	Config   ConfigHash    `json:"config"`
	Spec     RunSpec       `json:"spec"`
	Smoke    []Check       `json:"smoke,omitempty"`
}

// A Plan is a deployment as data, before it runs. It is recorded in the journal, so that a
// deployment means later what it meant when it was decided.
type Plan struct {
	Place
	Rollout
	ID       DeploymentID   `json:"id"`
	Kind     DeploymentKind `json:"kind"`
	Group    GroupID        `json:"group"` // the group to make live: a new one, or a warm one that is reused
	Release  Release        `json:"release"`
	Previous *Release       `json:"previous,omitempty"` // what is live before
	Base     GroupID        `json:"base,omitempty"`     // the group that is live before
	Agents   []AgentName    `json:"agents"`             // the hosts to place copies on, in turn
	Edges    []AgentName    `json:"edges,omitempty"`    // the hosts whose proxies get the route
	Hosts    []string       `json:"hosts,omitempty"`    // the route's host names; none for a worker
	Stage    StageName      `json:"stage,omitempty"`    // the stage that asked for it, if one did
	By       Actor          `json:"by"`                 // who asked for it
	Reason   string         `json:"reason,omitempty"`   // why, in a person's words
}

// A DeploymentStep is where a deployment is.
type DeploymentStep string

// The steps of a deployment, in the order in which an ordinary one takes them.
const (
	StepPlacing   DeploymentStep = "placing"   // new copies start and become healthy
	StepSmoking   DeploymentStep = "smoking"   // they are tested before they have traffic
	StepSwitching DeploymentStep = "switching" // traffic moves
	StepPausing   DeploymentStep = "pausing"   // they are watched with a share of the traffic
	StepSoaking   DeploymentStep = "soaking"   // they are watched with traffic
	StepDraining  DeploymentStep = "draining"  // requests in flight on the old copies end
	StepRemoving  DeploymentStep = "removing"  // the old copies stop
	StepReverting DeploymentStep = "reverting" // it failed or was aborted: what was live before comes back
	StepEnded     DeploymentStep = "ended"
)

// DeploymentSteps lists every step.
func DeploymentSteps() []DeploymentStep {
	return []DeploymentStep{StepPlacing, StepSmoking, StepSwitching, StepPausing, StepSoaking, StepDraining, StepRemoving, StepReverting, StepEnded}
}

// An Environment is a place where services run, as the estate or the plant's defaults declare it.
type Environment struct {
	Rollout
	Name  EnvironmentName `json:"name"`
	Hosts string          `json:"hosts"` // of the routes; ServiceInHost stands for the service's name
	// Aliases are further host names of the routes, of the same form.
	Aliases []string `json:"aliases,omitempty"`
	// Routes has the host names of those services that have their own, in place of Hosts and Aliases.
	Routes map[ServiceName][]string `json:"routes,omitempty"`
	// Place chooses the agents that copies go to. Without it, those labelled with the environment's
	// name; without any, the agent in the server's process.
	Place Selector `json:"place,omitzero"`
	// Edge chooses the agents whose proxies get the routes. Without it, those labelled as edges;
	// without any, the agents that copies go to.
	Edge Selector `json:"edge,omitzero"`
	// Platform is what runs the copies; empty: PlatformProcess.
	Platform string `json:"platform,omitempty"`
	// Limits are those of each copy; MostInstances bounds the copies of one service; 0: it does not.
	Limits        Limits `json:"limits,omitzero"`
	MostInstances int    `json:"most_instances,omitempty"`
}

// ServiceInHost stands for the name of a service in the host names of an environment.
const ServiceInHost = "{service}"

// RouteHosts returns the host names at which a service is reached in the environment.
func (e *Environment) RouteHosts(service ServiceName) []string {
	if own := e.Routes[service]; len(own) > 0 {
		return slices.Clone(own)
	}
	hosts := make([]string, 0, 1+len(e.Aliases))
	for _, pattern := range append([]string{e.Hosts}, e.Aliases...) {
		hosts = append(hosts, strings.ReplaceAll(pattern, ServiceInHost, string(service)))
	}
	return hosts
}

// DefaultEnvironments returns the environments of a plant without an estate.
func DefaultEnvironments() []Environment {
	return []Environment{
		{Name: "test", Rollout: Rollout{Strategy: Rolling}, Hosts: "{service}.test.localhost"},
		{Name: "production", Rollout: Rollout{Strategy: BlueGreen, Soak: time.Second}, Hosts: "{service}.localhost"},
	}
}
