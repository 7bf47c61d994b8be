package pipeline

import (
	"path"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
)

// build returns the pipeline that a file says, with every default filled in. It is only of
// use when the file has no problems.
func build(root *form.Node) *andon.Pipeline {
	return &andon.Pipeline{
		Service:      andon.ServiceName(root.Get("service").Str()),
		Team:         andon.TeamName(root.Get("team").Str()),
		Commit:       buildCommit(root.Get("commit")),
		Run:          buildRun(root.Get("run")),
		Smoke:        buildSmoke(root.Get("smoke")),
		Stages:       buildStages(root.Get("stages")),
		Environments: buildEnvironments(root.Get("environments")),
	}
}

func buildCommit(n *form.Node) andon.CommitStage {
	stage := andon.CommitStage{
		Budget: n.Get("budget").Duration(andon.DefaultBudget),
		Jobs:   buildJobs(n.Get("jobs")),
	}
	if artifact := n.Get("artifact"); artifact != nil {
		stage.Artifact = &andon.ArtifactSource{
			Path: path.Clean(artifact.Get("path").Str()),
			Job:  artifactJob(artifact.Get("job"), stage.Jobs),
		}
	}
	return stage
}

// artifactJob returns the job whose checkout holds the artifact: the one written, the one
// named build, otherwise the last one.
func artifactJob(written *form.Node, jobs []andon.Job) andon.JobName {
	if name := written.Str(); name != "" {
		return andon.JobName(name)
	}
	var job andon.JobName
	for _, j := range jobs {
		if job = j.Name; job == "build" {
			break
		}
	}
	return job
}

func buildJobs(n *form.Node) []andon.Job {
	var jobs []andon.Job
	for _, e := range n.All() {
		job := andon.Job{
			Name:    andon.JobName(e.Key),
			Env:     buildEnv(e.Value.Get("env")),
			Timeout: e.Value.Get("timeout").Duration(andon.DefaultJobTimeout),
			JUnit:   e.Value.Get("reports").Get("junit").Strs(),
		}
		for _, need := range e.Value.Get("needs").Strs() {
			job.Needs = append(job.Needs, andon.JobName(need))
		}
		for _, step := range e.Value.Get("steps").List() {
			job.Steps = append(job.Steps, buildStep(step))
		}
		jobs = append(jobs, job)
	}
	return jobs
}

func buildStep(n *form.Node) andon.Step {
	if n.Scalar() {
		return andon.Step{Run: n.Str()}
	}
	return andon.Step{
		Name:    n.Get("name").Str(),
		Run:     n.Get("run").Str(),
		Timeout: n.Get("timeout").Duration(0),
	}
}

func buildRun(n *form.Node) *andon.Run {
	if n == nil {
		return nil
	}
	command := n.Get("command").Strs()
	if n.Get("command").Scalar() {
		command = []string{"sh", "-c", n.Get("command").Str()}
	}
	health := n.Get("health")
	return &andon.Run{
		Command: command,
		Port:    n.Get("port").Integer(0),
		Env:     buildEnv(n.Get("env")),
		Health: andon.Health{
			Path:     health.Get("path").Str(),
			Interval: health.Get("interval").Duration(andon.DefaultHealthInterval),
			Timeout:  health.Get("timeout").Duration(andon.DefaultHealthTimeout),
			Start:    health.Get("start").Duration(andon.DefaultHealthStart),
		},
		Instances: n.Get("instances").Integer(andon.DefaultInstances),
		Drain:     n.Get("drain").Duration(andon.DefaultDrain),
		Stop:      n.Get("stop").Duration(andon.DefaultStop),
		Requests: andon.Requests{
			MaxBody:  n.Get("requests").Get("max_body").Size(0),
			InFlight: int64(n.Get("requests").Get("in_flight").Integer(0)),
			Sticky:   n.Get("requests").Get("sticky") != nil,
		},
	}
}

func buildSmoke(n *form.Node) []andon.Check {
	const defaultStatus = 200
	var checks []andon.Check
	for _, item := range n.List() {
		check := andon.Check{Run: item.Get("run").Str()}
		if http := item.Get("http"); http != nil {
			check.HTTP = &andon.HTTPCheck{
				Path:     http.Get("path").Str(),
				Status:   http.Get("status").Integer(defaultStatus),
				Contains: http.Get("contains").Str(),
			}
		}
		checks = append(checks, check)
	}
	return checks
}

func buildStages(n *form.Node) []andon.Stage {
	var stages []andon.Stage
	for _, item := range n.List() {
		stage := andon.Stage{
			Name:   andon.StageName(item.Get("name").Str()),
			Deploy: andon.EnvironmentName(item.Get("deploy").Str()),
			Jobs:   buildJobs(item.Get("jobs")),
			Grants: andon.Maturity(item.Get("grants").Str()),
		}
		if item.Get("approval") != nil {
			stage.Approval = &andon.Approval{}
		}
		stages = append(stages, stage)
	}
	return stages
}

func buildEnvironments(n *form.Node) map[andon.EnvironmentName]andon.EnvironmentOptions {
	if len(n.All()) == 0 {
		return nil
	}
	environments := map[andon.EnvironmentName]andon.EnvironmentOptions{}
	for _, e := range n.All() {
		environments[andon.EnvironmentName(e.Key)] = andon.EnvironmentOptions{
			Env:       buildEnv(e.Value.Get("env")),
			Instances: e.Value.Get("instances").Integer(0),
		}
	}
	return environments
}

func buildEnv(n *form.Node) map[string]string {
	if len(n.All()) == 0 {
		return nil
	}
	env := map[string]string{}
	for _, e := range n.All() {
		env[e.Key] = e.Value.Str()
	}
	return env
}
