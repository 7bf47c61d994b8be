package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/estate"
	"github.com/andon-cd/andon/internal/form"
)

type estateCmd struct {
	Show     estateShowCmd     `cmd:"" default:"1" help:"What declared the environments last, and what they are."`
	Diff     estateDiffCmd     `cmd:"" help:"What the files here would change."`
	Apply    estateApplyCmd    `cmd:"" help:"Make the environments those of the commit that is checked out here."`
	Follow   estateFollowCmd   `cmd:"" help:"Take the estate from a repository elsewhere, and watch it."`
	Unfollow estateUnfollowCmd `cmd:"" help:"Watch it no longer; the environments stay."`
}

type estateShowCmd struct{}

// Run says what the estate is.
func (cmd *estateShowCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	e, err := client.Estate(c.ctx)
	if err != nil {
		return err
	}
	if c.json {
		c.sayJSON(c.out, e)
		return nil
	}
	if e.Commit == "" {
		fmt.Fprintln(c.out, "No estate is applied: the environments are the defaults.")
	} else {
		fmt.Fprintf(c.out, "Commit %s of the estate, applied %s by %s.\n", andon.CommitID(e.Commit).Short(), e.Applied.Local().Format("2006-01-02 15:04:05"), e.By)
	}
	for _, environment := range e.Environments {
		fmt.Fprintf(c.out, "  %s: %s\n", environment.Name, environment.Says)
	}
	if e.Followed != nil {
		c.showFollowed(e.Followed)
	}
	return nil
}

// showFollowed says where the estate comes from, and what became of its newest commit.
func (c *call) showFollowed(f *api.FollowedEstate) {
	fmt.Fprintf(c.out, "It comes from branch %s of %s, followed since %s by %s.\n", f.Branch, f.Repository, f.Since.Local().Format("2006-01-02 15:04:05"), f.By)
	if f.Trouble != "" {
		fmt.Fprintf(c.out, "It cannot be read at the moment: %s.\n", f.Trouble)
	}
	if r := f.Refused; r != nil {
		problems := make([]*andon.Error, 0, len(r.Problems))
		for _, p := range r.Problems {
			problems = append(problems, &andon.Error{Kind: andon.Kind(p.Kind), Message: p.Message, Hint: p.Hint, File: p.File, Line: p.Line, Column: p.Column, Source: p.Source})
		}
		fmt.Fprintf(c.out, "Its commit %s was refused %s and changed nothing:\n\n%s", andon.CommitID(r.Commit).Short(), r.At.Local().Format("2006-01-02 15:04:05"), form.Format(problems))
	}
}

type estateDiffCmd struct {
	Dir string `arg:"" optional:"" default:"." help:"The estate's working tree."`
}

// Run says what would change.
func (cmd *estateDiffCmd) Run(c *call) error {
	files, err := estateIn(cmd.Dir)
	if err != nil {
		return err
	}
	return applyEstate(c, api.ApplyEstate{Files: wireFiles(files), Plan: true}, files)
}

type estateApplyCmd struct {
	Dir string `arg:"" optional:"" default:"." help:"The estate's repository; what is not committed does not count."`
}

// Run applies the commit that is checked out.
func (cmd *estateApplyCmd) Run(c *call) error {
	commit := ask(c.ctx, cmd.Dir, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	if commit == "" {
		return andon.Errorf(andon.KindNotFound, "%s is not a git repository with a commit", cmd.Dir).
			WithHint("An estate is applied by commit: run git init there, and commit environments/.")
	}
	files, err := estateOf(c.ctx, cmd.Dir, commit)
	if err != nil {
		return err
	}
	return applyEstate(c, api.ApplyEstate{Commit: commit, Files: wireFiles(files)}, files)
}

type estateFollowCmd struct {
	Repo   string `arg:"" name:"url-or-path" help:"The repository with the estate."`
	Branch string `placeholder:"BRANCH" help:"The branch that is applied; the repository's default branch if left out."`
	credentialFlags
}

// Run makes the plant follow a repository.
func (cmd *estateFollowCmd) Run(c *call) error {
	credential, err := cmd.read(c)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.FollowEstate(c.ctx, api.FollowEstate{Repository: local(cmd.Repo), Branch: cmd.Branch, Credential: credential})
	if err != nil {
		return err
	}
	return c.done(answer, "The estate is followed. See with `andon estate` what becomes of its newest commit.")
}

type estateUnfollowCmd struct{}

// Run ends that.
func (cmd *estateUnfollowCmd) Run(c *call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.UnfollowEstate(c.ctx)
	if err != nil {
		return err
	}
	return c.done(answer, "The estate is not followed any more. The environments stay; push the estate to %s/git/estate.git.", strings.TrimRight(client.Server, "/"))
}

// applyEstate sends an estate that is valid, and shows what changes. All problems of one that is
// not are shown, and nothing is sent.
func applyEstate(c *call, wanted api.ApplyEstate, files []estate.File) error {
	if _, problems := estate.Parse(files); len(problems) > 0 {
		return c.problems(problems)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.ApplyEstate(c.ctx, wanted)
	if err != nil {
		return err
	}
	var refused error
	if r := answer.Refused; r != nil {
		refused = &api.Error{Kind: r.Kind, Message: "the plant would refuse it: " + r.Message, Hint: r.Hint}
	}
	if c.json {
		c.sayJSON(c.out, answer)
		return refused
	}
	for _, change := range answer.Changes {
		fmt.Fprintln(c.out, change.Line)
	}
	switch {
	case refused != nil:
		return refused
	case len(answer.Changes) == 0:
		fmt.Fprintln(c.out, "The environments are as the estate declares them.")
	case answer.Applied:
		fmt.Fprintln(c.out, "Applied. The next deployments follow it.")
	}
	return nil
}

// problems shows what is wrong with files of the user.
func (c *call) problems(all []*andon.Error) error {
	if c.json {
		return all[0]
	}
	fmt.Fprint(c.err, form.Format(all))
	return codeError(exitFailed)
}

func wireFiles(files []estate.File) []api.EstateFile {
	wire := make([]api.EstateFile, 0, len(files))
	for _, f := range files {
		wire = append(wire, api.EstateFile{Path: f.Path, Text: string(f.Data)})
	}
	return wire
}

// isEstate reports whether a directory holds an estate, and no service.
func isEstate(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, estate.Directory))
	_, service := os.Stat(filepath.Join(dir, pipelineFile))
	return err == nil && info.IsDir() && errors.Is(service, fs.ErrNotExist)
}

// estateIn reads the files of the estate in a working tree. Links are not followed out of it.
func estateIn(dir string) (files []estate.File, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, unreadable(dir, err)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == "." || !estate.Reads(path):
			if path != "." && entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		case len(files) == estate.MaxFiles:
			return fmt.Errorf("it has more than %d files", estate.MaxFiles)
		}
		data, err := fs.ReadFile(root.FS(), path)
		files = append(files, estate.File{Path: path, Data: data})
		return err
	})
	if err != nil {
		return nil, unreadable(dir, err)
	}
	return files, nil
}

// estateOf reads the files of the estate in a commit.
func estateOf(ctx context.Context, dir, commit string) ([]estate.File, error) {
	list, err := gitOutput(ctx, dir, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
	if err != nil {
		return nil, unreadable(dir, err)
	}
	var files []estate.File
	for path := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if path == "" || !estate.Reads(path) {
			continue
		}
		if len(files) == estate.MaxFiles {
			return nil, unreadable(dir, fmt.Errorf("it has more than %d files", estate.MaxFiles))
		}
		data, err := gitOutput(ctx, dir, "cat-file", "blob", commit+":"+path)
		if err != nil {
			return nil, unreadable(dir, err)
		}
		files = append(files, estate.File{Path: path, Data: data})
	}
	return files, nil
}

// gitOutput returns what git answers about a repository, byte by byte.
func gitOutput(ctx context.Context, dir string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("git %s: %s", args[0], bytes.TrimSpace(exit.Stderr))
	}
	return out, err
}

func unreadable(dir string, err error) error {
	return andon.Errorf(andon.KindInvalid, "the estate in %s cannot be read: %s", dir, reason(err)).
		WithHint("An estate is a git repository with environments/NAME.yaml.").Because(err)
}
