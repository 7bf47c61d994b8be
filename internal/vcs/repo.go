package vcs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// A Repo is a bare repository on this machine. Its methods may be called at the same time.
type Repo struct {
	Dir string // absolute
	// Env is added to git's environment: a hook that reads what is being pushed gives git's
	// own GIT_OBJECT_DIRECTORY, GIT_ALTERNATE_OBJECT_DIRECTORIES and GIT_QUARANTINE_PATH here.
	Env []string
}

// InitBare makes an empty bare repository at dir, or leaves the one that is there as it is.
func InitBare(ctx context.Context, dir string) (Repo, error) {
	r := Repo{Dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Repo{}, fmt.Errorf("make a repository: %w", err)
	}
	// An empty template directory: no sample hooks, nothing of the system's.
	c := command{args: []string{"init", "--quiet", "--bare", "--template=", "--", dir}, timeout: localTimeout}
	if _, err := c.run(ctx); err != nil {
		return Repo{}, fmt.Errorf("make a repository at %s: %w", dir, err)
	}
	return r, nil
}

// git runs a command inside the repository.
func (r Repo) git(ctx context.Context, stdin string, limit int, args ...string) ([]byte, error) {
	c := command{
		args: args, stdin: stdin, limit: limit, timeout: localTimeout,
		env: append([]string{"GIT_DIR=" + r.Dir}, r.Env...),
	}
	return c.run(ctx)
}

// IsAncestor reports whether a commit is reachable from another, which is true for a commit itself.
func (r Repo) IsAncestor(ctx context.Context, ancestor, of andon.CommitID) (bool, error) {
	if err := checkCommits(ancestor, of); err != nil {
		return false, err
	}
	_, err := r.git(ctx, "", 0, "merge-base", "--is-ancestor", string(ancestor), string(of))
	if f, ok := errors.AsType[*failure](err); ok && f.code == 1 {
		return false, nil
	}
	return err == nil, err
}

// DefaultBranch returns the branch that HEAD names, also when it has no commit yet.
func (r Repo) DefaultBranch(ctx context.Context) (string, error) {
	out, err := r.git(ctx, "", 0, "symbolic-ref", "--short", "HEAD")
	if err != nil {
		return "", fmt.Errorf("read the default branch: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// SetDefaultBranch makes HEAD name a branch, which need not exist.
func (r Repo) SetDefaultBranch(ctx context.Context, branch string) error {
	if _, err := r.git(ctx, "", 0, "check-ref-format", "--branch", branch); err != nil {
		return andon.Errorf(andon.KindInvalid, "%q is not the name of a branch", branch).Because(err)
	}
	_, err := r.git(ctx, "", 0, "symbolic-ref", "HEAD", "refs/heads/"+branch)
	return err
}

// Branches returns the commits at the tips of all branches, by name.
func (r Repo) Branches(ctx context.Context) (map[string]andon.CommitID, error) {
	out, err := r.git(ctx, "", 0, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads/")
	if err != nil {
		return nil, fmt.Errorf("list branches: %w", err)
	}
	branches := map[string]andon.CommitID{}
	for line := range strings.Lines(string(out)) {
		id, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		branches[name] = andon.CommitID(id)
	}
	return branches, nil
}

// Has reports whether the repository has a commit.
func (r Repo) Has(ctx context.Context, id andon.CommitID) (bool, error) {
	objects, err := r.objects(ctx, 0, string(id)+"^{commit}")
	if err != nil {
		return false, err
	}
	return objects[0].kind == "commit", nil
}

// Compact packs loose objects when there are many of them, and drops those that nothing has
// named for two weeks.
func (r Repo) Compact(ctx context.Context) error {
	c := command{
		args: []string{"gc", "--auto", "--quiet"}, timeout: fetchTimeout,
		env:      append([]string{"GIT_DIR=" + r.Dir}, r.Env...),
		settings: []setting{{"gc.auto", "2000"}, {"gc.autoDetach", "false"}},
	}
	_, err := c.run(ctx)
	return err
}

// checkCommits refuses anything but full object names, so that none can be an option.
func checkCommits(ids ...andon.CommitID) error {
	for _, id := range ids {
		if !id.Valid() {
			return andon.Errorf(andon.KindInvalid, "%q is not the full name of a commit", string(id))
		}
	}
	return nil
}
