package watch

import (
	"context"
	"errors"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/intake"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/vcs"
)

// estateDir, beside the repositories, is where the estate is fetched to: what was pushed to the
// plant's own repository of the estate stays there.
const estateDir = ".estate.git"

// lookAtEstate asks the repository of the estate for its newest commit, and applies it, or tells
// the line why it cannot be applied. One that was refused is tried again at each look: what the
// line objected to may have changed meanwhile.
func (r *remote) lookAtEstate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	credential, heads, err := r.heads(ctx)
	if err != nil {
		return err
	}
	tip := heads.Branches[r.source.Trunk]
	if tip == "" {
		return andon.Errorf(andon.KindNotFound, "the repository %s has no branch %s", vcs.Redacted(r.source.URL), r.source.Trunk)
	}
	applied, err := r.applied(ctx, tip)
	if err != nil || applied {
		return err
	}
	repo, err := r.repository(ctx)
	if err != nil {
		return err
	}
	has, err := repo.Has(ctx, tip)
	if err != nil {
		return err
	}
	if !has {
		if err := repo.Fetch(ctx, r.source.URL, credential); err != nil {
			return err
		}
		if err := repo.Compact(ctx); err != nil {
			return err
		}
	}
	return r.applyEstate(ctx, repo, tip)
}

// applied reports whether the environments are those of a commit.
func (r *remote) applied(ctx context.Context, tip andon.CommitID) (is bool, err error) {
	err = r.engine.View(ctx, func(s *line.State) {
		is = s.Estate != nil && s.Estate.Commit == tip && s.Followed != nil && s.Followed.Refused == nil
	})
	return is, err
}

func (r *remote) applyEstate(ctx context.Context, repo vcs.Repo, tip andon.CommitID) error {
	read, problems, err := intake.ReadEstate(ctx, repo, tip)
	if err != nil {
		return err
	}
	by := andon.Actor("git:" + read.Commit.Author)
	if len(problems) == 0 {
		_, err := r.engine.Do(ctx, by, line.ApplyEstate{Commit: tip, Environments: read.Environments, Origin: andon.EstateWatched})
		objection, ok := errors.AsType[*andon.Error](err)
		if !ok || objection.Kind != andon.KindInvalid && objection.Kind != andon.KindConflict {
			return err
		}
		problems = []*andon.Error{objection}
	}
	if ctx.Err() != nil {
		return ctx.Err() // the repository is not followed any more
	}
	_, err = r.engine.Do(ctx, by, line.RefuseEstate{Commit: tip, Problems: problems})
	return err
}
