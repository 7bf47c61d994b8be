package api

// AddService makes a service known.
type AddService struct {
	Service    string      `json:"service"`
	Repository string      `json:"repository,omitempty" doc:"an address or path to watch; left out: the built-in git"`
	Trunk      string      `json:"trunk,omitempty" doc:"left out: the repository's default branch"`
	Credential *Credential `json:"credential,omitempty" doc:"for a private repository; never returned"`
}

// A Credential is what a private repository asks for, and what signs its webhooks.
type Credential struct {
	User       string `json:"user,omitempty"`
	Token      string `json:"token,omitempty"`
	SSHKey     string `json:"ssh_key,omitempty" doc:"a private key in OpenSSH's format"`
	HookSecret string `json:"hook_secret,omitempty"`
}

// Promote admits a version past a manual gate.
type Promote struct {
	Stage    string `json:"stage"`
	Reason   string `json:"reason,omitempty"`
	PlanOnly bool   `json:"plan_only,omitempty" doc:"only say what the stage would deploy"`
}

// Deploy asks for a version in an environment.
type Deploy struct {
	Environment string `json:"environment"`
	Reason      string `json:"reason,omitempty"`
	PlanOnly    bool   `json:"plan_only,omitempty" doc:"only say what it would change"`
}

// Rollback makes a version that was good in an environment live there again.
type Rollback struct {
	To       string `json:"to,omitempty" doc:"a version; left out: the previous good one"`
	Reason   string `json:"reason,omitempty"`
	PlanOnly bool   `json:"plan_only,omitempty" doc:"only say what it would change"`
}

// Cancel ends a version's way or a deployment.
type Cancel struct {
	Stage  string `json:"stage,omitempty" doc:"only if the version is at that stage"`
	Reason string `json:"reason,omitempty"`
}

// Rerun runs a version's stage or a deployment again.
type Rerun struct {
	Stage string `json:"stage,omitempty" doc:"left out: where the version stopped"`
}

// PullCord stops the line.
type PullCord struct {
	Scope  Scope  `json:"scope"`
	Reason string `json:"reason"`
}

// ReleaseCord lets the line run again: one cord, or all with exactly that scope.
type ReleaseCord struct {
	Cord   string `json:"cord,omitempty"`
	Scope  *Scope `json:"scope,omitempty"`
	Reason string `json:"reason"`
}

// Done is the answer to a command: what follows from it is durable.
type Done struct {
	Position   int64    `json:"position" doc:"of the journal after it"`
	Events     []string `json:"events" doc:"the names of what happened; none: nothing changed"`
	Service    string   `json:"service,omitempty"`
	Version    int64    `json:"version,omitempty"`
	Deployment string   `json:"deployment,omitempty" doc:"that follows from it"`
	Cord       string   `json:"cord,omitempty" doc:"that was pulled or released"`
	Plan       *Plan    `json:"plan,omitempty" doc:"of the deployment"`
}

// AddedAgent is the answer to a request for an agent's token.
type AddedAgent struct {
	Agent string `json:"agent"`
	Token string `json:"token" doc:"the agent's own; the same for the same name"`
}

// A WaitState says how waiting ended.
type WaitState string

// How waiting ends.
const (
	WaitReached     WaitState = "reached"
	WaitUnreachable WaitState = "unreachable" // it cannot be reached any more
	WaitTimeout     WaitState = "timeout"
)

// WaitStates lists how waiting ends.
func WaitStates() []WaitState { return []WaitState{WaitReached, WaitUnreachable, WaitTimeout} }

// A Waited is the answer to a wait.
type Waited struct {
	State    WaitState `json:"state" enum:"reached,unreachable,timeout"`
	Service  string    `json:"service"`
	Version  int64     `json:"version"`
	For      string    `json:"for"`
	Reason   string    `json:"reason" doc:"one sentence for people"`
	Position int64     `json:"position" doc:"of the journal when it was decided"`
	Waits    []Wait    `json:"waits,omitempty" doc:"with timeout: why it does not move"`
}
