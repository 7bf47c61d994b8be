package andon

import "time"

// A ScopeKind says how much of the plant a cord stops.
type ScopeKind string

// The scopes of a cord.
const (
	ScopePlant       ScopeKind = "plant"
	ScopeEnvironment ScopeKind = "environment"
	ScopeService     ScopeKind = "service"
)

// ScopeKinds lists every kind of scope.
func ScopeKinds() []ScopeKind { return []ScopeKind{ScopePlant, ScopeEnvironment, ScopeService} }

// A Scope is what a cord stops: everything, one environment, or one service.
type Scope struct {
	Kind        ScopeKind       `json:"kind"`
	Environment EnvironmentName `json:"environment,omitempty"`
	Service     ServiceName     `json:"service,omitempty"`
}

// String returns the scope as people write it.
func (s Scope) String() string {
	switch s.Kind {
	case ScopeEnvironment:
		return "environment " + string(s.Environment)
	case ScopeService:
		return "service " + string(s.Service)
	default:
		return "the plant"
	}
}

// Covers reports whether the scope holds back a stage of a service that deploys to env
// (empty: it deploys nowhere).
func (s Scope) Covers(service ServiceName, env EnvironmentName) bool {
	switch s.Kind {
	case ScopePlant:
		return true
	case ScopeEnvironment:
		return env != "" && s.Environment == env
	case ScopeService:
		return s.Service == service
	default:
		return false
	}
}

// A Cord is a stop of the line: who or what pulled it, why, and since when.
type Cord struct {
	ID     CordID    `json:"id"`
	Scope  Scope     `json:"scope"`
	Owner  Actor     `json:"owner"`
	Reason string    `json:"reason"`
	Pulled time.Time `json:"pulled"`
	// Fix, when set, says what releases the cord by itself. A person's pull has none.
	Fix *Fix `json:"fix,omitempty"`
}

// A Fix describes the versions that may pass a stopped line to repair it: those after a
// number, up to and through a stage. The first to pass the stage releases the cord.
type Fix struct {
	Service ServiceName   `json:"service"`
	Broken  VersionNumber `json:"broken"` // what stopped the line; its own rerun is a candidate too
	After   VersionNumber `json:"after"`  // versions with a greater number are candidates
	Stage   StageName     `json:"stage"`
}
