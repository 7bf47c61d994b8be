package pipeline

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// Init returns a commented andon.yaml for a repository. Parse accepts it where the
// environments test and production exist, and it works on the repository as it is.
func Init(s Survey) []byte {
	d := draft{service: serviceName(s.Service)}
	switch s.Kind() {
	case KindGo:
		d.fromGo(s.Go)
	case KindNode:
		d.fromNode(s.Node)
	case KindPython:
		d.fromPython(s.Python)
	case KindStatic:
		d.fromStatic()
	default:
		d.fromNothing()
	}
	return d.write()
}

// A draft is what differs between the files that Init writes.
type draft struct {
	service  string
	jobs     []draftJob
	artifact string // path; empty: none
	about    string // what the artifact is, as a comment
	env      string // of a copy: one line, empty: none
	command  string // empty: nothing to run yet
	note     string // a comment above the command
	smoke    string // path that answers 200 for certain; empty: unknown
}

type draftJob struct {
	name, about string
	env         string
	steps       []string
}

func (d *draft) fromGo(found *GoSurvey) {
	d.jobs = append(d.jobs, draftJob{name: "test", about: "every test of the module", steps: []string{"go test ./..."}})
	main := chooseMain(found.Mains, d.service)
	if main == "" {
		return
	}
	name := d.service
	d.jobs = append(d.jobs, draftJob{
		name: "build", about: "one static binary, built once for every environment",
		steps: []string{"CGO_ENABLED=0 go build -o out/" + name + " " + goPackage(main)},
	})
	d.artifact, d.about = "out", "what the build leaves; the same bytes go to every environment"
	d.command = "./" + name
}

func (d *draft) fromNode(found *NodeSurvey) {
	build := draftJob{name: "build", about: "one job: node_modules belongs to the artifact"}
	switch {
	case found.LockFile == "yarn.lock":
		build.steps = append(build.steps, "yarn install --frozen-lockfile")
	case found.LockFile == "pnpm-lock.yaml":
		build.steps = append(build.steps, "pnpm install --frozen-lockfile")
	case found.LockFile != "":
		build.steps = append(build.steps, "npm ci")
	case found.Dependencies:
		build.steps = append(build.steps, "npm install --no-audit --no-fund")
	default:
		build.about = "tests, and builds if there is something to build"
	}
	if found.Test != "" && !strings.Contains(found.Test, "no test specified") {
		build.steps = append(build.steps, "npm test")
	}
	if found.Build != "" {
		build.steps = append(build.steps, "npm run build")
	}
	d.command = found.command()
	if len(build.steps) == 0 {
		build.steps = append(build.steps, nodeCheck(found))
	}
	d.jobs = []draftJob{build}
	if d.command != "" {
		d.artifact, d.about = ".", "the whole checkout, with what the steps added"
	}
}

// nodeCheck returns the least that proves something of a server without tests.
func nodeCheck(found *NodeSurvey) string {
	for _, word := range append(strings.Fields(found.Start), found.Server) {
		if scriptFile.MatchString(word) {
			return "node --check " + word
		}
	}
	return "npm pkg get name"
}

func (d *draft) fromPython(found *PythonSurvey) {
	build := draftJob{name: "build", about: "tests what becomes the artifact"}
	if found.Requirements {
		build.about = "one job: the packages belong to the artifact"
		build.steps = append(build.steps, "python3 -m pip install --quiet --target .packages -r requirements.txt")
		build.env, d.env = "PYTHONPATH: .packages", "PYTHONPATH: .packages"
	}
	switch found.Tests {
	case "":
		build.steps = append(build.steps, "python3 -m compileall -q .")
	case ".":
		build.steps = append(build.steps, "python3 -m unittest")
	default:
		build.steps = append(build.steps, "python3 -m unittest discover -s "+shellWord(found.Tests))
	}
	d.jobs = []draftJob{build}
	if found.Server != "" {
		d.artifact, d.about = ".", "the whole checkout, with what the steps added"
		d.note = "-u: what it prints is in the log at once."
		d.command = "python3 -u " + shellWord(found.Server)
	}
}

func (d *draft) fromStatic() {
	d.jobs = []draftJob{{name: "build", about: "what must be there; add what builds your pages", steps: []string{"test -s index.html"}}}
	d.artifact, d.about = ".", "the whole checkout; choose a directory if only that is to be served"
	d.note = "Python's own file server is enough behind Andon's proxy; any other will do."
	d.command = `python3 -m http.server "$PORT" --bind 127.0.0.1`
	d.smoke = "/"
}

func (d *draft) fromNothing() {
	d.jobs = []draftJob{{name: "test", about: "replace this with the command that runs your tests", steps: []string{"test -s andon.yaml"}}}
}

// chooseMain returns the main package of the service: the one named like it, the one at
// the top, or the first.
func chooseMain(mains []string, service string) string {
	chosen := ""
	for _, m := range mains {
		switch {
		case path.Base(m) == service:
			return m
		case chosen == "" || m == ".":
			chosen = m
		}
	}
	return chosen
}

func goPackage(dir string) string {
	if dir == "." {
		return "."
	}
	return shellWord("./" + strings.TrimPrefix(dir, "./"))
}

// serviceName turns a proposed name into a valid one.
func serviceName(proposed string) string {
	name := notInName.ReplaceAllString(strings.ToLower(proposed), "-")
	name = strings.TrimLeft(name, "-0123456789")
	name = strings.TrimRight(name[:min(len(name), 39)], "-")
	if !andon.ValidName(name) {
		return "service"
	}
	return name
}

var (
	notInName  = regexp.MustCompile(`[^a-z0-9]+`)
	plainWord  = regexp.MustCompile(`^[A-Za-z0-9_./@:+,-]+$`)
	scriptFile = regexp.MustCompile(`^[A-Za-z0-9_./-]+\.[cm]?js$`)
	plainYAML  = regexp.MustCompile(`^[A-Za-z./][A-Za-z0-9_./=$"+@-]*( [A-Za-z0-9_./=$"+@-]+)+$|^\./[a-z0-9-]+$`)
)

// startsNode reports whether a start script is one plain call of node.
func startsNode(script string) bool {
	words := strings.Fields(script)
	if len(words) < 2 || words[0] != "node" {
		return false
	}
	for _, w := range words {
		if !plainWord.MatchString(w) {
			return false
		}
	}
	return true
}

// shellWord quotes a file name for sh where it needs quotes.
func shellWord(s string) string {
	if plainWord.MatchString(s) && !strings.HasPrefix(s, "-") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// yamlText writes a text so that YAML reads the same text.
func yamlText(s string) string {
	if plainYAML.MatchString(s) {
		return s
	}
	return strconv.Quote(strings.ToValidUTF8(s, "\uFFFD"))
}
