package httpapi

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/estate"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/vcs"
)

func (a *API) getEstate(ctx context.Context, _ *none) (out api.Estate, err error) {
	out.Environments = []api.EstateEnvironment{}
	err = a.Engine.View(ctx, func(s *line.State) {
		if e := s.Estate; e != nil {
			out.Commit, out.Applied, out.By = string(e.Commit), moment(e.Applied), string(e.By)
			out.Origin = string(cmp.Or(e.Origin, andon.EstateGiven))
		}
		out.Followed = wireFollowed(s.Followed)
		for _, e := range environmentsOf(s) {
			out.Environments = append(out.Environments, api.EstateEnvironment{Name: string(e.Name), Says: estate.Sentence(e)})
		}
	})
	if out.Followed != nil && a.Trouble != nil {
		if trouble := a.Trouble(andon.EstateRepository); trouble != nil {
			out.Followed.Trouble = sayable(trouble)
		}
	}
	return out, err
}

func wireFollowed(f *line.FollowedEstate) *api.FollowedEstate {
	if f == nil {
		return nil
	}
	out := &api.FollowedEstate{Repository: vcs.Redacted(f.Source.URL), Branch: f.Source.Trunk, Since: f.Since.UTC(), By: string(f.By)}
	out.Refused = wireRefused(f.Refused)
	return out
}

func wireRefused(r *line.RefusedEstate) *api.RefusedEstate {
	if r == nil {
		return nil
	}
	out := &api.RefusedEstate{Commit: string(r.Commit), At: r.At.UTC(), Problems: []*api.Error{}}
	for _, problem := range r.Problems {
		out.Problems = append(out.Problems, wireError(problem))
	}
	return out
}

// sayable returns what of an error may be shown: its sentence, and nothing of its cause.
func sayable(err error) string {
	if e, ok := errors.AsType[*andon.Error](err); ok && e.Kind != andon.KindInternal {
		return e.Message
	}
	return "the plant failed to look at it; its log says why"
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
		out.Refused, err = a.objection(ctx, wanted)
		return out, err
	}
	result, err := a.Engine.Do(ctx, actor(ctx), line.ApplyEstate{Commit: commit, Environments: wanted, Origin: andon.EstateGiven})
	out.Applied, out.Position = err == nil, int64(result.Seq)
	return out, err
}

// noCommit stands for the commit of an estate that is not committed yet.
const noCommit andon.CommitID = "0000000000000000000000000000000000000000"

// objection returns why the plant would refuse an estate as things are, wherever it comes from.
func (a *API) objection(ctx context.Context, wanted []andon.Environment) (*api.Error, error) {
	var refused error
	err := a.Engine.View(ctx, func(s *line.State) {
		plan := line.ApplyEstate{Commit: noCommit, Environments: wanted, Origin: andon.EstateGiven}
		if s.Followed != nil {
			plan.Origin = andon.EstateWatched
		}
		refused = plan.Check(s)
	})
	if e, ok := errors.AsType[*andon.Error](refused); ok {
		return wireError(e), nil
	}
	return nil, errors.Join(err, refused)
}

type followEstateCommand struct{ Body api.FollowEstate }

func (a *API) followEstate(ctx context.Context, c *followEstateCommand) (api.Done, error) {
	source, err := sourceOf(c.Body.Repository, c.Body.Branch)
	if err != nil {
		return api.Done{}, err
	}
	if source.URL == "" {
		return api.Done{}, andon.Errorf(andon.KindInvalid, "a repository to follow is missing")
	}
	credential, err := credentialOf(c.Body.Credential)
	if err != nil {
		return api.Done{}, err
	}
	if source.Trunk, err = a.Reachable(ctx, source.URL, source.Trunk, credential); err != nil {
		return api.Done{}, err
	}
	// The watcher may look at the repository as soon as it is known.
	before, err := a.Secrets.Get(andon.EstateRepository)
	if err != nil {
		return api.Done{}, err
	}
	if err := a.Secrets.Put(andon.EstateRepository, credential); err != nil {
		return api.Done{}, err
	}
	d, err := a.do(ctx, line.FollowEstate{Source: source})
	if err != nil {
		return d, errors.Join(err, a.Secrets.Put(andon.EstateRepository, before))
	}
	return d, nil
}

func (a *API) unfollowEstate(ctx context.Context, _ *none) (api.Done, error) {
	d, err := a.do(ctx, line.FollowEstate{})
	if err != nil {
		return d, err
	}
	if err := a.Secrets.Delete(andon.EstateRepository); err != nil {
		a.Log.Warn("the credential of the estate stays, which is not followed any more", "err", err)
	}
	return d, nil
}
