package andon

import "time"

// VersionCreated numbers a commit of a service.
type VersionCreated struct {
	Version   VersionRef `json:"version"`
	Commit    CommitID   `json:"commit"`
	Parent    CommitID   `json:"parent,omitempty"` // what the branch's tip was before; empty for its first push
	Branch    string     `json:"branch"`
	Trunk     bool       `json:"trunk"` // the branch is the service's trunk: the version may be promoted
	Author    string     `json:"author"`
	Subject   string     `json:"subject"`           // first line of the commit's message
	Tickets   []string   `json:"tickets,omitempty"` // that the message names; see TicketsIn
	Committed time.Time  `json:"committed"`
	Pipeline  *Pipeline  `json:"pipeline,omitempty"`
	// Problem, when set, says why the commit has no pipeline. The version is rejected.
	Problem *Error `json:"problem,omitempty"`
}

// VersionReachedTrunk says that a branch's version arrived on the trunk: it keeps its number and
// its artifact, and may be promoted from now on.
type VersionReachedTrunk struct {
	Version VersionRef `json:"version"`
}

// MaturityChanged records what a version earned, or lost.
type MaturityChanged struct {
	Version VersionRef `json:"version"`
	From    Maturity   `json:"from"`
	To      Maturity   `json:"to"`
	Reason  string     `json:"reason"`
}

// VersionEnded says that a version's way is over: it went through all its stages (Succeeded), one
// failed, a newer version took its place (Superseded), or it was cancelled. A rerun or a promotion
// can open the way again.
type VersionEnded struct {
	Version VersionRef `json:"version"`
	Outcome Outcome    `json:"outcome"`
	Reason  string     `json:"reason,omitempty"`
	// By is the version that superseded this one.
	By VersionNumber `json:"by,omitempty"`
}

// StageAdmitted lets a version into a stage that waits for approval.
type StageAdmitted struct {
	Version VersionRef `json:"version"`
	Stage   StageName  `json:"stage"`
	Reason  string     `json:"reason,omitempty"`
}

// StageStarted says that a version entered a stage.
type StageStarted struct {
	Version VersionRef `json:"version"`
	Stage   StageName  `json:"stage"`
	Run     int        `json:"run"` // 1, and one more with each rerun
}

// StageFinished says how a version left a stage.
type StageFinished struct {
	Version  VersionRef    `json:"version"`
	Stage    StageName     `json:"stage"`
	Run      int           `json:"run"`
	Outcome  Outcome       `json:"outcome"`
	Reason   string        `json:"reason,omitempty"`
	Took     time.Duration `json:"took_ns"`
	Slow     bool          `json:"slow,omitempty"`     // the commit stage took longer than its budget
	Artifact *Artifact     `json:"artifact,omitempty"` // of the commit stage
}

// TaskQueued adds a task.
type TaskQueued struct {
	Task Task `json:"task"`
}

// TaskLeased gives a task to an agent.
type TaskLeased struct {
	Task    TaskID    `json:"task"`
	Agent   AgentName `json:"agent"`
	Attempt int       `json:"attempt"`
	Token   Token     `json:"token"`
}

// TaskCancelled asks the agent that has the task to end it; a task that nobody has ends at once.
type TaskCancelled struct {
	Task   TaskID `json:"task"`
	Reason string `json:"reason"`
}

// TaskEnded records how an attempt at a task ended. After Lost, the task is queued again
// while attempts are left.
type TaskEnded struct {
	Task    TaskID     `json:"task"`
	Version VersionRef `json:"version"`
	Attempt int        `json:"attempt"`
	Token   Token      `json:"token"`
	Agent   AgentName  `json:"agent,omitempty"`
	Result  TaskResult `json:"result"`
	Again   bool       `json:"again,omitempty"` // the task goes back to the queue
}

// EventName names the event.
func (VersionCreated) EventName() string { return "version_created" }

// EventName names the event.
func (VersionReachedTrunk) EventName() string { return "version_reached_trunk" }

// EventName names the event.
func (MaturityChanged) EventName() string { return "maturity_changed" }

// EventName names the event.
func (VersionEnded) EventName() string { return "version_ended" }

// EventName names the event.
func (StageAdmitted) EventName() string { return "stage_admitted" }

// EventName names the event.
func (StageStarted) EventName() string { return "stage_started" }

// EventName names the event.
func (StageFinished) EventName() string { return "stage_finished" }

// EventName names the event.
func (TaskQueued) EventName() string { return "task_queued" }

// EventName names the event.
func (TaskLeased) EventName() string { return "task_leased" }

// EventName names the event.
func (TaskCancelled) EventName() string { return "task_cancelled" }

// EventName names the event.
func (TaskEnded) EventName() string { return "task_ended" }
