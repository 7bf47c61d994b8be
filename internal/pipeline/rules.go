package pipeline

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
)

// checkRules checks what one key says about another.
func checkRules(root *form.Node, envs []andon.EnvironmentName, found *form.Problems) {
	checkJobs(root.Get("commit").Get("jobs"), "commit.jobs", found)
	checkArtifact(root, found)
	checkRun(root, found)
	checkSmoke(root, found)
	checkStages(root, envs, found)
	checkEnvironments(root, envs, found)
}

func checkArtifact(root *form.Node, found *form.Problems) {
	jobs := root.Get("commit").Get("jobs")
	job := root.Get("commit").Get("artifact").Get("job")
	if job.Str() == "" || jobs == nil || jobs.Entry(job.Str()) != nil {
		return
	}
	found.Add(job.At, found.HintNearest(job.At, job.Str(), keys(jobs), "its jobs are "+form.Names(keys(jobs))), "commit.artifact.job: the commit stage has no job %s", form.Quoted(job.Str()))
}

func checkRun(root *form.Node, found *form.Problems) {
	run := root.Entry("run")
	if run == nil || run.Value.Kind != form.MappingNode {
		return
	}
	if commit := root.Get("commit"); commit != nil && commit.Kind == form.MappingNode && commit.Get("artifact") == nil {
		found.Add(run.At, "add artifact: {path: out} to commit, with the path of what the jobs build; . is the whole checkout", "run needs an artifact: a copy is started from what the commit stage keeps")
	}
	if requests := run.Value.Entry("requests"); requests != nil && run.Value.Get("port") == nil {
		found.Add(requests.At, "add port: to run, or remove the requests", "run.requests needs run.port: a worker without a port gets none")
	}
	if health := run.Value.Get("health").Entry("path"); health != nil && run.Value.Get("port") == nil {
		found.Add(health.At, "add port: to run, or remove the path", "run.health.path needs run.port: a worker without a port cannot be asked")
	}
	if command := run.Value.Get("command"); len(command.List()) > 0 && command.Items[0].Scalar() && strings.TrimSpace(command.Items[0].Text) == "" {
		found.Add(command.Items[0].At, "write the program first", "run.command[0] is empty")
	}
}

func checkSmoke(root *form.Node, found *form.Problems) {
	run := root.Get("run")
	for i, check := range root.Get("smoke").List() {
		if run == nil {
			found.Add(root.Entry("smoke").At, "add run:, or make the tests jobs of a stage", "smoke needs run: without it nothing is deployed that could be tested")
			return
		}
		if http := check.Entry("http"); http != nil && run.Kind == form.MappingNode && run.Get("port") == nil {
			found.Add(http.At, "add port: to run, or use run: COMMAND here", "smoke[%d].http needs run.port: a worker without a port cannot be asked", i)
		}
	}
}

func checkStages(root *form.Node, envs []andon.EnvironmentName, found *form.Problems) {
	nameLine, deployLine := map[string]int{}, map[string]int{}
	highest := andon.Development
	for i, stage := range root.Get("stages").List() {
		at := fmt.Sprintf("stages[%d]", i)
		if name := stage.Get("name"); name.Str() != "" {
			checkStageName(name, at, nameLine, found)
		}
		if deploy := stage.Get("deploy"); deploy.Str() != "" {
			checkDeploy(root, deploy, at, envs, deployLine, found)
		}
		if grants := stage.Get("grants"); andon.Maturity(grants.Str()).AtLeast(andon.Development) {
			granted := andon.Maturity(grants.Str())
			if !granted.AtLeast(highest) {
				found.Add(grants.At, "let the earlier stage grant less, or remove this", "%s.grants is %s, which is lower than %s from an earlier stage", at, granted, highest)
			} else {
				highest = granted
			}
		}
		checkJobs(stage.Get("jobs"), at+".jobs", found)
	}
}

func checkStageName(name *form.Node, at string, lines map[string]int, found *form.Problems) {
	if name.Str() == string(andon.CommitStageName) {
		found.Add(name.At, "choose another name", "%s.name: commit is the name of the first stage, which is written under commit:", at)
	}
	if line, taken := lines[name.Str()]; taken {
		found.Add(name.At, fmt.Sprintf("the first is on line %d; choose another name", line), "two stages have the name %s", form.Quoted(name.Str()))
		return
	}
	lines[name.Str()] = name.At.Line
}

func checkDeploy(root, deploy *form.Node, at string, envs []andon.EnvironmentName, lines map[string]int, found *form.Problems) {
	env := deploy.Str()
	if root.Get("run") == nil {
		found.Add(deploy.At, "add run: with the command that starts a copy", "%s.deploy needs run: nothing says what a running copy is", at)
	}
	if !known(env, envs) {
		found.Add(deploy.At, hintEnvironment(deploy.At, env, envs, found), "%s.deploy: there is no environment %s", at, form.Quoted(env))
	}
	if line, taken := lines[env]; taken {
		found.Add(deploy.At, fmt.Sprintf("the first is on line %d; add the jobs to that stage", line), "two stages deploy to %s", env)
		return
	}
	lines[env] = deploy.At.Line
}

func checkEnvironments(root *form.Node, envs []andon.EnvironmentName, found *form.Problems) {
	environments := root.Entry("environments")
	if environments == nil {
		return
	}
	if root.Get("run") == nil && len(environments.Value.All()) > 0 {
		found.Add(environments.At, "add run:, or remove environments:", "environments needs run: without it nothing is deployed")
	}
	for _, e := range environments.Value.All() {
		if andon.ValidName(e.Key) && !known(e.Key, envs) {
			found.Add(e.At, hintEnvironment(e.At, e.Key, envs, found), "environments: there is no environment %s", form.Quoted(e.Key))
		}
	}
}

func hintEnvironment(at form.Position, env string, envs []andon.EnvironmentName, found *form.Problems) string {
	all := make([]string, len(envs))
	for i, e := range envs {
		all[i] = string(e)
	}
	return found.HintNearest(at, env, all, "the environments are "+form.Names(all))
}

// checkJobs checks what the jobs of one stage need, and their report patterns.
func checkJobs(jobs *form.Node, at string, found *form.Problems) {
	for _, job := range jobs.All() {
		for _, need := range needs(job.Value) {
			switch {
			case need.Text == "" || !andon.ValidName(need.Text):
			case need.Text == job.Key:
				found.Add(need.At, "remove it", "%s.%s.needs: a job cannot need itself", at, job.Key)
			case jobs.Entry(need.Text) == nil:
				found.Add(need.At, found.HintNearest(need.At, need.Text, keys(jobs), "the jobs of this stage are "+form.Names(keys(jobs))), "%s.%s.needs: this stage has no job %s", at, job.Key, form.Quoted(need.Text))
			}
		}
		checkGlobs(job.Value.Get("reports").Get("junit"), at+"."+job.Key+".reports.junit", found)
	}
	checkCycles(jobs, at, found)
}

func checkGlobs(n *form.Node, at string, found *form.Problems) {
	globs := n.List()
	if n.Scalar() {
		globs = []*form.Node{n}
	}
	for _, glob := range globs {
		checkGlob(glob, at, found)
	}
}

// checkGlob looks at each part between slashes by itself, as the runner does.
func checkGlob(glob *form.Node, at string, found *form.Problems) {
	for part := range strings.SplitSeq(glob.Str(), "/") {
		if _, err := path.Match(part, ""); err != nil {
			found.Add(glob.At, "close every [ with ], before the next /", "%s is not a pattern: %s", at, form.Quoted(glob.Str()))
			return
		}
		if part != "**" && strings.Contains(part, "**") {
			found.Add(glob.At, "write ** between slashes, as in **/*.xml: any number of directories",
				"%s has ** beside other characters: %s", at, form.Quoted(glob.Str()))
			return
		}
	}
}

// needs returns the names that a job needs, as nodes.
func needs(job *form.Node) []*form.Node {
	n := job.Get("needs")
	if n.Scalar() {
		return []*form.Node{n}
	}
	return slices.DeleteFunc(slices.Clone(n.List()), func(item *form.Node) bool { return !item.Scalar() })
}

func keys(n *form.Node) []string {
	var all []string
	for _, e := range n.All() {
		all = append(all, e.Key)
	}
	return all
}
