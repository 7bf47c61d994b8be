package pipeline

import (
	"regexp"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
)

// The format of andon.yaml. docs/reference/andon-yaml.md says the same in prose.

const day = 24 * time.Hour

// elsewhere holds what other systems call our keys.
var elsewhere = map[string]string{
	"after": "needs", "args": "command", "artifacts": "artifact", "branches": "stages", "cmd": "command",
	"copies": "instances", "depends_on": "needs", "dependson": "needs", "entrypoint": "command", "environment": "env",
	"expect": "status", "expose": "port", "gate": "approval", "healthcheck": "health", "manual": "approval", "name": "service",
	"owner": "team", "pipeline": "stages", "ports": "port", "replicas": "instances", "require": "needs", "requires": "needs",
	"scale": "instances", "script": "steps", "scripts": "steps", "shell": "run", "variables": "env", "vars": "env",
}

// homes says where a key belongs that is often written somewhere else.
var homes = map[string]string{
	"approval": "an item of stages", "artifact": "commit", "budget": "commit", "command": "run", "commit": "the top level",
	"deploy": "an item of stages", "drain": "run", "env": "run, a job, or environments.NAME", "environments": "the top level",
	"grants": "an item of stages", "health": "run", "instances": "run", "jobs": "commit, or an item of stages",
	"junit": "reports", "needs": "a job", "port": "run", "reports": "a job", "run": "the top level",
	"service": "the top level", "team": "the top level", "smoke": "the top level", "stages": "the top level", "status": "an http check",
	"steps": "a job", "stop": "run", "requests": "run", "max_body": "run.requests", "in_flight": "run.requests", "sticky": "run.requests",
}

func pipelineShape() form.Object {
	return form.Object{
		Example: "begin with service: NAME and commit:; `andon init` writes one that works for this repository",
		Fields: []form.Field{
			{Key: "service", Required: true, Shape: form.Name, Doc: "the name of the service, also its host name"},
			{Key: "team", Shape: form.Name, Doc: "who is responsible for the service: the board shows its services together"},
			{Key: "commit", Required: true, Shape: commitShape(), Doc: "the commit stage, which tests every commit and builds the artifact once"},
			{Key: "run", Shape: runShape(), Doc: "what a running copy is; without it, nothing is deployed"},
			{Key: "smoke", Shape: smokeShape(), Doc: "tests of every new copy before it has traffic"},
			{Key: "stages", Shape: stagesShape(), Doc: "the stages after the commit stage, in order"},
			{Key: "environments", Shape: environmentsShape(), Doc: "what differs by environment"},
			{Key: "database", Instead: "run migrations as a job of the stage before the deployment, or as the service starts"},
		},
	}
}

func commitShape() form.Object {
	return form.Object{
		Example: "write jobs: below it, with one job that has steps",
		Fields: []form.Field{
			{Key: "budget", Shape: form.Span{Least: time.Millisecond, Most: day}, Doc: "over it, the stage is marked slow on the board; default 5m"},
			{Key: "jobs", Required: true, Shape: jobsShape(), Doc: "the jobs, which run in parallel unless one needs another"},
			{Key: "artifact", Shape: artifactShape(), Doc: "what the stage keeps and every environment gets"},
		},
	}
}

func artifactShape() form.Object {
	return form.Object{
		Example: "write {path: out}",
		Fields: []form.Field{
			{Key: "path", Required: true, Shape: pathShape, Doc: "a file or directory in the checkout, relative to its top; . is all of it"},
			{Key: "job", Shape: form.Name, Doc: "the job in whose checkout it is; default: the job named build, otherwise the last one"},
			{Key: "image", Instead: "keep files with path: and start them with run.command"},
		},
	}
}

func jobsShape() form.Mapping {
	return form.Mapping{
		Key: form.Name, Value: jobShape(), Least: 1, Most: 100, Noun: "job",
		Example: "write NAME: {steps: [{run: COMMAND}]}",
	}
}

func jobShape() form.Object {
	return form.Object{
		Example: "write {steps: [{run: COMMAND}]}",
		Fields: []form.Field{
			{Key: "steps", Required: true, Shape: stepsShape(), Doc: "shell commands, in order, in one fresh checkout"},
			{Key: "needs", Shape: form.Either{Scalar: form.Name, List: form.List{Item: form.Name, Most: 100, Noun: "job"}}, Doc: "jobs of the same stage that must succeed first"},
			{Key: "env", Shape: envShape(), Doc: "environment variables of the steps"},
			{Key: "timeout", Shape: form.Span{Least: time.Millisecond, Most: day}, Doc: "the longest the whole job may take; default 30m"},
			{Key: "reports", Shape: reportsShape(), Doc: "test reports that the job writes"},
			{Key: "image", Instead: "the steps run on the agent: install there what they need"},
			{Key: "services", Instead: "start what the tests need in a step, and stop it in the same one"},
		},
	}
}

func stepsShape() form.List {
	step := form.Object{
		Example: "write {run: COMMAND}",
		Fields: []form.Field{
			{Key: "run", Required: true, Shape: commandShape, Doc: "a command for sh -e -c; several lines with run: |"},
			{Key: "name", Shape: form.Text{Noun: "a text", Most: 100, Plain: true}, Doc: "what people see; default: the first line of run"},
			{Key: "timeout", Shape: form.Span{Least: time.Millisecond, Most: day}, Doc: "the longest this step may take; default: only the job's"},
		},
	}
	return form.List{Item: form.Either{Scalar: commandShape, Mapping: step}, Least: 1, Most: 200, Noun: "step", Example: "write - run: COMMAND"}
}

func reportsShape() form.Object {
	return form.Object{
		Example: "write {junit: reports/*.xml}",
		Some:    []string{"junit"}, None: "names no report", Hint: "write {junit: reports/*.xml}",
		Fields: []form.Field{
			{Key: "junit", Shape: form.Either{Scalar: globShape, List: form.List{Item: globShape, Least: 1, Most: 50, Noun: "pattern"}}, Doc: "where the JUnit XML files are: one glob or a list"},
		},
	}
}

func runShape() form.Object {
	return form.Object{
		Example: "write command: below it",
		Fields: []form.Field{
			{Key: "command", Required: true, Shape: form.Either{Scalar: commandShape, List: form.List{Item: form.Text{Noun: "an argument", Empty: true, Plain: true}, Least: 1, Most: 500, Noun: "argument", Example: "write the program and its arguments"}}, Doc: "what starts a copy: a text for sh -c, or the exact arguments as a list"},
			{Key: "port", Shape: form.Whole{Least: 1, Most: 65535}, Doc: "the port the service speaks HTTP on; it must listen on $PORT, which may be another; without it, a worker"},
			{Key: "health", Shape: healthShape(), Doc: "how a copy shows that it works"},
			{Key: "instances", Shape: form.Whole{Least: 1, Most: 100}, Doc: "how many copies run; default 1"},
			{Key: "drain", Shape: form.Span{Least: 0, Most: time.Hour}, Doc: "how long requests in flight may take to end; default 10s"},
			{Key: "stop", Shape: form.Span{Least: 0, Most: time.Hour}, Doc: "from SIGTERM to SIGKILL; default 10s"},
			{Key: "env", Shape: envShape(), Doc: "environment variables of every copy"},
			{Key: "requests", Shape: requestsShape(), Doc: "which requests the copies get"},
		},
	}
}

func requestsShape() form.Object {
	return form.Object{
		Example: "write {max_body: 50MB, in_flight: 200}",
		Fields: []form.Field{
			{Key: "max_body", Shape: form.Size{Least: 1000, Most: 1 << 40}, Doc: "the largest body of one request; a larger one gets 413; default: no limit"},
			{Key: "in_flight", Shape: form.Whole{Least: 1, Most: 1_000_000}, Doc: "how many requests each copy has at once; those beyond get 503; default: no limit"},
			{Key: "sticky", Shape: form.Choice{Words: []string{"cookie"}}, Doc: "keeps a client at one copy by a cookie; default: no client is kept"},
		},
	}
}

func healthShape() form.Object {
	return form.Object{
		Example: "write {path: /healthz}",
		Fields: []form.Field{
			{Key: "path", Shape: urlPathShape, Doc: "GET must answer 2xx or 3xx; without it, the port must accept a connection"},
			{Key: "interval", Shape: form.Span{Least: 100 * time.Millisecond, Most: 5 * time.Minute}, Doc: "the time between two probes; default 1s"},
			{Key: "timeout", Shape: form.Span{Least: 10 * time.Millisecond, Most: 5 * time.Minute}, Doc: "the longest one probe may take; default 1s"},
			{Key: "start", Shape: form.Span{Least: 100 * time.Millisecond, Most: time.Hour}, Doc: "within which a new copy must become healthy; default 30s"},
		},
	}
}

func smokeShape() form.List {
	http := form.Object{
		Example: "write {path: /, status: 200}",
		Fields: []form.Field{
			{Key: "path", Required: true, Shape: urlPathShape, Doc: "what to GET from the new copy"},
			{Key: "status", Shape: form.Whole{Least: 200, Most: 599}, Doc: "the expected status; default 200"},
			{Key: "contains", Shape: form.Text{Noun: "a text", Plain: true, Most: 10_000}, Doc: "a text that the first MiB of the answer must contain"},
		},
	}
	check := form.Object{
		Example: "write {http: {path: /}} or {run: COMMAND}",
		One:     []string{"http", "run"}, None: "tests nothing", Hint: "write {http: {path: /}} or {run: COMMAND}",
		Fields: []form.Field{
			{Key: "http", Shape: http, Doc: "one request to a new copy"},
			{Key: "run", Shape: commandShape, Doc: "a command in a checkout, with the copy's address in $ANDON_URL"},
		},
	}
	return form.List{Item: check, Most: 50, Noun: "test", Example: "write - http: {path: /}"}
}

func stagesShape() form.List {
	approval := form.Object{
		Example: "write approval: {}",
		Fields:  []form.Field{{Key: "from", Instead: "write approval: {}; anybody who may promote can then let the version in"}},
	}
	stage := form.Object{
		Example: "write {name: acceptance, deploy: test}",
		Some:    []string{"deploy", "approval", "jobs", "grants"}, None: "does nothing",
		Hint: "give it at least one of deploy, approval, jobs and grants",
		Fields: []form.Field{
			{Key: "name", Required: true, Shape: form.Name, Doc: "the name of the stage"},
			{Key: "approval", Shape: approval, Doc: "{}: a person lets each version in, with andon promote"},
			{Key: "deploy", Shape: form.Name, Doc: "the environment that the stage deploys to"},
			{Key: "jobs", Shape: jobsShape(), Doc: "the jobs after the deployment, with the service's address in $ANDON_URL"},
			{Key: "grants", Shape: form.Choice{Words: []string{string(andon.ReleaseCandidate), string(andon.Certified)}}, Doc: "what a version has earned that passes"},
		},
	}
	return form.List{Item: stage, Most: 50, Noun: "stage", Example: "write - {name: acceptance, deploy: test}"}
}

func environmentsShape() form.Mapping {
	options := form.Object{
		Example: "write {instances: 2, env: {NAME: VALUE}}",
		Fields: []form.Field{
			{Key: "env", Shape: envShape(), Doc: "laid over run.env, name by name"},
			{Key: "instances", Shape: form.Whole{Least: 1, Most: 100}, Doc: "how many copies run there; default: run.instances"},
		},
	}
	return form.Mapping{Key: form.Name, Value: options, Most: 100, Noun: "environment", Example: "write production: {instances: 2}"}
}

func envShape() form.Mapping {
	return form.Mapping{
		Key: envNameShape, Value: form.Text{Noun: "a text", Empty: true, Plain: true}, Most: 500, Noun: "variable",
		Example: "write {NAME: VALUE}",
	}
}

var (
	commandShape = form.Text{Noun: "a command", Boolean: true}

	envNameShape = form.Text{
		Noun: "a variable name", Most: 200,
		Pattern: regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`),
		Refused: regexp.MustCompile(`^(?:ANDON|PORT$)`),
		Rule:    "use letters, digits and _, and neither PORT nor names that begin with ANDON, which Andon sets itself",
		Why:     whyEnvName,
	}
	urlPathShape = form.Text{
		Noun: "a path such as /healthz", Most: 2000,
		Pattern: regexp.MustCompile(`^/(?:[^\x00-\x20\x7f#%\\]|%[0-9A-Fa-f]{2})*$`),
		Rule:    "begin with /, and write a space as %20",
	}
	pathShape = form.Text{
		Noun: "a path in the checkout", Most: 1000,
		Pattern: regexp.MustCompile(`^` + pathPart + `(?:/+` + pathPart + `)*/*$`),
		Rule:    "write a relative path such as out, with / between directories and without ..",
		Why:     whyPath,
	}
	globShape = form.Text{
		Noun: "a pattern of paths in the checkout", Most: 1000,
		Pattern: pathShape.Pattern,
		Rule:    "write a relative pattern such as reports/*.xml, without ..",
		Why:     whyPath,
	}
)

// pathPart is one part of a path, not "..".
const pathPart = `(?:\.|\.?[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*|\.\.[^/\\\x00-\x1f\x7f]+)`
