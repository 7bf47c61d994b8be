package pipeline

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// checkRules checks what one key says about another.
func checkRules(root *node, envs []andon.EnvironmentName, found *problems) {
	checkJobs(root.get("commit").get("jobs"), "commit.jobs", found)
	checkArtifact(root, found)
	checkRun(root, found)
	checkSmoke(root, found)
	checkStages(root, envs, found)
	checkEnvironments(root, envs, found)
}

func checkArtifact(root *node, found *problems) {
	jobs := root.get("commit").get("jobs")
	job := root.get("commit").get("artifact").get("job")
	if job.str() == "" || jobs == nil || jobs.entry(job.str()) != nil {
		return
	}
	found.add(job.at, found.hintNearest(job.at, job.str(), keys(jobs), "its jobs are "+names(keys(jobs))), "commit.artifact.job: the commit stage has no job %s", quoted(job.str()))
}

func checkRun(root *node, found *problems) {
	run := root.entry("run")
	if run == nil || run.value.kind != mappingNode {
		return
	}
	if commit := root.get("commit"); commit != nil && commit.kind == mappingNode && commit.get("artifact") == nil {
		found.add(run.at, "add artifact: {path: out} to commit, with the path of what the jobs build; . is the whole checkout", "run needs an artifact: a copy is started from what the commit stage keeps")
	}
	if health := run.value.get("health").entry("path"); health != nil && run.value.get("port") == nil {
		found.add(health.at, "add port: to run, or remove the path", "run.health.path needs run.port: a worker without a port cannot be asked")
	}
	if command := run.value.get("command"); len(command.list()) > 0 && command.items[0].scalar() && strings.TrimSpace(command.items[0].text) == "" {
		found.add(command.items[0].at, "write the program first", "run.command[0] is empty")
	}
}

func checkSmoke(root *node, found *problems) {
	run := root.get("run")
	for i, check := range root.get("smoke").list() {
		if run == nil {
			found.add(root.entry("smoke").at, "add run:, or make the tests jobs of a stage", "smoke needs run: without it nothing is deployed that could be tested")
			return
		}
		if http := check.entry("http"); http != nil && run.kind == mappingNode && run.get("port") == nil {
			found.add(http.at, "add port: to run, or use run: COMMAND here", "smoke[%d].http needs run.port: a worker without a port cannot be asked", i)
		}
	}
}

func checkStages(root *node, envs []andon.EnvironmentName, found *problems) {
	nameLine, deployLine := map[string]int{}, map[string]int{}
	highest := andon.Development
	for i, stage := range root.get("stages").list() {
		at := fmt.Sprintf("stages[%d]", i)
		if name := stage.get("name"); name.str() != "" {
			checkStageName(name, at, nameLine, found)
		}
		if deploy := stage.get("deploy"); deploy.str() != "" {
			checkDeploy(root, deploy, at, envs, deployLine, found)
		}
		if grants := stage.get("grants"); andon.Maturity(grants.str()).AtLeast(andon.Development) {
			granted := andon.Maturity(grants.str())
			if !granted.AtLeast(highest) {
				found.add(grants.at, "let the earlier stage grant less, or remove this", "%s.grants is %s, which is lower than %s from an earlier stage", at, granted, highest)
			} else {
				highest = granted
			}
		}
		checkJobs(stage.get("jobs"), at+".jobs", found)
	}
}

func checkStageName(name *node, at string, lines map[string]int, found *problems) {
	if name.str() == string(andon.CommitStageName) {
		found.add(name.at, "choose another name", "%s.name: commit is the name of the first stage, which is written under commit:", at)
	}
	if line, taken := lines[name.str()]; taken {
		found.add(name.at, fmt.Sprintf("the first is on line %d; choose another name", line), "two stages have the name %s", quoted(name.str()))
		return
	}
	lines[name.str()] = name.at.line
}

func checkDeploy(root, deploy *node, at string, envs []andon.EnvironmentName, lines map[string]int, found *problems) {
	env := deploy.str()
	if root.get("run") == nil {
		found.add(deploy.at, "add run: with the command that starts a copy", "%s.deploy needs run: nothing says what a running copy is", at)
	}
	if !known(env, envs) {
		found.add(deploy.at, hintEnvironment(deploy.at, env, envs, found), "%s.deploy: there is no environment %s", at, quoted(env))
	}
	if line, taken := lines[env]; taken {
		found.add(deploy.at, fmt.Sprintf("the first is on line %d; add the jobs to that stage", line), "two stages deploy to %s", env)
		return
	}
	lines[env] = deploy.at.line
}

func checkEnvironments(root *node, envs []andon.EnvironmentName, found *problems) {
	environments := root.entry("environments")
	if environments == nil {
		return
	}
	if root.get("run") == nil && len(environments.value.all()) > 0 {
		found.add(environments.at, "add run:, or remove environments:", "environments needs run: without it nothing is deployed")
	}
	for _, e := range environments.value.all() {
		if andon.ValidName(e.key) && !known(e.key, envs) {
			found.add(e.at, hintEnvironment(e.at, e.key, envs, found), "environments: there is no environment %s", quoted(e.key))
		}
	}
}

func hintEnvironment(at position, env string, envs []andon.EnvironmentName, found *problems) string {
	all := make([]string, len(envs))
	for i, e := range envs {
		all[i] = string(e)
	}
	return found.hintNearest(at, env, all, "the environments are "+names(all))
}

// checkJobs checks what the jobs of one stage need, and their report patterns.
func checkJobs(jobs *node, at string, found *problems) {
	for _, job := range jobs.all() {
		for _, need := range needs(job.value) {
			switch {
			case need.text == "" || !andon.ValidName(need.text):
			case need.text == job.key:
				found.add(need.at, "remove it", "%s.%s.needs: a job cannot need itself", at, job.key)
			case jobs.entry(need.text) == nil:
				found.add(need.at, found.hintNearest(need.at, need.text, keys(jobs), "the jobs of this stage are "+names(keys(jobs))), "%s.%s.needs: this stage has no job %s", at, job.key, quoted(need.text))
			}
		}
		checkGlobs(job.value.get("reports").get("junit"), at+"."+job.key+".reports.junit", found)
	}
	checkCycles(jobs, at, found)
}

func checkGlobs(n *node, at string, found *problems) {
	globs := n.list()
	if n.scalar() {
		globs = []*node{n}
	}
	for _, glob := range globs {
		checkGlob(glob, at, found)
	}
}

// checkGlob looks at each part between slashes by itself, as the runner does.
func checkGlob(glob *node, at string, found *problems) {
	for part := range strings.SplitSeq(glob.str(), "/") {
		if _, err := path.Match(part, ""); err != nil {
			found.add(glob.at, "close every [ with ], before the next /", "%s is not a pattern: %s", at, quoted(glob.str()))
			return
		}
		if part != "**" && strings.Contains(part, "**") {
			found.add(glob.at, "write ** between slashes, as in **/*.xml: any number of directories",
				"%s has ** beside other characters: %s", at, quoted(glob.str()))
			return
		}
	}
}

// needs returns the names that a job needs, as nodes.
func needs(job *node) []*node {
	n := job.get("needs")
	if n.scalar() {
		return []*node{n}
	}
	return slices.DeleteFunc(slices.Clone(n.list()), func(item *node) bool { return !item.scalar() })
}

func keys(n *node) []string {
	var all []string
	for _, e := range n.all() {
		all = append(all, e.key)
	}
	return all
}
