package intake

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/estate"
	"github.com/andon-cd/andon/internal/vcs"
)

// An Estate is what a commit of the estate declares.
type Estate struct {
	Commit       vcs.Commit
	Environments []andon.Environment
}

// ReadEstate reads the estate in a commit as a whole. It returns all that is wrong with it as
// problems; the error says that the commit itself cannot be read.
func ReadEstate(ctx context.Context, repo vcs.Repo, id andon.CommitID) (e Estate, problems []*andon.Error, err error) {
	if e.Commit, err = repo.Commit(ctx, id); err != nil {
		return Estate{}, nil, err
	}
	entries, err := repo.Entries(ctx, id, estate.Paths()...)
	if problem, ok := errors.AsType[*andon.Error](err); ok && problem.Kind == andon.KindInvalid {
		return e, []*andon.Error{problem}, nil
	}
	if err != nil {
		return Estate{}, nil, err
	}
	size := int64(0)
	for i, entry := range entries {
		size += entry.Size
		entries[i].Path = printable(entry.Path)
		if !entry.Regular {
			problem := andon.Errorf(andon.KindInvalid, "%s is a link, and not a file", entries[i].Path).WithHint("write the file itself")
			problem.File, problem.Line, problem.Column = entries[i].Path, 1, 1
			problems = append(problems, problem)
		}
	}
	if problem := estate.TooLarge(len(entries), size); problem != nil {
		return e, []*andon.Error{problem}, nil //nolint:nilerr // it is among the problems
	}
	if len(problems) > 0 {
		return e, problems, nil
	}
	contents, err := repo.ReadEntries(ctx, entries)
	if err != nil {
		return Estate{}, nil, err
	}
	files := make([]estate.File, 0, len(entries))
	for i, entry := range entries {
		files = append(files, estate.File{Path: entry.Path, Data: contents[i]})
	}
	e.Environments, problems = estate.Parse(files)
	return e, problems, nil
}

// printable returns a path whose control characters can do nothing to a terminal. No file of a
// valid estate has any.
func printable(path string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, path)
}
