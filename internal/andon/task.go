package andon

import "time"

// A TaskKind says what a task does.
type TaskKind string

// The kinds of tasks.
const (
	TaskJob   TaskKind = "job"   // a job of a stage
	TaskSmoke TaskKind = "smoke" // the smoke tests of one copy that has no traffic yet
)

// A Task is one unit of work, done once, leased to one agent. It says everything that the
// agent needs; the agent never reads the plant's state.
type Task struct {
	ID      TaskID        `json:"id"`
	Kind    TaskKind      `json:"kind"`
	Version VersionRef    `json:"version"`
	Commit  CommitID      `json:"commit"`
	Stage   StageName     `json:"stage,omitempty"`
	Job     JobName       `json:"job,omitempty"`
	Timeout time.Duration `json:"timeout_ns"`

	Steps    []Step            `json:"steps,omitempty"` // TaskJob
	Env      map[string]string `json:"env,omitempty"`   // the job's own, and ANDON_… of the plant
	JUnit    []string          `json:"junit,omitempty"`
	Artifact *ArtifactSource   `json:"artifact,omitempty"` // set on the job that builds it

	Checks     []Check         `json:"checks,omitempty"`     // TaskSmoke
	Instance   InstanceID      `json:"instance,omitempty"`   // TaskSmoke: the copy to test
	Deployment DeploymentID    `json:"deployment,omitempty"` // TaskSmoke, and jobs of a stage that deployed
	Target     EnvironmentName `json:"target,omitempty"`     // the environment that the job's stage deployed to
	Agent      AgentName       `json:"agent,omitempty"`      // TaskSmoke: must run beside the copy; empty: any agent
}

// A Token fences a lease: a result is accepted only with the token of the newest lease.
// Tokens of one plant only grow.
type Token int64

// A Lease is a task in the hands of one agent.
type Lease struct {
	Task    Task      `json:"task"`
	Agent   AgentName `json:"agent"`
	Attempt int       `json:"attempt"` // 1 for the first
	Token   Token     `json:"token"`
	Cancel  bool      `json:"cancel,omitempty"` // the line wants it ended; the agent kills and reports it
}

// LogStream returns the name of the log that an attempt at a task writes.
func (l Lease) LogStream() string { return TaskLogStream(l.Task.ID, l.Attempt) }

// An Outcome says how something ended.
type Outcome string

// The outcomes of tasks, stages and deployments.
const (
	Succeeded      Outcome = "succeeded"
	Failed         Outcome = "failed"
	TimedOut       Outcome = "timed-out"  // a task ran longer than it may
	Cancelled      Outcome = "cancelled"  // a person, or a newer decision, ended it
	Lost           Outcome = "lost"       // the agent or its machine went away in the middle: it is tried again
	Superseded     Outcome = "superseded" // a newer version took its place in the queue
	Aborted        Outcome = "aborted"    // a deployment that a person or a rollback ended
	NeedsAttention Outcome = "needs_attention"
)

// Outcomes lists every outcome.
func Outcomes() []Outcome {
	return []Outcome{Succeeded, Failed, TimedOut, Cancelled, Lost, Superseded, Aborted, NeedsAttention}
}

// A TaskResult is what an agent reports when a task ends.
type TaskResult struct {
	Outcome  Outcome      `json:"outcome"`
	Reason   string       `json:"reason,omitempty"` // one sentence for people when it did not succeed
	ExitCode int          `json:"exit_code,omitempty"`
	Steps    []StepResult `json:"steps,omitempty"`
	Artifact *Artifact    `json:"artifact,omitempty"` // of the job that builds it
	Tests    *TestSummary `json:"tests,omitempty"`
	Started  time.Time    `json:"started"`
	Ended    time.Time    `json:"ended"`
}

// A StepResult is what became of one step.
type StepResult struct {
	Name     string    `json:"name"`
	Outcome  Outcome   `json:"outcome"`
	ExitCode int       `json:"exit_code,omitempty"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
}

// An Artifact is what the commit stage built, as the registry knows it.
type Artifact struct {
	Digest Digest `json:"digest"` // of the OCI manifest
	Size   int64  `json:"size"`   // bytes of the content, compressed
}

// A TestSummary counts the test results that a job reported.
type TestSummary struct {
	Passed   int           `json:"passed"`
	Failed   int           `json:"failed"`
	Skipped  int           `json:"skipped"`
	Flaky    int           `json:"flaky,omitempty"`
	Duration time.Duration `json:"duration_ns"`
	Failures []TestFailure `json:"failures,omitempty"` // at most MaxTestFailures
}

// MaxTestFailures bounds the failures that a result carries; the log has them all.
const MaxTestFailures = 50

// A TestFailure is one failed test case.
type TestFailure struct {
	Name    string `json:"name"` // classname.name
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
}
