package andon

import (
	"slices"
	"time"
)

// A Pipeline is the parsed andon.yaml of one version: its way to production, what a
// running copy of it is, and how a deployment of it is proven. It is recorded in the
// journal with the version, so old versions keep the meaning that they were read with.
type Pipeline struct {
	Service      ServiceName                            `json:"service"`
	Team         TeamName                               `json:"team,omitempty"` // responsible for the service; empty: nobody says
	Commit       CommitStage                            `json:"commit"`
	Run          *Run                                   `json:"run,omitempty"` // nil: nothing to deploy
	Smoke        []Check                                `json:"smoke,omitempty"`
	Stages       []Stage                                `json:"stages,omitempty"`       // after the commit stage, in order
	Environments map[EnvironmentName]EnvironmentOptions `json:"environments,omitempty"` // what differs by environment
}

// A CommitStage runs for every commit and builds the artifact, once.
type CommitStage struct {
	Budget   time.Duration   `json:"budget_ns,omitempty"` // over it, the stage is marked slow; 0: the default, DefaultBudget
	Jobs     []Job           `json:"jobs"`                // in the order written
	Artifact *ArtifactSource `json:"artifact,omitempty"`
}

// An ArtifactSource says what the commit stage keeps: a path in the checkout of one of its jobs.
type ArtifactSource struct {
	Path string  `json:"path"` // relative, slash-separated; a file or a directory
	Job  JobName `json:"job"`  // always set by the parser
}

// A Stage follows the commit stage. In order: approval, deployment, jobs; then it grants.
type Stage struct {
	Name     StageName       `json:"name"`
	Approval *Approval       `json:"approval,omitempty"`
	Deploy   EnvironmentName `json:"deploy,omitempty"`
	Jobs     []Job           `json:"jobs,omitempty"`
	Grants   Maturity        `json:"grants,omitempty"`
}

// An Approval is a manual gate: the stage begins when a person promotes the version into it.
type Approval struct{}

// A Job is a list of steps that run in order in one fresh checkout, on one agent.
type Job struct {
	Name    JobName           `json:"name"`
	Needs   []JobName         `json:"needs,omitempty"` // jobs of the same stage that must succeed first
	Steps   []Step            `json:"steps"`
	Env     map[string]string `json:"env,omitempty"`
	Timeout time.Duration     `json:"timeout_ns,omitempty"` // of the whole job; 0: DefaultJobTimeout
	JUnit   []string          `json:"junit,omitempty"`      // globs of JUnit XML reports in the checkout
}

// A Step is one shell command: sh -e -c RUN in the checkout.
type Step struct {
	Name    string        `json:"name,omitempty"` // for people; empty: the first line of Run
	Run     string        `json:"run"`
	Timeout time.Duration `json:"timeout_ns,omitempty"` // 0: only the job's
}

// A Run says what a running copy of the service is.
type Run struct {
	Command   []string          `json:"command"`        // argv; a string in andon.yaml becomes sh -c STRING
	Port      int               `json:"port,omitempty"` // the service's own notion; 0: a worker without a port
	Env       map[string]string `json:"env,omitempty"`
	Health    Health            `json:"health"`
	Instances int               `json:"instances"`
	Drain     time.Duration     `json:"drain_ns"` // how long requests in flight may take to end
	Stop      time.Duration     `json:"stop_ns"`  // from SIGTERM to SIGKILL
	Requests  Requests          `json:"requests,omitzero"`
}

// Health says how a copy shows that it works. A worker without a port is healthy when
// it has run for Interval without exiting.
type Health struct {
	Path     string        `json:"path,omitempty"` // GET answers 2xx or 3xx; empty with a port: it accepts a connection
	Interval time.Duration `json:"interval_ns"`
	Timeout  time.Duration `json:"timeout_ns"` // of one probe
	Start    time.Duration `json:"start_ns"`   // within which a new copy must become healthy
}

// EnvironmentOptions is what a service wants different in one environment.
type EnvironmentOptions struct {
	Env       map[string]string `json:"env,omitempty"`       // laid over Run.Env, key by key
	Instances int               `json:"instances,omitempty"` // 0: as in Run
}

// A Check is one smoke test: exactly one of HTTP and Run is set.
type Check struct {
	HTTP *HTTPCheck `json:"http,omitempty"`
	Run  string     `json:"run,omitempty"` // sh -e -c RUN in a checkout, with ANDON_URL set
}

// An HTTPCheck is one GET against a copy that has no traffic yet.
type HTTPCheck struct {
	Path     string `json:"path"`
	Status   int    `json:"status"`             // expected; 0: 200
	Contains string `json:"contains,omitempty"` // a text the first MiB of the body must contain
}

// What applies where andon.yaml says nothing.
const (
	DefaultBudget         = 5 * time.Minute // a commit stage gives feedback within five minutes
	DefaultJobTimeout     = 30 * time.Minute
	DefaultSmokeTimeout   = time.Minute
	DefaultDrain          = 10 * time.Second
	DefaultStop           = 10 * time.Second
	DefaultHealthInterval = time.Second
	DefaultHealthTimeout  = time.Second
	DefaultHealthStart    = 30 * time.Second
	DefaultInstances      = 1
)

// Stage returns the stage of that name after the commit stage, and its index in Stages.
func (p *Pipeline) Stage(name StageName) (*Stage, int, bool) {
	for i := range p.Stages {
		if p.Stages[i].Name == name {
			return &p.Stages[i], i, true
		}
	}
	return nil, 0, false
}

// CommitBudget returns how long the commit stage may take before it is slow.
func (p *Pipeline) CommitBudget() time.Duration {
	if p.Commit.Budget <= 0 {
		return DefaultBudget
	}
	return p.Commit.Budget
}

// StageFor returns the first stage that deploys to an environment, and its index in Stages.
func (p *Pipeline) StageFor(env EnvironmentName) (*Stage, int, bool) {
	for i := range p.Stages {
		if p.Stages[i].Deploy == env {
			return &p.Stages[i], i, true
		}
	}
	return nil, 0, false
}

// MaturityFor returns what a version must have earned before it may be deployed to an
// environment: the highest grant of the stages before the first one that deploys there.
func (p *Pipeline) MaturityFor(env EnvironmentName) Maturity {
	want := Development
	for _, s := range p.Stages {
		if s.Deploy == env {
			break
		}
		if s.Grants.AtLeast(want) {
			want = s.Grants
		}
	}
	return want
}

// Production returns the environment of the last stage that deploys: where the pipeline ends.
// Empty if none does.
func (p *Pipeline) Production() EnvironmentName {
	for _, s := range slices.Backward(p.Stages) {
		if s.Deploy != "" {
			return s.Deploy
		}
	}
	return ""
}
