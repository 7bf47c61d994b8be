package api

// A Maturity is what a version has earned.
type Maturity string

// The maturities.
const (
	Development      Maturity = "development"
	ReleaseCandidate Maturity = "release-candidate"
	Certified        Maturity = "certified"
	Rejected         Maturity = "rejected"
	Quarantined      Maturity = "quarantined"
)

// Maturities lists every maturity.
func Maturities() []Maturity {
	return []Maturity{Development, ReleaseCandidate, Certified, Rejected, Quarantined}
}

// An Outcome says how something ended.
type Outcome string

// The outcomes.
const (
	Succeeded      Outcome = "succeeded"
	Failed         Outcome = "failed"
	TimedOut       Outcome = "timed-out"
	Cancelled      Outcome = "cancelled"
	Lost           Outcome = "lost"
	Superseded     Outcome = "superseded"
	Aborted        Outcome = "aborted"
	NeedsAttention Outcome = "needs_attention"
)

// Outcomes lists every outcome.
func Outcomes() []Outcome {
	return []Outcome{Succeeded, Failed, TimedOut, Cancelled, Lost, Superseded, Aborted, NeedsAttention}
}

// A Strategy says how new copies take the traffic over.
type Strategy string

// The strategies.
const (
	Rolling   Strategy = "rolling"
	BlueGreen Strategy = "blue-green"
	Canary    Strategy = "canary"
	Replace   Strategy = "replace"
)

// Strategies lists every strategy.
func Strategies() []Strategy { return []Strategy{Rolling, BlueGreen, Canary, Replace} }

// A DeploymentKind says why a deployment is made.
type DeploymentKind string

// The kinds of deployments.
const (
	DeployForward  DeploymentKind = "deploy"
	DeployRollback DeploymentKind = "rollback"
)

// DeploymentKinds lists every kind of deployment.
func DeploymentKinds() []DeploymentKind { return []DeploymentKind{DeployForward, DeployRollback} }

// A DeploymentStep is where a deployment is.
type DeploymentStep string

// The steps of a deployment.
const (
	StepPlacing   DeploymentStep = "placing"
	StepSmoking   DeploymentStep = "smoking"
	StepSwitching DeploymentStep = "switching"
	StepPausing   DeploymentStep = "pausing"
	StepSoaking   DeploymentStep = "soaking"
	StepDraining  DeploymentStep = "draining"
	StepRemoving  DeploymentStep = "removing"
	StepReverting DeploymentStep = "reverting"
	StepEnded     DeploymentStep = "ended"
)

// DeploymentSteps lists every step.
func DeploymentSteps() []DeploymentStep {
	return []DeploymentStep{StepPlacing, StepSmoking, StepSwitching, StepPausing, StepSoaking, StepDraining, StepRemoving, StepReverting, StepEnded}
}

// A VerdictWord is what a comparison of new copies with old ones found.
type VerdictWord string

// The verdicts.
const (
	VerdictOpen  VerdictWord = "open"
	VerdictAlike VerdictWord = "alike"
	VerdictWorse VerdictWord = "worse"
)

// VerdictWords lists every verdict.
func VerdictWords() []VerdictWord { return []VerdictWord{VerdictOpen, VerdictAlike, VerdictWorse} }

// A Phase is where a copy is in its life.
type Phase string

// The phases of a copy.
const (
	PhaseStarting  Phase = "starting"
	PhaseHealthy   Phase = "healthy"
	PhaseUnhealthy Phase = "unhealthy"
	PhaseExited    Phase = "exited"
	PhaseFailed    Phase = "failed"
	PhaseStopped   Phase = "stopped"
)

// Phases lists every phase.
func Phases() []Phase {
	return []Phase{PhaseStarting, PhaseHealthy, PhaseUnhealthy, PhaseExited, PhaseFailed, PhaseStopped}
}

// A TaskKind says what a task does.
type TaskKind string

// The kinds of tasks.
const (
	TaskJob   TaskKind = "job"
	TaskSmoke TaskKind = "smoke"
)

// TaskKinds lists every kind of task.
func TaskKinds() []TaskKind { return []TaskKind{TaskJob, TaskSmoke} }

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

// A WaitKind says what something waits for.
type WaitKind string

// What things wait for.
const (
	WaitAgent      WaitKind = "agent"
	WaitLock       WaitKind = "lock"
	WaitCord       WaitKind = "cord"
	WaitApproval   WaitKind = "approval"
	WaitTask       WaitKind = "task"
	WaitCopies     WaitKind = "copies"
	WaitTraffic    WaitKind = "traffic"
	WaitDrain      WaitKind = "drain"
	WaitSoak       WaitKind = "soak"
	WaitStop       WaitKind = "stop"
	WaitDeployment WaitKind = "deployment"
	WaitWarm       WaitKind = "warm"
)

// WaitKinds lists every kind of wait.
func WaitKinds() []WaitKind {
	return []WaitKind{WaitAgent, WaitLock, WaitCord, WaitApproval, WaitTask, WaitCopies, WaitTraffic, WaitDrain, WaitSoak, WaitStop, WaitDeployment, WaitWarm}
}

// A LineState is the light over a service, or over the whole plant.
type LineState string

// The states of the line.
const (
	Running LineState = "running"
	Slow    LineState = "slow"    // a commit stage takes, or took last time, longer than its budget
	Stopped LineState = "stopped" // a cord is pulled
)

// LineStates lists every state of the line, from good to bad.
func LineStates() []LineState { return []LineState{Running, Slow, Stopped} }
