package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/estate"
	"github.com/andon-cd/andon/internal/form"
	"github.com/andon-cd/andon/internal/intake"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/vcs"
)

// estateTrunk is the branch of the estate's repository that is applied. The others are stored.
const estateTrunk = "main"

// checkEstate decides whether the plant takes the tip of a branch of the estate.
func (p *push) checkEstate(ctx context.Context, repo vcs.Repo, m move, branch string) error {
	if branch != p.trunk {
		return nil
	}
	read, problems, err := intake.ReadEstate(ctx, repo, m.new)
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		if problems, err = p.git.objections(ctx, read); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return problemList{fmt.Sprintf("andon: refused: commit %s of the estate cannot be applied\n\n%s\n", m.new.Short(), form.Format(problems))}
	}
	p.estate = &read
	return nil
}

// objections returns why the line would refuse an estate as things are.
func (g *Git) objections(ctx context.Context, read intake.Estate) ([]*andon.Error, error) {
	var refused error
	err := g.Engine.View(ctx, func(s *line.State) { refused = pushed(read).Check(s) })
	if objection, ok := errors.AsType[*andon.Error](refused); ok {
		return []*andon.Error{objection}, nil
	}
	return nil, errors.Join(err, refused)
}

func pushed(read intake.Estate) line.ApplyEstate {
	return line.ApplyEstate{Commit: read.Commit.ID, Environments: read.Environments, Origin: andon.EstatePushed}
}

// acceptEstate applies the estate once its trunk has moved, and returns what to tell the pusher.
func (p *push) acceptEstate(ctx context.Context, q question) (string, error) {
	var text strings.Builder
	for _, m := range q.moves {
		branch, ok := m.branch()
		switch {
		case !ok || m.new == "":
		case branch == p.trunk && p.estate != nil:
			changes, err := p.git.applyEstate(ctx, *p.estate)
			if err != nil {
				return "", p.takeBack(ctx, []move{m}, err)
			}
			text.WriteString(changes)
		default:
			fmt.Fprintf(&text, "andon: %s is stored, and not applied: the estate is the branch %s\n", branch, p.trunk)
		}
	}
	p.fresh = false // what was pushed stays
	return text.String(), nil
}

// applyEstate makes the environments those of the estate, and says what changed.
func (g *Git) applyEstate(ctx context.Context, read intake.Estate) (string, error) {
	var before []andon.Environment
	err := g.Engine.View(ctx, func(s *line.State) {
		for _, name := range slices.Sorted(maps.Keys(s.Environments)) {
			before = append(before, *s.Environments[name])
		}
	})
	if err != nil {
		return "", err
	}
	if _, err := g.Engine.Do(ctx, actor(read.Commit.Author), pushed(read)); err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "andon: commit %s of the estate is applied\n", read.Commit.ID.Short())
	changes := estate.Diff(before, read.Environments)
	for _, change := range changes {
		fmt.Fprintf(&text, "andon: %s\n", change)
	}
	if len(changes) == 0 {
		text.WriteString("andon: it changes no environment\n")
	}
	return text.String(), nil
}

// reconcileEstate applies a commit of the estate that was pushed and never recorded. One that the
// line does not take any more is taken back, as when the push had been refused.
func (g *Git) reconcileEstate(ctx context.Context) error {
	known, err := g.look(ctx, andon.EstateRepository)
	if err != nil || !known.exists || known.source.URL != "" {
		return err
	}
	repo := vcs.Repo{Dir: g.dir(andon.EstateRepository)}
	branches, err := repo.Branches(ctx)
	if err != nil {
		return err
	}
	var recorded andon.CommitID
	err = g.Engine.View(ctx, func(s *line.State) {
		if s.Estate != nil {
			recorded = s.Estate.Pushed
		}
	})
	tip := branches[estateTrunk]
	if err != nil || tip == "" || tip == recorded {
		return err
	}
	newer, err := isNewer(ctx, repo, tip, recorded)
	if err != nil {
		return err
	}
	if !newer {
		g.Log.Warn("the repository of the estate is older than what was applied: push it again", "tip", tip.Short(), "applied", recorded.Short())
		return nil
	}
	read, problems, err := intake.ReadEstate(ctx, repo, tip)
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		if problems, err = g.objections(ctx, read); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		g.Log.Error("a commit of the estate had not been recorded, and is taken back", "commit", tip.Short(), "problem", problems[0])
		return g.moveBack(ctx, repo.Dir, move{ref: "refs/heads/" + estateTrunk, old: recorded, new: tip})
	}
	if _, err := g.applyEstate(ctx, read); err != nil {
		return err
	}
	g.Log.Info("a commit of the estate that had not been recorded is applied now", "commit", tip.Short())
	return nil
}

// isNewer reports whether a tip was pushed after what was recorded: a repository that comes from
// an older backup than the journal has not.
func isNewer(ctx context.Context, repo vcs.Repo, tip, recorded andon.CommitID) (bool, error) {
	if recorded == "" {
		return true, nil
	}
	if has, err := repo.Has(ctx, recorded); err != nil || !has {
		return false, err
	}
	return repo.IsAncestor(ctx, recorded, tip)
}
