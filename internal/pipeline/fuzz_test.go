package pipeline_test

import (
	"os"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/form"
	"github.com/andon-cd/andon/internal/pipeline"
)

func FuzzParse(f *testing.F) {
	for _, c := range refusals {
		if len(c.src) < 10_000 {
			f.Add(c.src)
		}
	}
	for _, survey := range surveys {
		f.Add(string(pipeline.Init(survey)))
	}
	everything, err := os.ReadFile("testdata/good/everything.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(everything))
	f.Fuzz(func(t *testing.T, src string) {
		before := cpu(t)
		p, problems := pipeline.Parse("andon.yaml", []byte(src), environments)
		if took := cpu(t) - before; took > slowest {
			t.Errorf("took %v", took)
		}
		if (p == nil) != (len(problems) > 0) || len(problems) > form.MaxProblems {
			t.Fatalf("a pipeline: %t, and %d problems", p != nil, len(problems))
		}
		for _, e := range problems {
			checkProblem(t, e, src)
		}
		form.Format(problems)
		if p != nil {
			checkPipeline(t, p)
		}
	})
}

// checkPipeline checks what every user of a pipeline relies on.
func checkPipeline(t *testing.T, p *andon.Pipeline) {
	t.Helper()
	if !andon.ValidName(string(p.Service)) || len(p.Commit.Jobs) == 0 || p.Commit.Budget <= 0 {
		t.Errorf("incomplete: %+v", p)
	}
	if a := p.Commit.Artifact; a != nil && (a.Path == "" || a.Job == "") {
		t.Errorf("artifact %+v", a)
	}
	if r := p.Run; r != nil {
		if p.Commit.Artifact == nil || len(r.Command) == 0 || r.Command[0] == "" || r.Instances < 1 || r.Health.Interval <= 0 || r.Health.Timeout <= 0 || r.Health.Start <= 0 {
			t.Errorf("run %+v", r)
		}
	}
	jobs := p.Commit.Jobs
	for _, s := range p.Stages {
		jobs = append(jobs, s.Jobs...)
		if s.Deploy != "" && p.Run == nil {
			t.Errorf("stage %+v", s)
		}
	}
	for _, j := range jobs {
		if !andon.ValidName(string(j.Name)) || len(j.Steps) == 0 || j.Timeout <= 0 {
			t.Errorf("job %+v", j)
		}
	}
	for _, c := range p.Smoke {
		if (c.HTTP == nil) == (c.Run == "") {
			t.Errorf("check %+v", c)
		}
	}
}
