package andon

import "time"

// DeploymentPlanned queues a deployment for its place.
type DeploymentPlanned struct {
	Plan Plan `json:"plan"`
}

// DeploymentStarted says that the deployment holds its place now. The plan is complete: what is
// live before it, and the group that it makes live, are decided here.
type DeploymentStarted struct {
	Plan Plan `json:"plan"`
}

// DesiredChanged replaces what should be in one place.
type DesiredChanged struct {
	Deployment DeploymentID `json:"deployment,omitempty"` // empty: the service was removed, or a warm group's time is over
	Desired    Desired      `json:"desired"`
}

// DeploymentMoved says which step a deployment is at now.
type DeploymentMoved struct {
	Deployment DeploymentID   `json:"deployment"`
	Step       DeploymentStep `json:"step"`
	Reason     string         `json:"reason,omitempty"`  // why it reverts
	Outcome    Outcome        `json:"outcome,omitempty"` // with StepReverting: what it will end with
}

// DeploymentEnded says how a deployment ended. Succeeded: its release is live. Otherwise what was
// live before is live again.
type DeploymentEnded struct {
	Deployment DeploymentID `json:"deployment"`
	Place
	Version VersionNumber `json:"version"`
	Outcome Outcome       `json:"outcome"`
	Reason  string        `json:"reason,omitempty"`
	Live    *Release      `json:"live,omitempty"`   // what is live now; nil: nothing
	Group   GroupID       `json:"group,omitempty"`  // the group that is live now
	Ledger  *Ledger       `json:"ledger,omitempty"` // as of the last observation
	Warm    *Warm         `json:"warm,omitempty"`   // with Succeeded: what stays, for going back
}

// Warm is a group that stays for some time after another one took over from it: without requests,
// kept healthy by its agents, so that going back to it is one switch.
type Warm struct {
	Group      GroupID      `json:"group"`
	Release    Release      `json:"release"`
	Deployment DeploymentID `json:"deployment"` // that took over from it
	Since      time.Time    `json:"since"`
	Until      time.Time    `json:"until"`
}

// DeploymentJudged says that the comparison of a deployment's new group with the old one came to
// another verdict than before; the first one is a change too. Looks that change nothing are no
// events.
type DeploymentJudged struct {
	Deployment DeploymentID `json:"deployment"`
	Judgement
}

// CordPulled stops the line within a scope.
type CordPulled struct {
	Cord Cord `json:"cord"`
}

// CordReleased lets the line run again.
type CordReleased struct {
	Cord   CordID `json:"cord"`
	Scope  Scope  `json:"scope"`
	Reason string `json:"reason"`
	// Version is the one that released the cord by passing what had stopped the line; 0: a person did.
	Version VersionNumber `json:"version,omitempty"`
}

// EventName names the event.
func (DeploymentPlanned) EventName() string { return "deployment_planned" }

// EventName names the event.
func (DeploymentStarted) EventName() string { return "deployment_started" }

// EventName names the event.
func (DesiredChanged) EventName() string { return "desired_changed" }

// EventName names the event.
func (DeploymentMoved) EventName() string { return "deployment_moved" }

// EventName names the event.
func (DeploymentJudged) EventName() string { return "deployment_judged" }

// EventName names the event.
func (DeploymentEnded) EventName() string { return "deployment_ended" }

// EventName names the event.
func (CordPulled) EventName() string { return "cord_pulled" }

// EventName names the event.
func (CordReleased) EventName() string { return "cord_released" }
