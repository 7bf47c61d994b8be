package pipeline_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
	"github.com/andon-cd/andon/internal/pipeline"
)

// accepted returns files that Parse accepts, by name: testdata, what Init writes, and more.
func accepted(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{
		"minimal": minimal,
		"running": running,
		"CRLF":    strings.ReplaceAll(running, "\n", "\r\n"),
		"merged":  "service: shop\ncommit:\n  jobs:\n    a: &job {steps: [make], env: {A: '1'}, timeout: 5m}\n    b: {<<: *job, timeout: 1m}\n    c: *job\n",
	}
	paths, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[path] = string(text)
	}
	for name, survey := range surveys {
		files["init "+name] = string(pipeline.Init(survey))
	}
	maps.Copy(files, docExamples(t))
	return files
}

func TestParse_AcceptsEveryGoodFile(t *testing.T) {
	for name, src := range accepted(t) {
		if _, problems := pipeline.Parse("andon.yaml", []byte(src), environments); problems != nil {
			t.Errorf("%s:\n%s", name, form.Format(problems))
		}
	}
}

func mustParse(t *testing.T, src string) *andon.Pipeline {
	t.Helper()
	p, problems := pipeline.Parse("andon.yaml", []byte(src), environments)
	if problems != nil {
		t.Fatalf("%s\n%s", src, form.Format(problems))
	}
	return p
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestParse_ReadsEveryKey(t *testing.T) {
	src, err := os.ReadFile("testdata/good/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, mustParse(t, string(src)), &andon.Pipeline{
		Service: "shop", Team: "checkout",
		Commit: andon.CommitStage{
			Budget: 3 * time.Minute,
			Jobs: []andon.Job{
				{
					Name: "test", Timeout: 10 * time.Minute, Env: map[string]string{"CGO_ENABLED": "1", "RATIO": "0.10", "DEBUG": "true", "HEX": "0x1F", "EMPTY": ""},
					JUnit: []string{"reports/*.xml", "more/*.xml"},
					Steps: []andon.Step{
						{Run: "go vet ./..."},
						{Name: "unit tests", Run: "go test ./...", Timeout: 5 * time.Minute},
						{Run: "true"},
						{Run: "set -u\necho \"done: $ANDON_VERSION\"\n"},
					},
				},
				{Name: "build", Timeout: andon.DefaultJobTimeout, Steps: []andon.Step{{Run: "CGO_ENABLED=0 go build -o out/shop ./cmd/shop"}}},
				{Name: "package", Timeout: andon.DefaultJobTimeout, Needs: []andon.JobName{"test", "build"}, JUnit: []string{"p.xml"}, Steps: []andon.Step{{Run: "make package"}}},
			},
			Artifact: &andon.ArtifactSource{Path: "out/dist", Job: "package"},
		},
		Run: &andon.Run{
			Command: []string{"./shop", "-v", "8080", "true", ""}, Port: 8080,
			Env:       map[string]string{"LOG": "info"},
			Health:    andon.Health{Path: "/healthz?full=1", Interval: 2 * time.Second, Timeout: 500 * time.Millisecond, Start: 90 * time.Second},
			Instances: 2, Drain: 0, Stop: 20 * time.Second, Requests: andon.Requests{MaxBody: 50_000_000, InFlight: 200, Sticky: true},
		},
		Smoke: []andon.Check{
			{HTTP: &andon.HTTPCheck{Path: "/", Status: 204, Contains: "ok: yes"}},
			{HTTP: &andon.HTTPCheck{Path: "/about", Status: 200}},
			{Run: "test/smoke.sh"},
		},
		Stages: []andon.Stage{
			{Name: "acceptance", Deploy: "test", Grants: andon.ReleaseCandidate, Jobs: []andon.Job{
				{Name: "api", Timeout: andon.DefaultJobTimeout, Steps: []andon.Step{{Run: "test/api.sh"}}},
				{Name: "load", Timeout: andon.DefaultJobTimeout, Needs: []andon.JobName{"api"}, Steps: []andon.Step{{Run: "test/load.sh"}}},
			}},
			{Name: "certify", Approval: &andon.Approval{}, Grants: andon.Certified},
			{Name: "production", Deploy: "production"},
		},
		Environments: map[andon.EnvironmentName]andon.EnvironmentOptions{
			"test":       {Env: map[string]string{"LOG": "debug"}},
			"production": {Instances: 4},
		},
	})
}

func TestParse_FillsInEveryDefault(t *testing.T) {
	src := "service: shop\ncommit: {jobs: {b: {steps: [x]}, build: {steps: [x]}, c: {steps: [x]}}, artifact: {path: ./out//}}\nrun: {command: ./shop}\nsmoke: []\nstages: []\nenvironments: {}\n"
	job := func(name andon.JobName) andon.Job {
		return andon.Job{Name: name, Timeout: andon.DefaultJobTimeout, Steps: []andon.Step{{Run: "x"}}}
	}
	equal(t, mustParse(t, src), &andon.Pipeline{
		Service: "shop",
		Commit: andon.CommitStage{
			Budget:   andon.DefaultBudget,
			Jobs:     []andon.Job{job("b"), job("build"), job("c")},
			Artifact: &andon.ArtifactSource{Path: "out", Job: "build"},
		},
		Run: &andon.Run{
			Command:   []string{"sh", "-c", "./shop"},
			Health:    andon.Health{Interval: andon.DefaultHealthInterval, Timeout: andon.DefaultHealthTimeout, Start: andon.DefaultHealthStart},
			Instances: andon.DefaultInstances, Drain: andon.DefaultDrain, Stop: andon.DefaultStop,
		},
	})
}

func TestParse_ArtifactComesFromTheLastJobWithoutOneNamedBuild(t *testing.T) {
	src := "service: shop\ncommit: {jobs: {b: {steps: [x]}, a: {steps: [x]}}, artifact: {path: .}}\n"
	equal(t, mustParse(t, src).Commit.Artifact, &andon.ArtifactSource{Path: ".", Job: "a"})
}

func TestParse_MergeTakesWhatIsWrittenFirst(t *testing.T) {
	jobs := mustParse(t, accepted(t)["merged"]).Commit.Jobs
	want := andon.Job{Name: "b", Timeout: time.Minute, Env: map[string]string{"A": "1"}, Steps: []andon.Step{{Run: "make"}}}
	equal(t, jobs[1], want)
	want.Name, want.Timeout = "c", 5*time.Minute
	equal(t, jobs[2], want)
}
