package pipeline_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
	"github.com/andon-cd/andon/internal/pipeline"
)

var environments = []andon.EnvironmentName{"test", "production"}

// minimal is the least that a service may say.
const minimal = "service: shop\ncommit: {jobs: {build: {steps: [make]}}}\n"

// running is a service that can be deployed; its last line is in run.
const running = "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: out}}\nrun:\n  command: ./shop\n  port: 8080\n"

// A refusal is a file with its problems, each as LINE:COLUMN: MESSAGE => HINT.
type refusal struct {
	name   string
	src    string
	want   []string
	schema verdict
}

// A verdict says what the JSON Schema makes of a file that Parse refuses.
type verdict int

const (
	refusesToo verdict = iota
	cannotSee          // it depends on another place of the file, or on a duration's size
	notYAML            // there is nothing to validate
)

var refusals = []refusal{
	// The file as a whole.
	{"empty", "", []string{"1:1: the file is empty => run `andon init --force` to write one that works for this repository"}, notYAML},
	{"only a comment", "# later\n", []string{"1:1: the file is empty => run `andon init --force` to write one that works for this repository"}, notYAML},
	{"only a separator", "---\n", []string{"1:1: the file is empty => run `andon init --force` to write one that works for this repository"}, notYAML},
	{"a text", "hello\n", []string{`1:1: the file must be a mapping, not the text "hello" => begin with service: NAME and commit:; ` + "`andon init` writes one that works for this repository"}, refusesToo},
	{"a list", "- service: shop\n", []string{"1:1: the file must be a mapping, not a list => begin with service: NAME and commit:; `andon init` writes one that works for this repository"}, refusesToo},
	{"two documents", minimal + "---\n" + minimal, []string{"4:1: the file has more than one YAML document => keep one, and remove the line --- between them"}, notYAML},
	{"not UTF-8", "service: sh\xffp\n", []string{"1:12: the byte 0xff here is not UTF-8 => save the file as UTF-8"}, notYAML},
	{"UTF-16", "\xff\xfes\x00e\x00", []string{"1:1: the file is UTF-16, not UTF-8 => save it as UTF-8"}, notYAML},
	{"a control character", "service: shop # é \a\n", []string{"1:19: the character U+0007 is not allowed => remove it; it may not be visible in your editor"}, notYAML},
	{"too big", "#" + strings.Repeat("x", form.MaxSize), []string{"1:1: the file has 262145 bytes and may have 262144 => move long scripts into files of the repository and run those"}, notYAML},

	// YAML itself.
	{"a tab", "service: shop\ncommit:\n\tjobs: {}\n", []string{"3:1: a tab indents this line => indent with spaces; YAML does not allow tabs"}, notYAML},
	{"two keys on a line", "service: a: b\n", []string{`1:10: a second key is not allowed here => put a text that contains ": " in quotes`}, notYAML},
	{"an unquoted colon", "service: shop\ncommit: {jobs: {build: {steps: [make]}}}\nsmoke:\n  - run: echo a: b\n", []string{`4:10: a second key is not allowed here => put a text that contains ": " in quotes`}, notYAML},
	{"indented too much", "service: shop\n  commit: {}\n", []string{"2:3: this key is indented more than the line before allows => indent it like the keys that it belongs to"}, notYAML},
	{"indented too much, further below", "service: shop\n\n  # the stage\n  commit: {}\n", []string{"4:3: a value is not allowed here => check the indentation; put a text that contains special characters in quotes"}, notYAML},
	{"an open list", "service: [shop\ncommit: {}\n", []string{"2:1: a list in [ ] is not closed before this => end it with ], and separate its values with commas"}, notYAML},
	{"an open list at the end", "service: [\n", []string{"1:10: a list in [ ] is never closed => end it with ]"}, notYAML},
	{"an open mapping", "service: {a: 1\n", []string{"1:10: a mapping in { } is never closed => end it with }"}, notYAML},
	{"a list closed too often", "service: ]\n", []string{"1:10: this ] closes nothing => remove it, or put the text in quotes"}, notYAML},
	{"open double quotes", "service: \"shop\n", []string{`1:10: a text in double quotes is never closed => end it with "`}, notYAML},
	{"open single quotes", "service: 'shop\n", []string{"1:10: a text in single quotes is never closed => end it with '"}, notYAML},
	{"a reserved character", "service: @shop\n", []string{"1:10: a text cannot begin with this character => put the text in quotes"}, notYAML},
	{"no colon", "service: shop\ncommit\n", []string{"2:1: a key without a value, or a text at the wrong indentation => write KEY: VALUE, indented like the keys around it"}, notYAML},
	{"no blank after the colon", "service:shop\ncommit: {}\n", []string{"1:1: this is not a key: a colon is missing => write KEY: VALUE, with a blank after the colon"}, notYAML},
	{"a tag", "service: !!str shop\n", []string{`1:10: YAML tags like "!!str" are not used here => write the value alone; put it in quotes to make it a text`}, notYAML},
	{"a directive", "%YAML 1.2\n---\nservice: shop\n", []string{"1:1: YAML directives are not used here => remove this line"}, notYAML},
	{"a complex key", "? service\n: shop\n", []string{`1:1: keys that begin with "? " are not used here => write KEY: VALUE`}, notYAML},
	{"a key twice", minimal + "service: cart\n", []string{`3:1: the key "service" is written twice => the first is on line 1; keep one`}, notYAML},
	{"a key twice, nested", "service: shop\ncommit:\n  jobs:\n    build: {steps: [make], steps: [test]}\n", []string{`4:28: the key "steps" is written twice => the first is on line 4; keep one`}, notYAML},
	{"an unknown anchor", "service: *shop\ncommit: {jobs: {build: {steps: [make]}}}\n", []string{"1:10: there is no anchor &shop above => name a value with &shop before it is used"}, notYAML},
	{"a misspelled anchor", "service: &shop shop\ncommit: {jobs: {build: {steps: [*shp]}}}\n", []string{`2:33: there is no anchor &shp above => did you mean "shop"?`}, notYAML},
	{"an anchor in itself", "service: shop\ncommit: &c {jobs: *c}\n", []string{"2:19: the anchor &c contains itself => an alias stands for a whole value that ended before it"}, notYAML},
	{"merge of a number", minimal + "<<: 3\n", []string{"3:5: << takes a mapping, not a number => write <<: *NAME, with &NAME at a mapping above"}, notYAML},

	// Keys.
	{"a misspelled key", "service: shop\ncomit: {jobs: {build: {steps: [make]}}}\n", []string{`2:1: unknown key "comit" => did you mean "commit"?`}, refusesToo},
	{"a misspelled key, nested", "service: shop\ncommit:\n  jobs:\n    build:\n      step: [make]\n", []string{`5:7: unknown key "step" in commit.jobs.build => did you mean "steps"?`}, refusesToo},
	{"a key of another system", running + "  replicas: 2\n", []string{`6:3: unknown key "replicas" in run => did you mean "instances"?`}, refusesToo},
	{"a key in the wrong place", minimal + "health: {path: /}\n", []string{`3:1: unknown key "health" => the key "health" belongs in run`}, refusesToo},
	{"a key of nobody", minimal + "zebra: 1\n", []string{`3:1: unknown key "zebra" => known here: service, team, commit, run, smoke, stages and environments`}, refusesToo},
	{"a missing key", "service: shop\n", []string{`1:1: the key "commit" is missing => it is the commit stage, which tests every commit and builds the artifact once`}, refusesToo},
	{"a command with a colon", "service: shop\ncommit: {jobs: {build: {steps: [echo a: b]}}}\n", []string{`2:33: unknown key "echo a" in commit.jobs.build.steps[0] => put a text that contains ": " in quotes`}, refusesToo},
	{"a missing key, nested", "service: shop\ncommit: {}\n", []string{`2:9: the key "jobs" is missing in commit => it is the jobs, which run in parallel unless one needs another`}, refusesToo},
	{"a key without a value", "service: shop\ncommit:\n", []string{"2:1: commit has no value, and must be a mapping => write jobs: below it, with one job that has steps"}, refusesToo},

	// Keys that wait for their executor.
	{"database", running + "database: {migrations: db}\n", []string{`6:1: the key "database" is known, but this version of Andon does not support it yet => run migrations as a job of the stage before the deployment, or as the service starts`}, refusesToo},
	{"job image", "service: shop\ncommit:\n  jobs:\n    build:\n      image: golang:1.26\n      steps: [make]\n", []string{`5:7: the key "image" in commit.jobs.build is known, but this version of Andon does not support it yet => the steps run on the agent: install there what they need`}, refusesToo},
	{"job services", "service: shop\ncommit:\n  jobs:\n    build:\n      services: {db: {image: x}}\n      steps: [make]\n", []string{`5:7: the key "services" in commit.jobs.build is known, but this version of Andon does not support it yet => start what the tests need in a step, and stop it in the same one`}, refusesToo},
	{"artifact image", "service: shop\ncommit:\n  jobs: {build: {steps: [make]}}\n  artifact: {image: {dockerfile: Dockerfile}, path: .}\n", []string{`4:14: the key "image" in commit.artifact is known, but this version of Andon does not support it yet => keep files with path: and start them with run.command`}, refusesToo},
	{"approval from", minimal + "stages: [{name: certify, approval: {from: qa}}]\n", []string{`3:37: the key "from" in stages[0].approval is known, but this version of Andon does not support it yet => write approval: {}; anybody who may promote can then let the version in`}, refusesToo},

	// Names and types.
	{"a service name with capitals", "service: Shop\ncommit: {jobs: {build: {steps: [make]}}}\n", []string{`1:10: service: "Shop" is not a name => ` + andon.NameRule}, refusesToo},
	{"a service name that is a number", "service: 12\ncommit: {jobs: {build: {steps: [make]}}}\n", []string{`1:10: service must be a name, not 12 => put it in quotes: "12"`}, refusesToo},
	{"a job name", "service: shop\ncommit: {jobs: {Build It: {steps: [make]}}}\n", []string{`2:17: commit.jobs: "Build It" is not a name => ` + andon.NameRule}, refusesToo},
	{"no jobs", "service: shop\ncommit: {jobs: {}}\n", []string{"2:16: commit.jobs has no job => write NAME: {steps: [{run: COMMAND}]}"}, refusesToo},
	{"no steps", "service: shop\ncommit: {jobs: {build: {steps: []}}}\n", []string{"2:32: commit.jobs.build.steps has no step => write - run: COMMAND"}, refusesToo},
	{"steps as a text", "service: shop\ncommit: {jobs: {build: {steps: make}}}\n", []string{`2:32: commit.jobs.build.steps must be a list, not the text "make" => write - run: COMMAND`}, refusesToo},
	{"a step that is a number", "service: shop\ncommit: {jobs: {build: {steps: [42]}}}\n", []string{`2:33: commit.jobs.build.steps[0] must be a command, not 42 => put it in quotes: "42"`}, refusesToo},
	{"an empty step", "service: shop\ncommit: {jobs: {build: {steps: [' ']}}}\n", []string{"2:33: commit.jobs.build.steps[0] is empty => write a command here"}, refusesToo},
	{"a step that says nothing", "service: shop\ncommit:\n  jobs:\n    build:\n      steps:\n        -\n", []string{"6:9: commit.jobs.build.steps[0] has no value, and must be a command or a mapping => write a command or a mapping here"}, refusesToo},
	{"a zero byte", "service: shop\ncommit: {jobs: {build: {steps: [\"a\\0b\"]}}}\n", []string{`2:33: commit.jobs.build.steps[0] contains a zero byte => remove the \0`}, notYAML},
	{"a step name too long", "service: shop\ncommit: {jobs: {build: {steps: [{run: make, name: " + strings.Repeat("n", 101) + "}]}}}\n", []string{`2:51: commit.jobs.build.steps[0].name: "` + strings.Repeat("n", 60) + `…" is longer than 100 characters => write a shorter one`}, refusesToo},
	{"a reports mapping without a report", "service: shop\ncommit: {jobs: {build: {steps: [make], reports: {}}}}\n", []string{"2:49: commit.jobs.build.reports names no report => write {junit: reports/*.xml}"}, refusesToo},

	// Durations and numbers.
	{"a duration without a unit", running + "  drain: 10\n", []string{"6:10: run.drain needs a unit: 10 => write 10s for seconds, 10m for minutes"}, refusesToo},
	{"a duration in days", running + "  drain: 1d\n", []string{`6:10: run.drain must be a duration such as 10s or 5m, not the text "1d" => the units are ms, s, m and h, as in 500ms, 10s, 5m or 1h30m`}, refusesToo},
	{"a negative duration", running + "  drain: -1s\n", []string{`6:10: run.drain must be a duration such as 10s or 5m, not the text "-1s" => the units are ms, s, m and h, as in 500ms, 10s, 5m or 1h30m`}, refusesToo},
	{"a drain too long", running + "  drain: 61m\n", []string{`6:10: run.drain must be from 0s to 1h, not "61m" => write a duration from 0s to 1h`}, cannotSee},
	{"a duration beyond numbers", running + "  stop: 99999999999h\n", []string{`6:9: run.stop must be from 0s to 1h, not "99999999999h" => write a duration from 0s to 1h`}, cannotSee},
	{"a timeout of a day and more", "service: shop\ncommit: {jobs: {build: {steps: [make], timeout: 25h}}}\n", []string{`2:49: commit.jobs.build.timeout must be from 1ms to 24h, not "25h" => write a duration from 1ms to 24h`}, cannotSee},
	{"a health interval too short", running + "  health: {interval: 99ms}\n", []string{`6:22: run.health.interval must be from 100ms to 5m, not "99ms" => write a duration from 100ms to 5m`}, cannotSee},
	{"a port out of range", "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: .}}\nrun: {command: x, port: 65536}\n", []string{"3:25: run.port must be a whole number from 1 to 65535, not 65536 => write a whole number from 1 to 65535"}, refusesToo},
	{"an octal port", "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: .}}\nrun: {command: x, port: 0700}\n", []string{"3:25: run.port must be a whole number from 1 to 65535, not 0700 => write a whole number from 1 to 65535"}, cannotSee},
	{"instances in quotes", running + "  instances: \"3\"\n", []string{`6:14: run.instances must be a whole number from 1 to 100, not the text "3" => write it without quotes`}, refusesToo},
	{"no instances", running + "  instances: 0\n", []string{"6:14: run.instances must be a whole number from 1 to 100, not 0 => write a whole number from 1 to 100"}, refusesToo},
	{"half an instance", running + "  instances: 1.5\n", []string{"6:14: run.instances must be a whole number from 1 to 100, not 1.5 => write a whole number from 1 to 100"}, refusesToo},
	{"a size without a unit", running + "  requests: {max_body: 50}\n", []string{"6:24: run.requests.max_body needs a unit: 50 => write 50KB, 50MB or 50GB"}, refusesToo},
	{"a size in another unit", running + "  requests: {max_body: 50m}\n", []string{`6:24: run.requests.max_body must be a size such as 512KB, 50MB or 2GiB, not the text "50m" => the units are KB, MB and GB of 1000, and KiB, MiB and GiB of 1024`}, refusesToo},
	{"a size too large", running + "  requests: {max_body: 2000GiB}\n", []string{`6:24: run.requests.max_body must be from 1KB to 1024GiB, not "2000GiB" => write a size from 1KB to 1024GiB`}, cannotSee},
	{"a size beyond numbers", running + "  requests: {max_body: 99999999999999999999GB}\n", []string{`6:24: run.requests.max_body must be from 1KB to 1024GiB, not "99999999999999999999GB" => write a size from 1KB to 1024GiB`}, cannotSee},
	{"sticky by something else", running + "  requests: {sticky: address}\n", []string{`6:22: run.requests.sticky must be cookie, not the text "address" => write cookie`}, refusesToo},

	// Variables.
	{"PORT", running + "  env: {PORT: 80}\n", []string{`6:9: run.env: "PORT" is reserved: Andon sets it itself => use letters, digits and _, and neither PORT nor names that begin with ANDON, which Andon sets itself`}, refusesToo},
	{"ANDON_URL", running + "  env: {ANDON_URL: x}\n", []string{`6:9: run.env: "ANDON_URL" is reserved: Andon sets it itself => use letters, digits and _, and neither PORT nor names that begin with ANDON, which Andon sets itself`}, refusesToo},
	{"a variable with a hyphen", running + "  env: {A-B: x}\n", []string{`6:9: run.env: "A-B" is not a name of a variable => use letters, digits and _, and neither PORT nor names that begin with ANDON, which Andon sets itself`}, refusesToo},
	{"a variable without a value", running + "  env: {A: }\n", []string{`6:9: run.env.A has no value => write "" for an empty one`}, refusesToo},
	{"a variable that is a list", running + "  env: {A: [b]}\n", []string{"6:12: run.env.A must be a text, not a list => write a text here"}, refusesToo},

	// Paths.
	{"an artifact above the checkout", "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: out/../../x}}\n", []string{`2:59: commit.artifact.path: "out/../../x" leaves the checkout => write a relative path such as out, with / between directories and without ..`}, refusesToo},
	{"an absolute artifact", "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: /etc}}\n", []string{`2:59: commit.artifact.path: "/etc" is not relative to the checkout => write a relative path such as out, with / between directories and without ..`}, refusesToo},
	{"an artifact with a backslash", "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: '..\\x'}}\n", []string{`2:59: commit.artifact.path: "..\\x" contains a backslash => write a relative path such as out, with / between directories and without ..`}, refusesToo},
	{"an artifact of no job", "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: out, job: biuld}}\n", []string{`2:69: commit.artifact.job: the commit stage has no job "biuld" => did you mean "build"?`}, cannotSee},
	{"a report above the checkout", "service: shop\ncommit: {jobs: {build: {steps: [make], reports: {junit: ['a.xml', '../*.xml']}}}}\n", []string{`2:67: commit.jobs.build.reports.junit[1]: "../*.xml" leaves the checkout => write a relative pattern such as reports/*.xml, without ..`}, refusesToo},
	{"a report pattern that is none", "service: shop\ncommit: {jobs: {build: {steps: [make], reports: {junit: 'r/[a.xml'}}}}\n", []string{`2:57: commit.jobs.build.reports.junit is not a pattern: "r/[a.xml" => close every [ with ], before the next /`}, cannotSee},
	{"a report pattern whose brackets hold a slash", "service: shop\ncommit: {jobs: {build: {steps: [make], reports: {junit: 'r/[a/b].xml'}}}}\n", []string{`2:57: commit.jobs.build.reports.junit is not a pattern: "r/[a/b].xml" => close every [ with ], before the next /`}, cannotSee},
	{"a report pattern with ** in a name", "service: shop\ncommit: {jobs: {build: {steps: [make], reports: {junit: 'r/**.xml'}}}}\n", []string{`2:57: commit.jobs.build.reports.junit has ** beside other characters: "r/**.xml" => write ** between slashes, as in **/*.xml: any number of directories`}, cannotSee},
	{"a health path", running + "  health: {path: healthz}\n", []string{`6:18: run.health.path: "healthz" is not a path such as /healthz => begin with /, and write a space as %20`}, refusesToo},
	{"a path with a space", running + "smoke: [{http: {path: /a b}}]\n", []string{`6:23: smoke[0].http.path: "/a b" is not a path such as /healthz => begin with /, and write a space as %20`}, refusesToo},

	// What one key says about another.
	{"a need of no job", "service: shop\ncommit:\n  jobs:\n    test: {steps: [make]}\n    build: {steps: [make], needs: tset}\n", []string{`5:35: commit.jobs.build.needs: this stage has no job "tset" => did you mean "test"?`}, cannotSee},
	{"a need of itself", "service: shop\ncommit: {jobs: {build: {steps: [make], needs: [build]}}}\n", []string{"2:48: commit.jobs.build.needs: a job cannot need itself => remove it"}, cannotSee},
	{"a cycle", "service: shop\ncommit:\n  jobs:\n    a: {steps: [x], needs: b}\n    b: {steps: [x], needs: [c]}\n    c: {steps: [x], needs: [a]}\n    d: {steps: [x], needs: [a]}\n", []string{"6:29: commit.jobs wait for each other: a needs b needs c needs a => remove one of these needs"}, cannotSee},
	{"a cycle of a later stage", minimal + "stages:\n  - name: acceptance\n    jobs:\n      a: {steps: [x], needs: b}\n      b: {steps: [x], needs: a}\n", []string{"7:30: stages[0].jobs wait for each other: a needs b needs a => remove one of these needs"}, cannotSee},
	{"run without an artifact", minimal + "run: {command: ./shop}\n", []string{"3:1: run needs an artifact: a copy is started from what the commit stage keeps => add artifact: {path: out} to commit, with the path of what the jobs build; . is the whole checkout"}, cannotSee},
	{"run without a command", "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: .}}\nrun: {port: 80}\n", []string{`3:6: the key "command" is missing in run => it is what starts a copy: a text for sh -c, or the exact arguments as a list`}, refusesToo},
	{"a command without a program", "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: .}}\nrun: {command: ['', x]}\n", []string{"3:17: run.command[0] is empty => write the program first"}, cannotSee},
	{"an empty command", "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: .}}\nrun: {command: []}\n", []string{"3:16: run.command has no argument => write the program and its arguments"}, refusesToo},
	{"a health path of a worker", "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: .}}\nrun: {command: ./shop, health: {path: /}}\n", []string{"3:33: run.health.path needs run.port: a worker without a port cannot be asked => add port: to run, or remove the path"}, cannotSee},
	{"requests to a worker", "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: .}}\nrun: {command: ./shop, requests: {in_flight: 5}}\n", []string{"3:24: run.requests needs run.port: a worker without a port gets none => add port: to run, or remove the requests"}, cannotSee},
	{"a smoke test over HTTP of a worker", "service: shop\ncommit: {jobs: {build: {steps: [make]}}, artifact: {path: .}}\nrun: {command: ./shop}\nsmoke: [{run: x}, {http: {path: /}}]\n", []string{"4:20: smoke[1].http needs run.port: a worker without a port cannot be asked => add port: to run, or use run: COMMAND here"}, cannotSee},
	{"smoke without run", minimal + "smoke: [{run: x}]\n", []string{"3:1: smoke needs run: without it nothing is deployed that could be tested => add run:, or make the tests jobs of a stage"}, cannotSee},
	{"a smoke test that tests nothing", running + "smoke: [{}]\n", []string{"6:9: smoke[0] tests nothing => write {http: {path: /}} or {run: COMMAND}"}, refusesToo},
	{"a smoke test that tests two things", running + "smoke: [{run: x, http: {path: /}}]\n", []string{`6:18: smoke[0] has both "run" and "http" => keep one of them, and write a second item for the other`}, refusesToo},
	{"a smoke test with a status of its own", running + "smoke: [{http: {path: /, status: ok}}]\n", []string{`6:34: smoke[0].http.status must be a whole number from 200 to 599, not the text "ok" => write a whole number from 200 to 599`}, refusesToo},

	// Stages and environments.
	{"a stage named commit", minimal + "stages: [{name: commit, grants: certified}]\n", []string{"3:17: stages[0].name: commit is the name of the first stage, which is written under commit: => choose another name"}, cannotSee},
	{"two stages of one name", minimal + "stages:\n  - {name: a, grants: certified}\n  - {name: a, approval: {}}\n", []string{`5:12: two stages have the name "a" => the first is on line 4; choose another name`}, cannotSee},
	{"a stage that does nothing", minimal + "stages: [{name: a}]\n", []string{"3:10: stages[0] does nothing => give it at least one of deploy, approval, jobs and grants"}, refusesToo},
	{"a stage without a name", minimal + "stages: [{grants: certified}]\n", []string{`3:10: the key "name" is missing in stages[0] => it is the name of the stage`}, refusesToo},
	{"an approval that is true", minimal + "stages: [{name: a, approval: true}]\n", []string{"3:30: stages[0].approval must be a mapping, not true => write approval: {}"}, refusesToo},
	{"an approval that is empty", minimal + "stages:\n  - name: a\n    approval:\n", []string{"5:5: stages[0].approval has no value, and must be a mapping => write approval: {}"}, refusesToo},
	{"an unknown environment", running + "stages: [{name: a, deploy: prod}]\n", []string{`6:28: stages[0].deploy: there is no environment "prod" => did you mean "production"?`}, cannotSee},
	{"an environment of nobody", running + "stages: [{name: a, deploy: mars}]\n", []string{`6:28: stages[0].deploy: there is no environment "mars" => the environments are test and production`}, cannotSee},
	{"two stages to one environment", running + "stages:\n  - {name: a, deploy: test}\n  - {name: b, deploy: test}\n", []string{"8:23: two stages deploy to test => the first is on line 7; add the jobs to that stage"}, cannotSee},
	{"a deployment of nothing", minimal + "stages: [{name: a, deploy: test}]\n", []string{"3:28: stages[0].deploy needs run: nothing says what a running copy is => add run: with the command that starts a copy"}, cannotSee},
	{"an unknown maturity", minimal + "stages: [{name: a, grants: certifed}]\n", []string{`3:28: stages[0].grants must be release-candidate or certified, not the text "certifed" => did you mean "certified"?`}, refusesToo},
	{"a maturity nobody grants", minimal + "stages: [{name: a, grants: rejected}]\n", []string{`3:28: stages[0].grants must be release-candidate or certified, not the text "rejected" => write release-candidate or certified`}, refusesToo},
	{"a grant that falls", minimal + "stages:\n  - {name: a, grants: certified}\n  - {name: b, grants: release-candidate}\n", []string{"5:23: stages[1].grants is release-candidate, which is lower than certified from an earlier stage => let the earlier stage grant less, or remove this"}, cannotSee},
	{"options of an unknown environment", running + "environments:\n  prodution: {instances: 2}\n", []string{`7:3: environments: there is no environment "prodution" => did you mean "production"?`}, cannotSee},
	{"options of an environment without run", minimal + "environments:\n  test: {instances: 2}\n", []string{"3:1: environments needs run: without it nothing is deployed => add run:, or remove environments:"}, cannotSee},

	// Several at once, in the order of the file; and line ends of other systems.
	{"several", "service: Shop\ncommit:\n  jobs:\n    build: {steps: []}\nrun: {comand: x}\n", []string{
		`1:10: service: "Shop" is not a name => ` + andon.NameRule,
		"4:20: commit.jobs.build.steps has no step => write - run: COMMAND",
		"5:1: run needs an artifact: a copy is started from what the commit stage keeps => add artifact: {path: out} to commit, with the path of what the jobs build; . is the whole checkout",
		`5:7: unknown key "comand" in run => did you mean "command"?`,
	}, refusesToo},
	{"CRLF", "service: shop\r\ncommit: {}\r\n", []string{`2:9: the key "jobs" is missing in commit => it is the jobs, which run in parallel unless one needs another`}, refusesToo},
	{"CR", "service: shop\rcommit: {jobs: 3}\r", []string{"2:16: commit.jobs must be a mapping, not 3 => write NAME: {steps: [{run: COMMAND}]}"}, notYAML},
	{"a byte order mark", "\xef\xbb\xbfservise: shop\ncommit: {jobs: {build: {steps: [make]}}}\n", []string{`1:1: unknown key "servise" => did you mean "service"?`}, notYAML},
	{"after other scripts", "service: shop\ncommit: {jobs: {build: {steps: ['é', '日本', 7]}}}\n", []string{`2:44: commit.jobs.build.steps[2] must be a command, not 7 => put it in quotes: "7"`}, refusesToo},
	{"after a block of text", "service: shop\ncommit:\n  jobs:\n    build:\n      steps:\n        - run: |\n            make\n\n            make test\n        - rum: x\n", []string{
		`10:11: unknown key "rum" in commit.jobs.build.steps[1] => did you mean "run"?`,
	}, refusesToo},
	{"a problem behind an alias", "service: shop\ncommit:\n  jobs:\n    a: &job {steps: [make], timeout: 5}\n    b: *job\n", []string{"4:38: commit.jobs.a.timeout needs a unit: 5 => write 5s for seconds, 5m for minutes", "4:38: commit.jobs.b.timeout needs a unit: 5 => write 5s for seconds, 5m for minutes"}, refusesToo},
}

func TestParse_RefusesWithPositionSentenceAndHint(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			p, problems := pipeline.Parse("andon.yaml", []byte(c.src), environments)
			if p != nil {
				t.Errorf("got a pipeline with the problems")
			}
			var got []string
			for _, e := range problems {
				got = append(got, fmt.Sprintf("%d:%d: %s => %s", e.Line, e.Column, e.Message, e.Hint))
				checkProblem(t, e, c.src)
			}
			if g, w := strings.Join(got, "\n"), strings.Join(c.want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

// checkProblem checks what holds for every problem.
func checkProblem(t *testing.T, e *andon.Error, src string) {
	t.Helper()
	if e.Kind != andon.KindInvalid || e.File != "andon.yaml" || e.Message == "" || e.Hint == "" {
		t.Errorf("incomplete: %+v", e)
	}
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(src), "\n")
	if e.Line < 1 || e.Line > len(lines) || e.Column < 1 {
		t.Fatalf("%d:%d is not in the file of %d lines", e.Line, e.Column, len(lines))
	}
	raw := strings.TrimPrefix(lines[e.Line-1], "\xef\xbb\xbf")
	line := strings.ToValidUTF8(raw, "\uFFFD")
	if len(raw) <= 400 && e.Source != line {
		t.Errorf("source is %q, and line %d is %q", e.Source, e.Line, line)
	}
	if len(raw) <= 400 && e.Column > len([]rune(line))+1 {
		t.Errorf("%d:%d is behind the end of %q", e.Line, e.Column, line)
	}
}

func TestParse_WithoutEnvironmentsAcceptsAnyName(t *testing.T) {
	src := running + "stages: [{name: a, deploy: mars}]\nenvironments: {venus: {}}\n"
	if _, problems := pipeline.Parse("andon.yaml", []byte(src), nil); problems != nil {
		t.Error(form.Format(problems))
	}
}
