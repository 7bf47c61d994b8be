package httpapi

import (
	"context"
	"maps"
	"slices"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/estate"
	"github.com/andon-cd/andon/internal/line"
)

func (a *API) getEstate(ctx context.Context, _ *none) (out api.Estate, err error) {
	out.Environments = []api.EstateEnvironment{}
	err = a.Engine.View(ctx, func(s *line.State) {
		if e := s.Estate; e != nil {
			out.Commit, out.Applied, out.By = string(e.Commit), moment(e.Applied), string(e.By)
		}
		for _, e := range environmentsOf(s) {
			out.Environments = append(out.Environments, api.EstateEnvironment{Name: string(e.Name), Says: estate.Sentence(e)})
		}
	})
	return out, err
}

// environmentsOf returns the environments that there are, by name.
func environmentsOf(s *line.State) []andon.Environment {
	all := make([]andon.Environment, 0, len(s.Environments))
	for _, name := range slices.Sorted(maps.Keys(s.Environments)) {
		all = append(all, *s.Environments[name])
	}
	return all
}

type applyEstateCommand struct{ Body api.ApplyEstate }

func (a *API) applyEstate(ctx context.Context, c *applyEstateCommand) (out api.EstateChanges, err error) {
	files := make([]estate.File, 0, len(c.Body.Files))
	for _, f := range c.Body.Files {
		files = append(files, estate.File{Path: f.Path, Data: []byte(f.Text)})
	}
	wanted, problems := estate.Parse(files)
	if len(problems) > 0 {
		return out, problems[0]
	}
	commit := andon.CommitID(c.Body.Commit)
	if !c.Body.Plan && !commit.Valid() {
		return out, andon.Errorf(andon.KindInvalid, "%.100q is not a commit", c.Body.Commit).
			WithHint("name the commit of the estate that the files are of: 40 hexadecimal digits")
	}
	var before []andon.Environment
	if err := a.Engine.View(ctx, func(s *line.State) { before = environmentsOf(s) }); err != nil {
		return out, err
	}
	out.Changes = []api.EstateChange{}
	for _, change := range estate.Diff(before, wanted) {
		out.Changes = append(out.Changes, api.EstateChange{
			Environment: string(change.Environment), Key: change.Key, Before: change.Before, After: change.After, Line: change.String(),
		})
	}
	if c.Body.Plan {
		return out, nil
	}
	result, err := a.Engine.Do(ctx, actor(ctx), line.ApplyEstate{Commit: commit, Environments: wanted})
	out.Applied, out.Position = err == nil, int64(result.Seq)
	return out, err
}
