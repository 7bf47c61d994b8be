package andon

// EnvironmentRemoved takes an environment out that the estate does not declare any more. Nothing
// is live there.
type EnvironmentRemoved struct {
	Environment EnvironmentName `json:"environment"`
}

// EstateApplied says that the environments are now those of a commit of the estate. The events
// before it in the same decision say which of them changed.
type EstateApplied struct {
	Commit       CommitID          `json:"commit"`
	Environments []EnvironmentName `json:"environments"` // all that there are now
}

// EventName names the event.
func (EnvironmentRemoved) EventName() string { return "environment_removed" }

// EventName names the event.
func (EstateApplied) EventName() string { return "estate_applied" }
