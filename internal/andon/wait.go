package andon

import (
	"strings"
	"time"
)

// A WaitKind says what something waits for.
type WaitKind string

// What things wait for. Every item that does not move has at least one.
const (
	WaitAgent      WaitKind = "agent"      // a free slot on an agent, or an agent at all
	WaitLock       WaitKind = "lock"       // another deployment, or the stage of another version, holds the place
	WaitCord       WaitKind = "cord"       // the line is stopped
	WaitApproval   WaitKind = "approval"   // a person promotes the version
	WaitTask       WaitKind = "task"       // a running task ends
	WaitCopies     WaitKind = "copies"     // copies become healthy
	WaitTraffic    WaitKind = "traffic"    // the proxy attests the new route
	WaitDrain      WaitKind = "drain"      // requests in flight end
	WaitSoak       WaitKind = "soak"       // a time passes in which all must stay well
	WaitStop       WaitKind = "stop"       // copies that are no longer wanted stop
	WaitDeployment WaitKind = "deployment" // the deployment of the stage ends
	WaitWarm       WaitKind = "warm"       // the time passes for which a group stays that is not live any more; it holds nothing up
)

// WaitKinds lists every kind of wait.
func WaitKinds() []WaitKind {
	return []WaitKind{WaitAgent, WaitLock, WaitCord, WaitApproval, WaitTask, WaitCopies, WaitTraffic, WaitDrain, WaitSoak, WaitStop, WaitDeployment, WaitWarm}
}

// A Wait says why one thing does not move.
type Wait struct {
	Service    ServiceName   `json:"service"`
	Version    VersionNumber `json:"version,omitempty"`
	Stage      StageName     `json:"stage,omitempty"`
	Deployment DeploymentID  `json:"deployment,omitempty"`
	Task       TaskID        `json:"task,omitempty"`
	Kind       WaitKind      `json:"kind"`
	On         string        `json:"on,omitempty"` // the ID of what it waits for: a cord, a task, a deployment, "shop 41"
	Since      time.Time     `json:"since"`
	Until      time.Time     `json:"until,omitzero"`   // when it ends at the latest, where that is known
	Reason     string        `json:"reason"`           // one sentence for people
	Action     string        `json:"action,omitempty"` // the command that unblocks it, where there is one
}

// HeldBy reports whether another wait is one of the thing that this one waits for: the next link of
// the chain of reasons.
func (w Wait) HeldBy(next Wait) bool {
	if w.On == "" || next == w {
		return false
	}
	switch w.Kind {
	case WaitTask:
		return string(next.Task) == w.On && next.Kind != WaitTask
	case WaitDeployment:
		return string(next.Deployment) == w.On && next.Kind != WaitDeployment
	case WaitLock:
		if service, number, ok := strings.Cut(w.On, " "); ok {
			return string(next.Service) == service && next.Version.String() == number
		}
		return string(next.Deployment) == w.On
	default:
		return false
	}
}
