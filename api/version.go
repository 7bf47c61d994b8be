package api

import "time"

// A Version is one commit of a service, as lists show it.
type Version struct {
	Service      string     `json:"service"`
	Number       int64      `json:"number" doc:"counts the versions of the service from 1"`
	Commit       string     `json:"commit"`
	Parent       string     `json:"parent,omitempty" doc:"the tip of the branch before it"`
	Branch       string     `json:"branch"`
	Trunk        bool       `json:"trunk" doc:"it may be promoted"`
	Author       string     `json:"author"`
	Subject      string     `json:"subject" doc:"the first line of the commit's message"`
	Committed    time.Time  `json:"committed"`
	Created      time.Time  `json:"created" doc:"when the plant learnt of it"`
	By           string     `json:"by" doc:"who brought it"`
	Maturity     Maturity   `json:"maturity" enum:"development,release-candidate,certified,rejected,quarantined"`
	Artifact     *Artifact  `json:"artifact,omitempty" doc:"what the commit stage built"`
	Ended        *time.Time `json:"ended,omitempty" doc:"when its way ended; left out while it is on its way"`
	Outcome      Outcome    `json:"outcome,omitempty" doc:"how its way ended"`
	Reason       string     `json:"reason,omitempty"`
	SupersededBy int64      `json:"superseded_by,omitempty" doc:"the newer version that took its place"`
	Problem      *Error     `json:"problem,omitempty" doc:"why the commit has no pipeline"`
}

// An Artifact is what the commit stage built, as the registry at /v2/SERVICE knows it.
type Artifact struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size" doc:"bytes, compressed"`
}

// A VersionDetail is one version in full.
type VersionDetail struct {
	Version
	Stage       string           `json:"stage,omitempty" doc:"the stage that it is in or waits to enter"`
	Pipeline    *Pipeline        `json:"pipeline,omitempty"`
	Stages      []StageRun       `json:"stages" doc:"in the order in which they started"`
	Maturities  []MaturityChange `json:"maturities"`
	Admissions  []Admission      `json:"admissions" doc:"who let it past manual gates"`
	Deployments []Deployment     `json:"deployments" doc:"newest first"`
	Waits       []Wait           `json:"waits" doc:"why it does not move"`
	LiveIn      []string         `json:"live_in" doc:"the environments in which it is live"`
}

// A Pipeline is a version's way to production, as its andon.yaml declared it.
type Pipeline struct {
	BudgetMS int64           `json:"budget_ms" doc:"of the commit stage"`
	Stages   []PipelineStage `json:"stages" doc:"the commit stage first"`
}

// A PipelineStage is one stage of a pipeline.
type PipelineStage struct {
	Name     string        `json:"name"`
	Approval bool          `json:"approval,omitempty" doc:"a person must promote the version into it"`
	Deploy   string        `json:"deploy,omitempty" doc:"the environment that it deploys to"`
	Grants   Maturity      `json:"grants,omitempty"`
	Jobs     []PipelineJob `json:"jobs"`
}

// A PipelineJob is one job of a stage.
type PipelineJob struct {
	Name  string   `json:"name"`
	Needs []string `json:"needs,omitempty"`
	Steps []string `json:"steps" doc:"names, or first lines of commands"`
}

// A StageRun is one passage of a version through a stage.
type StageRun struct {
	Stage   string     `json:"stage"`
	Run     int        `json:"run" doc:"1, and one more with each rerun"`
	Started time.Time  `json:"started"`
	Ended   *time.Time `json:"ended,omitempty"`
	TookMS  int64      `json:"took_ms,omitempty"`
	Outcome Outcome    `json:"outcome,omitempty"`
	Reason  string     `json:"reason,omitempty"`
	Slow    bool       `json:"slow,omitempty" doc:"it took longer than its budget"`
	Tasks   []Task     `json:"tasks"`
}

// A Task is one unit of work with all its attempts.
type Task struct {
	ID         string     `json:"id"`
	Kind       TaskKind   `json:"kind" enum:"job,smoke"`
	Job        string     `json:"job,omitempty"`
	Deployment string     `json:"deployment,omitempty"`
	Instance   string     `json:"instance,omitempty" doc:"the copy that a smoke test tests"`
	Queued     time.Time  `json:"queued"`
	Ended      *time.Time `json:"ended,omitempty"`
	Outcome    Outcome    `json:"outcome,omitempty"`
	Cancelled  string     `json:"cancelled,omitempty" doc:"why it was cancelled"`
	Attempts   []Attempt  `json:"attempts"`
}

// An Attempt is one try at a task by one agent.
type Attempt struct {
	Number   int          `json:"number" doc:"from 1"`
	Agent    string       `json:"agent"`
	Log      string       `json:"log" doc:"the name of its log"`
	Started  time.Time    `json:"started"`
	Ended    *time.Time   `json:"ended,omitempty"`
	Outcome  Outcome      `json:"outcome,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	ExitCode int          `json:"exit_code,omitempty"`
	Steps    []StepResult `json:"steps,omitempty"`
	Tests    *TestSummary `json:"tests,omitempty"`
}

// A StepResult is what became of one step.
type StepResult struct {
	Name     string  `json:"name"`
	Outcome  Outcome `json:"outcome"`
	ExitCode int     `json:"exit_code,omitempty"`
	TookMS   int64   `json:"took_ms"`
}

// A TestSummary counts the tests that a job reported.
type TestSummary struct {
	Passed   int           `json:"passed"`
	Failed   int           `json:"failed"`
	Skipped  int           `json:"skipped"`
	Flaky    int           `json:"flaky,omitempty"`
	TookMS   int64         `json:"took_ms"`
	Failures []TestFailure `json:"failures,omitempty"`
}

// A TestFailure is one failed test.
type TestFailure struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
}

// A MaturityChange says what a version earned, or lost.
type MaturityChange struct {
	From   Maturity  `json:"from"`
	To     Maturity  `json:"to"`
	Time   time.Time `json:"time"`
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
}

// An Admission is a person's word that a version may enter a stage.
type Admission struct {
	Stage  string    `json:"stage"`
	Time   time.Time `json:"time"`
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
}
