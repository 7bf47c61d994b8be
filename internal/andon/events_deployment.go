package andon

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
	Deployment DeploymentID `json:"deployment,omitempty"` // empty: the service was removed
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
func (DeploymentEnded) EventName() string { return "deployment_ended" }

// EventName names the event.
func (CordPulled) EventName() string { return "cord_pulled" }

// EventName names the event.
func (CordReleased) EventName() string { return "cord_released" }
