package vcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
)

// A WorkingTree is a copy of a directory that somebody works in.
type WorkingTree struct {
	Commit andon.CommitID // that HEAD names; empty without a commit, or outside git
	Branch string         // that HEAD names; empty when detached, or outside git
	Files  int
}

// CopyWorkingTree copies what somebody works on at src into dst, which must not exist or be
// empty: the files that git tracks and those that it would not ignore, as they are now. When src
// is the root of a repository, the copy has a .git that borrows its objects, and shows the same
// changes. Outside git, all files are copied.
func CopyWorkingTree(ctx context.Context, src, dst string) (WorkingTree, error) {
	from, err := os.OpenRoot(src)
	if err != nil {
		return WorkingTree{}, fmt.Errorf("copy the working tree: %w", err)
	}
	defer from.Close()
	if err := os.MkdirAll(dst, 0o755); err != nil {
		return WorkingTree{}, fmt.Errorf("copy the working tree: %w", err)
	}
	to, err := os.OpenRoot(dst)
	if err != nil {
		return WorkingTree{}, fmt.Errorf("copy the working tree: %w", err)
	}
	defer to.Close()

	names, err := workingFiles(ctx, src, from)
	if err != nil {
		return WorkingTree{}, err
	}
	var tree WorkingTree
	if len(names) > maxWorkingFiles {
		return WorkingTree{}, andon.Errorf(andon.KindInvalid, "the working tree has more than %d files", maxWorkingFiles).
			WithHint("let .gitignore name what is not part of the service")
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return WorkingTree{}, err
		}
		switch copied, err := copyEntry(from, to, name); {
		case err != nil:
			return WorkingTree{}, fmt.Errorf("copy %s: %w", name, err)
		case copied:
			tree.Files++
		}
	}
	if err := borrowHistory(ctx, src, dst, &tree); err != nil {
		return WorkingTree{}, err
	}
	return tree, nil
}

// maxWorkingFiles bounds the files of a working tree that are copied.
const maxWorkingFiles = 500_000

// workingFiles lists what CopyWorkingTree copies.
func workingFiles(ctx context.Context, src string, root *os.Root) ([]string, error) {
	c := command{
		args: []string{"ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"},
		dir:  src, timeout: localTimeout,
	}
	out, err := c.run(ctx)
	if err == nil {
		return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
	}
	if _, ok := errors.AsType[*failure](err); !ok {
		return nil, err
	}
	var names []string
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return fs.SkipDir
			}
			return ctx.Err()
		}
		names = append(names, name)
		return nil
	})
	return names, err
}

// copyEntry copies one file or symbolic link, and reports whether there was one: a tracked file
// may be deleted, and a submodule is a directory.
func copyEntry(from, to *os.Root, name string) (bool, error) {
	info, err := from.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := to.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return false, err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := from.Readlink(name)
		if err != nil {
			return false, err
		}
		return true, to.Symlink(target, name)
	case info.Mode().IsRegular():
		return true, copyFile(from, to, name, info.Mode().Perm())
	default:
		return false, nil
	}
}

func copyFile(from, to *os.Root, name string, mode fs.FileMode) error {
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := to.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// borrowHistory gives dst a .git like that of a checkout when src is the root of a repository
// with a commit.
func borrowHistory(ctx context.Context, src, dst string, tree *WorkingTree) error {
	out, err := command{args: []string{"rev-parse", "--show-cdup", "HEAD", "--git-path", "objects"}, dir: src, timeout: localTimeout}.run(ctx)
	if err != nil {
		return ctx.Err() // outside git, or no commit yet
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) < 3 || !andon.CommitID(lines[1]).Valid() {
		return nil
	}
	tree.Commit = andon.CommitID(lines[1])
	if branch, err := (command{args: []string{"symbolic-ref", "--short", "-q", "HEAD"}, dir: src, timeout: localTimeout}).run(ctx); err == nil {
		tree.Branch = strings.TrimSpace(string(branch))
	}
	if lines[0] != "" {
		return nil // a directory inside a repository
	}
	objects := lines[2]
	if !filepath.IsAbs(objects) {
		objects = filepath.Join(src, objects)
	}
	if objects, err = filepath.Abs(objects); err != nil {
		return err
	}
	if err := writeGitDir(filepath.Join(dst, ".git"), objects, tree.Commit); err != nil {
		return fmt.Errorf("copy the working tree: %w", err)
	}
	_, err = command{args: []string{"read-tree", "HEAD"}, dir: dst, timeout: checkoutTimeout}.run(ctx)
	return err
}
