package pipeline_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/pipeline"
)

// surveys are repositories of every kind; testdata/init has the file that Init writes for each.
var surveys = map[string]pipeline.Survey{
	"go":                 {Service: "shop", Go: &pipeline.GoSurvey{Mains: []string{"cmd/admin", "cmd/shop"}}},
	"go-top":             {Service: "My Shop!", Go: &pipeline.GoSurvey{Mains: []string{"cmd/x", "."}}, Index: true},
	"go-library":         {Service: "lib", Go: &pipeline.GoSurvey{}},
	"node":               {Service: "web", Node: &pipeline.NodeSurvey{Start: "node src/server.js --port $PORT", Test: "node --test", Build: "tsc", LockFile: "package-lock.json", Dependencies: true}},
	"node-bare":          {Service: "web", Node: &pipeline.NodeSurvey{Server: "server.js"}},
	"node-start":         {Service: "web", Node: &pipeline.NodeSurvey{Start: "node app.js", Test: `echo "Error: no test specified" && exit 1`}},
	"node-tool":          {Service: "web", Node: &pipeline.NodeSurvey{Start: `NODE_ENV="x" next start`, Dependencies: true, LockFile: "yarn.lock"}},
	"node-library":       {Service: "web", Node: &pipeline.NodeSurvey{Dependencies: true}},
	"node-empty":         {Service: "web", Node: &pipeline.NodeSurvey{LockFile: "pnpm-lock.yaml"}},
	"python":             {Service: "api", Python: &pipeline.PythonSurvey{Server: "server.py", Tests: "."}},
	"python-untested":    {Service: "api", Python: &pipeline.PythonSurvey{Server: "app.py"}},
	"python-packages":    {Service: "api", Python: &pipeline.PythonSurvey{Server: "odd name's.py", Tests: "tests", Requirements: true}},
	"python-library":     {Service: "api", Python: &pipeline.PythonSurvey{}},
	"static":             {Service: "site", Index: true},
	"other":              {Service: "42"},
	"other-without-name": {},
}

func TestInit_WritesTheFilesInTestdata(t *testing.T) {
	for name, survey := range surveys {
		path := filepath.Join("testdata", "init", name+".yaml")
		got := string(pipeline.Init(survey))
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs (UPDATE_GOLDEN=1 accepts it):\n%s", path, got)
		}
	}
}

func TestInit_TakesARepositoryForWhatItIs(t *testing.T) {
	for name, survey := range surveys {
		kind, _, _ := strings.Cut(name, "-")
		if got := survey.Kind(); string(got) != kind {
			t.Errorf("%s is taken for %s", name, got)
		}
	}
	both := pipeline.Survey{Go: &pipeline.GoSurvey{}, Node: &pipeline.NodeSurvey{Server: "server.js"}}
	if got := both.Besides(); !slices.Equal(got, []pipeline.Kind{pipeline.KindGo}) {
		t.Errorf("besides Node there is %q", got)
	}
	all := pipeline.Survey{Go: &pipeline.GoSurvey{Mains: []string{"."}}, Node: &pipeline.NodeSurvey{}, Python: &pipeline.PythonSurvey{}, Index: true}
	if got := all.Besides(); !slices.Equal(got, []pipeline.Kind{pipeline.KindNode, pipeline.KindPython}) {
		t.Errorf("besides Go there is %q", got)
	}
	if got := (pipeline.Survey{Index: true}).Besides(); len(got) > 0 {
		t.Errorf("besides a static site there is %q", got)
	}
	if got := both.Kind(); got != pipeline.KindNode {
		t.Errorf("a Go library with a Node server is taken for %s", got)
	}
}

func TestInit_StagesLeadToProduction(t *testing.T) {
	for name, survey := range surveys {
		p := mustParse(t, string(pipeline.Init(survey)))
		if p.Stages[0].Grants != andon.ReleaseCandidate || p.Stages[1].Grants != andon.Certified {
			t.Errorf("%s: the stages grant %s and %s", name, p.Stages[0].Grants, p.Stages[1].Grants)
		}
		if deploys := p.MaturityFor("production"); p.Run != nil && (deploys != andon.Certified || len(p.Stages) != 3) {
			t.Errorf("%s: production asks for %s after %d stages", name, deploys, len(p.Stages))
		}
	}
}

func TestInit_KeepsWhatAScriptSays(t *testing.T) {
	for server, want := range map[string]string{
		"server.js":     "node server.js",
		"a b's\t\"é.js": "node 'a b'\\''s\t\"é.js'",
		"-x.js":         "node '-x.js'",
	} {
		p := mustParse(t, string(pipeline.Init(pipeline.Survey{Node: &pipeline.NodeSurvey{Server: server}})))
		if got := p.Run.Command[2]; got != want {
			t.Errorf("%q is started with %q, not %q", server, got, want)
		}
	}
}
