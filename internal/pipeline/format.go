package pipeline

import (
	"regexp"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// The format of andon.yaml. docs/reference/andon-yaml.md says the same in prose.

const day = 24 * time.Hour

// elsewhere holds what other systems call our keys.
var elsewhere = map[string]string{
	"after": "needs", "args": "command", "artifacts": "artifact", "branches": "stages", "cmd": "command",
	"copies": "instances", "depends_on": "needs", "dependson": "needs", "entrypoint": "command", "environment": "env",
	"expect": "status", "expose": "port", "gate": "approval", "healthcheck": "health", "manual": "approval", "name": "service",
	"pipeline": "stages", "ports": "port", "replicas": "instances", "require": "needs", "requires": "needs",
	"scale": "instances", "script": "steps", "scripts": "steps", "shell": "run", "variables": "env", "vars": "env",
}

// homes says where a key belongs that is often written somewhere else.
var homes = map[string]string{
	"approval": "an item of stages", "artifact": "commit", "budget": "commit", "command": "run", "commit": "the top level",
	"deploy": "an item of stages", "drain": "run", "env": "run, a job, or environments.NAME", "environments": "the top level",
	"grants": "an item of stages", "health": "run", "instances": "run", "jobs": "commit, or an item of stages",
	"junit": "reports", "needs": "a job", "port": "run", "reports": "a job", "run": "the top level",
	"service": "the top level", "smoke": "the top level", "stages": "the top level", "status": "an http check",
	"steps": "a job", "stop": "run",
}

func pipelineShape() object {
	return object{
		example: "begin with service: NAME and commit:; `andon init` writes one that works for this repository",
		fields: []field{
			{key: "service", required: true, shape: nameShape, doc: "the name of the service, also its host name"},
			{key: "commit", required: true, shape: commitShape(), doc: "the commit stage, which tests every commit and builds the artifact once"},
			{key: "run", shape: runShape(), doc: "what a running copy is; without it, nothing is deployed"},
			{key: "smoke", shape: smokeShape(), doc: "tests of every new copy before it has traffic"},
			{key: "stages", shape: stagesShape(), doc: "the stages after the commit stage, in order"},
			{key: "environments", shape: environmentsShape(), doc: "what differs by environment"},
			{key: "database", instead: "run migrations as a job of the stage before the deployment, or as the service starts"},
		},
	}
}

func commitShape() object {
	return object{
		example: "write jobs: below it, with one job that has steps",
		fields: []field{
			{key: "budget", shape: span{time.Millisecond, day}, doc: "over it, the stage is marked slow on the board; default 5m"},
			{key: "jobs", required: true, shape: jobsShape(), doc: "the jobs, which run in parallel unless one needs another"},
			{key: "artifact", shape: artifactShape(), doc: "what the stage keeps and every environment gets"},
		},
	}
}

func artifactShape() object {
	return object{
		example: "write {path: out}",
		fields: []field{
			{key: "path", required: true, shape: pathShape, doc: "a file or directory in the checkout, relative to its top; . is all of it"},
			{key: "job", shape: nameShape, doc: "the job in whose checkout it is; default: the job named build, otherwise the last one"},
			{key: "image", instead: "keep files with path: and start them with run.command"},
		},
	}
}

func jobsShape() mapping {
	return mapping{
		key: nameShape, value: jobShape(), least: 1, most: 100, noun: "job",
		example: "write NAME: {steps: [{run: COMMAND}]}",
	}
}

func jobShape() object {
	return object{
		example: "write {steps: [{run: COMMAND}]}",
		fields: []field{
			{key: "steps", required: true, shape: stepsShape(), doc: "shell commands, in order, in one fresh checkout"},
			{key: "needs", shape: either{scalar: nameShape, list: list{item: nameShape, most: 100, noun: "job"}}, doc: "jobs of the same stage that must succeed first"},
			{key: "env", shape: envShape(), doc: "environment variables of the steps"},
			{key: "timeout", shape: span{time.Millisecond, day}, doc: "the longest the whole job may take; default 30m"},
			{key: "reports", shape: reportsShape(), doc: "test reports that the job writes"},
			{key: "image", instead: "the steps run on the agent: install there what they need"},
			{key: "services", instead: "start what the tests need in a step, and stop it in the same one"},
		},
	}
}

func stepsShape() list {
	step := object{
		example: "write {run: COMMAND}",
		fields: []field{
			{key: "run", required: true, shape: commandShape, doc: "a command for sh -e -c; several lines with run: |"},
			{key: "name", shape: text{noun: "a text", most: 100, plain: true}, doc: "what people see; default: the first line of run"},
			{key: "timeout", shape: span{time.Millisecond, day}, doc: "the longest this step may take; default: only the job's"},
		},
	}
	return list{item: either{scalar: commandShape, mapping: step}, least: 1, most: 200, noun: "step", example: "write - run: COMMAND"}
}

func reportsShape() object {
	return object{
		example: "write {junit: reports/*.xml}",
		some:    []string{"junit"}, none: "names no report", hint: "write {junit: reports/*.xml}",
		fields: []field{
			{key: "junit", shape: either{scalar: globShape, list: list{item: globShape, least: 1, most: 50, noun: "pattern"}}, doc: "where the JUnit XML files are: one glob or a list"},
		},
	}
}

func runShape() object {
	return object{
		example: "write command: below it",
		fields: []field{
			{key: "command", required: true, shape: either{scalar: commandShape, list: list{item: text{noun: "an argument", empty: true, plain: true}, least: 1, most: 500, noun: "argument", example: "write the program and its arguments"}}, doc: "what starts a copy: a text for sh -c, or the exact arguments as a list"},
			{key: "port", shape: whole{1, 65535}, doc: "the port the service speaks HTTP on; it must listen on $PORT, which may be another; without it, a worker"},
			{key: "health", shape: healthShape(), doc: "how a copy shows that it works"},
			{key: "instances", shape: whole{1, 100}, doc: "how many copies run; default 1"},
			{key: "drain", shape: span{0, time.Hour}, doc: "how long requests in flight may take to end; default 10s"},
			{key: "stop", shape: span{0, time.Hour}, doc: "from SIGTERM to SIGKILL; default 10s"},
			{key: "env", shape: envShape(), doc: "environment variables of every copy"},
		},
	}
}

func healthShape() object {
	return object{
		example: "write {path: /healthz}",
		fields: []field{
			{key: "path", shape: urlPathShape, doc: "GET must answer 2xx or 3xx; without it, the port must accept a connection"},
			{key: "interval", shape: span{100 * time.Millisecond, 5 * time.Minute}, doc: "the time between two probes; default 1s"},
			{key: "timeout", shape: span{10 * time.Millisecond, 5 * time.Minute}, doc: "the longest one probe may take; default 1s"},
			{key: "start", shape: span{100 * time.Millisecond, time.Hour}, doc: "within which a new copy must become healthy; default 30s"},
		},
	}
}

func smokeShape() list {
	http := object{
		example: "write {path: /, status: 200}",
		fields: []field{
			{key: "path", required: true, shape: urlPathShape, doc: "what to GET from the new copy"},
			{key: "status", shape: whole{200, 599}, doc: "the expected status; default 200"},
			{key: "contains", shape: text{noun: "a text", plain: true, most: 10_000}, doc: "a text that the first MiB of the answer must contain"},
		},
	}
	check := object{
		example: "write {http: {path: /}} or {run: COMMAND}",
		one:     []string{"http", "run"}, none: "tests nothing", hint: "write {http: {path: /}} or {run: COMMAND}",
		fields: []field{
			{key: "http", shape: http, doc: "one request to a new copy"},
			{key: "run", shape: commandShape, doc: "a command in a checkout, with the copy's address in $ANDON_URL"},
		},
	}
	return list{item: check, most: 50, noun: "test", example: "write - http: {path: /}"}
}

func stagesShape() list {
	approval := object{
		example: "write approval: {}",
		fields:  []field{{key: "from", instead: "write approval: {}; anybody who may promote can then let the version in"}},
	}
	stage := object{
		example: "write {name: acceptance, deploy: test}",
		some:    []string{"deploy", "approval", "jobs", "grants"}, none: "does nothing",
		hint: "give it at least one of deploy, approval, jobs and grants",
		fields: []field{
			{key: "name", required: true, shape: nameShape, doc: "the name of the stage"},
			{key: "approval", shape: approval, doc: "{}: a person lets each version in, with andon promote"},
			{key: "deploy", shape: nameShape, doc: "the environment that the stage deploys to"},
			{key: "jobs", shape: jobsShape(), doc: "the jobs after the deployment, with the service's address in $ANDON_URL"},
			{key: "grants", shape: choice{[]string{string(andon.ReleaseCandidate), string(andon.Certified)}}, doc: "what a version has earned that passes"},
		},
	}
	return list{item: stage, most: 50, noun: "stage", example: "write - {name: acceptance, deploy: test}"}
}

func environmentsShape() mapping {
	options := object{
		example: "write {instances: 2, env: {NAME: VALUE}}",
		fields: []field{
			{key: "env", shape: envShape(), doc: "laid over run.env, name by name"},
			{key: "instances", shape: whole{1, 100}, doc: "how many copies run there; default: run.instances"},
		},
	}
	return mapping{key: nameShape, value: options, most: 100, noun: "environment", example: "write production: {instances: 2}"}
}

func envShape() mapping {
	return mapping{
		key: envNameShape, value: text{noun: "a text", empty: true, plain: true}, most: 500, noun: "variable",
		example: "write {NAME: VALUE}",
	}
}

var (
	commandShape = text{noun: "a command", boolean: true}

	nameShape = text{
		noun: "a name", rule: andon.NameRule, most: 39,
		pattern: regexp.MustCompile(`^[a-z](?:-?[a-z0-9]){0,38}$`),
	}
	envNameShape = text{
		noun: "a variable name", most: 200,
		pattern: regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`),
		refused: regexp.MustCompile(`^(?:ANDON|PORT$)`),
		rule:    "use letters, digits and _, and neither PORT nor names that begin with ANDON, which Andon sets itself",
		why:     whyEnvName,
	}
	urlPathShape = text{
		noun: "a path such as /healthz", most: 2000,
		pattern: regexp.MustCompile(`^/(?:[^\x00-\x20\x7f#%\\]|%[0-9A-Fa-f]{2})*$`),
		rule:    "begin with /, and write a space as %20",
	}
	pathShape = text{
		noun: "a path in the checkout", most: 1000,
		pattern: regexp.MustCompile(`^` + pathPart + `(?:/+` + pathPart + `)*/*$`),
		rule:    "write a relative path such as out, with / between directories and without ..",
		why:     whyPath,
	}
	globShape = text{
		noun: "a pattern of paths in the checkout", most: 1000,
		pattern: pathShape.pattern,
		rule:    "write a relative pattern such as reports/*.xml, without ..",
		why:     whyPath,
	}
)

// pathPart is one part of a path, not "..".
const pathPart = `(?:\.|\.?[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*|\.\.[^/\\\x00-\x1f\x7f]+)`
