package pipeline

import (
	"path"

	"github.com/andon-cd/andon/internal/andon"
)

// build returns the pipeline that a file says, with every default filled in. It is only of
// use when the file has no problems.
func build(root *node) *andon.Pipeline {
	return &andon.Pipeline{
		Service:      andon.ServiceName(root.get("service").str()),
		Commit:       buildCommit(root.get("commit")),
		Run:          buildRun(root.get("run")),
		Smoke:        buildSmoke(root.get("smoke")),
		Stages:       buildStages(root.get("stages")),
		Environments: buildEnvironments(root.get("environments")),
	}
}

func buildCommit(n *node) andon.CommitStage {
	stage := andon.CommitStage{
		Budget: n.get("budget").duration(andon.DefaultBudget),
		Jobs:   buildJobs(n.get("jobs")),
	}
	if artifact := n.get("artifact"); artifact != nil {
		stage.Artifact = &andon.ArtifactSource{
			Path: path.Clean(artifact.get("path").str()),
			Job:  artifactJob(artifact.get("job"), stage.Jobs),
		}
	}
	return stage
}

// artifactJob returns the job whose checkout holds the artifact: the one written, the one
// named build, otherwise the last one.
func artifactJob(written *node, jobs []andon.Job) andon.JobName {
	if name := written.str(); name != "" {
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

func buildJobs(n *node) []andon.Job {
	var jobs []andon.Job
	for _, e := range n.all() {
		job := andon.Job{
			Name:    andon.JobName(e.key),
			Env:     buildEnv(e.value.get("env")),
			Timeout: e.value.get("timeout").duration(andon.DefaultJobTimeout),
			JUnit:   e.value.get("reports").get("junit").strs(),
		}
		for _, need := range e.value.get("needs").strs() {
			job.Needs = append(job.Needs, andon.JobName(need))
		}
		for _, step := range e.value.get("steps").list() {
			job.Steps = append(job.Steps, buildStep(step))
		}
		jobs = append(jobs, job)
	}
	return jobs
}

func buildStep(n *node) andon.Step {
	if n.scalar() {
		return andon.Step{Run: n.str()}
	}
	return andon.Step{
		Name:    n.get("name").str(),
		Run:     n.get("run").str(),
		Timeout: n.get("timeout").duration(0),
	}
}

func buildRun(n *node) *andon.Run {
	if n == nil {
		return nil
	}
	command := n.get("command").strs()
	if n.get("command").scalar() {
		command = []string{"sh", "-c", n.get("command").str()}
	}
	health := n.get("health")
	return &andon.Run{
		Command: command,
		Port:    n.get("port").integer(0),
		Env:     buildEnv(n.get("env")),
		Health: andon.Health{
			Path:     health.get("path").str(),
			Interval: health.get("interval").duration(andon.DefaultHealthInterval),
			Timeout:  health.get("timeout").duration(andon.DefaultHealthTimeout),
			Start:    health.get("start").duration(andon.DefaultHealthStart),
		},
		Instances: n.get("instances").integer(andon.DefaultInstances),
		Drain:     n.get("drain").duration(andon.DefaultDrain),
		Stop:      n.get("stop").duration(andon.DefaultStop),
	}
}

func buildSmoke(n *node) []andon.Check {
	const defaultStatus = 200
	var checks []andon.Check
	for _, item := range n.list() {
		check := andon.Check{Run: item.get("run").str()}
		if http := item.get("http"); http != nil {
			check.HTTP = &andon.HTTPCheck{
				Path:     http.get("path").str(),
				Status:   http.get("status").integer(defaultStatus),
				Contains: http.get("contains").str(),
			}
		}
		checks = append(checks, check)
	}
	return checks
}

func buildStages(n *node) []andon.Stage {
	var stages []andon.Stage
	for _, item := range n.list() {
		stage := andon.Stage{
			Name:   andon.StageName(item.get("name").str()),
			Deploy: andon.EnvironmentName(item.get("deploy").str()),
			Jobs:   buildJobs(item.get("jobs")),
			Grants: andon.Maturity(item.get("grants").str()),
		}
		if item.get("approval") != nil {
			stage.Approval = &andon.Approval{}
		}
		stages = append(stages, stage)
	}
	return stages
}

func buildEnvironments(n *node) map[andon.EnvironmentName]andon.EnvironmentOptions {
	if len(n.all()) == 0 {
		return nil
	}
	environments := map[andon.EnvironmentName]andon.EnvironmentOptions{}
	for _, e := range n.all() {
		environments[andon.EnvironmentName(e.key)] = andon.EnvironmentOptions{
			Env:       buildEnv(e.value.get("env")),
			Instances: e.value.get("instances").integer(0),
		}
	}
	return environments
}

func buildEnv(n *node) map[string]string {
	if len(n.all()) == 0 {
		return nil
	}
	env := map[string]string{}
	for _, e := range n.all() {
		env[e.key] = e.value.str()
	}
	return env
}
