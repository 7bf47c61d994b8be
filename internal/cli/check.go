package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/estate"
	"github.com/andon-cd/andon/internal/form"
	"github.com/andon-cd/andon/internal/pipeline"
)

// pipelineFile is the name of the file at the top of a repository that declares its pipeline.
const pipelineFile = "andon.yaml"

type checkCmd struct {
	Path   string `arg:"" optional:"" default:"." help:"A repository, or the file itself; - is standard input."`
	Estate string `placeholder:"DIR" help:"The estate, whose environments andon.yaml may name; those of a plant without one if left out."`
}

// A checked is what `andon check --json` prints.
type checked struct {
	File    string   `json:"file"`
	Valid   bool     `json:"valid"`
	Service string   `json:"service,omitempty"`
	Stages  []string `json:"stages,omitempty"`
	// Environments are what an estate declares.
	Environments []string     `json:"environments,omitempty"`
	Problems     []*api.Error `json:"problems"`
}

// Run says whether an andon.yaml is valid, or all that is wrong with it; the same of an estate.
func (cmd *checkCmd) Run(c *call) error {
	if isEstate(cmd.Path) {
		return checkEstate(c, cmd.Path)
	}
	environments, err := cmd.environments()
	if err != nil {
		return err
	}
	name, parsed, problems, err := readPipeline(c.in, cmd.Path, environments)
	if err != nil {
		return err
	}
	answer := checked{File: name, Valid: len(problems) == 0, Problems: []*api.Error{}}
	for _, p := range problems {
		answer.Problems = append(answer.Problems, asWire(p))
	}
	if parsed != nil {
		answer.Service, answer.Stages = string(parsed.Service), stageNames(parsed)
	}
	switch {
	case c.json:
		c.sayJSON(c.out, answer)
		if !answer.Valid {
			return problems[0]
		}
	case answer.Valid:
		fmt.Fprintf(c.out, "%s is valid: %s goes through %s.\n", name, answer.Service, strings.Join(answer.Stages, " → "))
	default:
		return c.problems(problems)
	}
	return nil
}

// environments returns the environments that an andon.yaml may name.
func (cmd *checkCmd) environments() ([]andon.EnvironmentName, error) {
	if cmd.Estate == "" {
		return plantEnvironments(), nil
	}
	files, err := estateIn(cmd.Estate)
	if err != nil {
		return nil, err
	}
	declared, problems := estate.Parse(files)
	if len(problems) > 0 {
		return nil, andon.Errorf(andon.KindInvalid, "the estate in %s is not valid", cmd.Estate).
			WithHint("`andon check %s` says what is wrong with it.", cmd.Estate)
	}
	names := make([]andon.EnvironmentName, 0, len(declared))
	for _, e := range declared {
		names = append(names, e.Name)
	}
	return names, nil
}

// checkEstate says whether the estate in a directory is valid as a whole.
func checkEstate(c *call, dir string) error {
	files, err := estateIn(dir)
	if err != nil {
		return err
	}
	environments, problems := estate.Parse(files)
	answer := checked{File: dir, Valid: len(problems) == 0, Problems: []*api.Error{}}
	for _, p := range problems {
		answer.Problems = append(answer.Problems, asWire(p))
	}
	for _, e := range environments {
		answer.Environments = append(answer.Environments, string(e.Name))
	}
	switch {
	case c.json:
		c.sayJSON(c.out, answer)
		if !answer.Valid {
			return problems[0]
		}
	case answer.Valid:
		fmt.Fprintf(c.out, "%s is a valid estate: it declares %s.\n", dir, strings.Join(answer.Environments, ", "))
	default:
		return c.problems(problems)
	}
	return nil
}

// readPipeline reads and parses an andon.yaml, or the one in a directory. Its problems are
// those of the text; err says that there is no text. It may name these environments; without any,
// all.
func readPipeline(in io.Reader, path string, environments []andon.EnvironmentName) (name string, p *andon.Pipeline, problems []*andon.Error, err error) {
	name = path
	if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
		name = filepath.Join(path, pipelineFile)
	}
	text, err := readAtMost(in, name, form.MaxSize+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return name, nil, nil, andon.Errorf(andon.KindNotFound, "there is no %s", name).
			WithHint("Write one with `andon init`, at the top of the repository.").Because(err)
	case err != nil:
		return name, nil, nil, andon.Errorf(andon.KindInvalid, "%s cannot be read: %s", name, reason(err)).
			WithHint("An andon.yaml is a text file of at most %d KiB.", form.MaxSize>>10).Because(err)
	}
	p, problems = pipeline.Parse(name, text, environments)
	return name, p, problems, nil
}

// plantEnvironments are the environments of a plant without an estate.
func plantEnvironments() []andon.EnvironmentName {
	var names []andon.EnvironmentName
	for _, e := range andon.DefaultEnvironments() {
		names = append(names, e.Name)
	}
	return names
}

func stageNames(p *andon.Pipeline) []string {
	names := []string{string(andon.CommitStageName)}
	for _, s := range p.Stages {
		names = append(names, string(s.Name))
	}
	return names
}
