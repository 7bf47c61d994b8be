package vcs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// Checkout puts the files of a commit into dst, which it makes, and which must not exist or be
// empty. Its .git has the commit as a detached HEAD and borrows the repository's objects, so
// that git describe, git diff and the like work there; nothing is copied but the files.
func (r Repo) Checkout(ctx context.Context, id andon.CommitID, dst string) error {
	if err := checkCommits(id); err != nil {
		return err
	}
	if err := writeGitDir(filepath.Join(dst, ".git"), filepath.Join(r.Dir, "objects"), id); err != nil {
		return fmt.Errorf("prepare the checkout of %s: %w", id.Short(), err)
	}
	// git itself never writes through a symbolic link of the tree that it checks out.
	c := command{
		args: []string{"read-tree", "--reset", "-u", string(id)}, dir: dst, timeout: checkoutTimeout,
		env: append([]string{"GIT_DIR=" + filepath.Join(dst, ".git"), "GIT_WORK_TREE=" + dst}, r.Env...),
	}
	if _, err := c.run(ctx); err != nil {
		if ok, hasErr := r.Has(ctx, id); hasErr == nil && !ok {
			return andon.Errorf(andon.KindNotFound, "there is no commit %s in the repository any more", id.Short()).
				WithHint("push it again").Because(err)
		}
		return checkoutError(id, err)
	}
	return nil
}

// checkoutError says in a sentence why a checkout failed.
func checkoutError(id andon.CommitID, err error) error {
	switch {
	case strings.Contains(err.Error(), "No space left on device"):
		return andon.Errorf(andon.KindUnavailable, "the disk is full: commit %s cannot be checked out", id.Short()).Because(err)
	case andon.KindOf(err) != andon.KindInternal:
		return err
	default:
		return andon.Errorf(andon.KindInvalid, "commit %s cannot be checked out", id.Short()).
			WithHint("try git checkout %s in a clone of the repository", id.Short()).Because(err)
	}
}

// writeGitDir makes a .git by hand, which is what init and clone would cost two processes for.
func writeGitDir(dir, objects string, head andon.CommitID) error {
	for _, d := range []string{"objects/info", "refs"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(d)), 0o755); err != nil {
			return err
		}
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tlogallrefupdates = false\n"
	if len(head) == 64 {
		config = "[core]\n\trepositoryformatversion = 1\n\tbare = false\n\tlogallrefupdates = false\n[extensions]\n\tobjectformat = sha256\n"
	}
	for name, content := range map[string]string{
		"objects/info/alternates": objects + "\n",
		"config":                  config,
		"HEAD":                    string(head) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}
