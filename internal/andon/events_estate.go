package andon

// EstateRepository is the name of the estate's repository in the built-in git. No service can
// have it.
const EstateRepository ServiceName = "estate"

// An EstateOrigin says how a commit of the estate came to the plant.
type EstateOrigin string

// The origins of an estate.
const (
	EstatePushed  EstateOrigin = "push"    // to the built-in git
	EstateWatched EstateOrigin = "watch"   // it is the newest commit of a repository elsewhere
	EstateGiven   EstateOrigin = "command" // somebody handed its files over
)

// EstateOrigins lists every origin.
func EstateOrigins() []EstateOrigin {
	return []EstateOrigin{EstatePushed, EstateWatched, EstateGiven}
}

// EnvironmentRemoved takes an environment out that the estate does not declare any more. Nothing
// is live there.
type EnvironmentRemoved struct {
	Environment EnvironmentName `json:"environment"`
}

// EstateApplied says that the environments are now those of a commit of the estate. The events
// before it in the same decision say which of them changed.
type EstateApplied struct {
	Commit       CommitID          `json:"commit"`
	Environments []EnvironmentName `json:"environments"`     // all that there are now
	Origin       EstateOrigin      `json:"origin,omitempty"` // empty, as before there were several: EstateGiven
}

// EstateFollowed says that the estate is in a repository elsewhere from now on, or, with a Source
// without a URL, that it is not any more. The environments stay as they are.
type EstateFollowed struct {
	Source Source `json:"source"`
}

// EstateRefused says that a commit of the repository that is followed cannot be applied, and why.
// The environments stay as they are.
type EstateRefused struct {
	Commit   CommitID `json:"commit"`
	Problems []*Error `json:"problems"` // at least one
}

// EventName names the event.
func (EnvironmentRemoved) EventName() string { return "environment_removed" }

// EventName names the event.
func (EstateApplied) EventName() string { return "estate_applied" }

// EventName names the event.
func (EstateFollowed) EventName() string { return "estate_followed" }

// EventName names the event.
func (EstateRefused) EventName() string { return "estate_refused" }
