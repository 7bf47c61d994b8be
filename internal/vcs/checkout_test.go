package vcs_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/vcs"
)

func TestCheckout_HasTheFilesOfExactlyThatCommit(t *testing.T) {
	c := newClone(t)
	write(t, c.dir, "run.sh", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(c.dir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, c.dir, "a/b/ümlaut.txt", "one")
	first := c.commit("first")
	write(t, c.dir, "a/b/ümlaut.txt", "two")
	write(t, c.dir, "later", "x")
	c.commit("second")

	dst := filepath.Join(t.TempDir(), "work")
	if err := c.repo().Checkout(t.Context(), first, dst); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dst, "a/b/ümlaut.txt"); got != "one" {
		t.Errorf("content %q", got)
	}
	if info, err := os.Stat(filepath.Join(dst, "run.sh")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("run.sh: %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(dst, "later")); err == nil {
		t.Error("a later commit's file is there")
	}
	if head := git(t, dst, "rev-parse", "HEAD"); head != string(first) {
		t.Errorf("HEAD is %s", head)
	}
	if status := git(t, dst, "status", "--porcelain"); status != "" {
		t.Errorf("status:\n%s", status)
	}
	if log := git(t, dst, "log", "--format=%s"); log != "first" {
		t.Errorf("log:\n%s", log)
	}
}

func TestCheckout_WorksWithSHA256(t *testing.T) {
	c := newClone(t, "--object-format=sha256")
	write(t, c.dir, "f", "x")
	id := c.commit("first")
	dst := t.TempDir()
	if err := c.repo().Checkout(t.Context(), id, dst); err != nil || len(id) != 64 {
		t.Fatal(id, err)
	}
	if git(t, dst, "rev-parse", "HEAD") != string(id) || read(t, dst, "f") != "x" {
		t.Error("not the commit")
	}
}

func TestCheckout_WritesThroughNoLinkOfTheTree(t *testing.T) {
	outside := t.TempDir()
	c := newClone(t)
	// A tree that holds a link and, in a commit that git itself would not make, a file below it.
	blob := git(t, c.dir, "hash-object", "-w", "--stdin")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.WriteFile(link, []byte(outside), 0o600); err != nil {
		t.Fatal(err)
	}
	linkBlob := git(t, c.dir, "hash-object", "-w", link)
	sub := mktree(t, c.dir, "100644 blob "+blob+"\tpwned\n")
	tree := mktree(t, c.dir, "120000 blob "+linkBlob+"\tdir\n040000 tree "+sub+"\tdir\n")
	id := andon.CommitID(git(t, c.dir, "commit-tree", "-m", "evil", tree))
	git(t, c.dir, "push", "-q", c.bare, string(id)+":refs/heads/evil")
	err := c.repo().Checkout(t.Context(), id, filepath.Join(t.TempDir(), "work"))
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("a checkout wrote %v outside (%v)", entries, err)
	}
}

func TestCheckout_RefusesATreeThatNamesGitsOwnDirectory(t *testing.T) {
	c := newClone(t)
	content := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(content, []byte("[core]\n\tfsmonitor = touch pwned\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sub := mktree(t, c.dir, "100644 blob "+git(t, c.dir, "hash-object", "-w", content)+"\tconfig\n")
	for _, name := range []string{".git", ".GIT", ".."} {
		tree := mktree(t, c.dir, "040000 tree "+sub+"\t"+name+"\n")
		id := andon.CommitID(git(t, c.dir, "commit-tree", "-m", "evil", tree))
		git(t, c.dir, "push", "-q", "--force", c.bare, string(id)+":refs/heads/evil")
		dst := filepath.Join(t.TempDir(), "work")
		kindIs(t, c.repo().Checkout(t.Context(), id, dst), andon.KindInvalid)
		if config, err := os.ReadFile(filepath.Join(dst, ".git", "config")); err != nil || strings.Contains(string(config), "fsmonitor") {
			t.Errorf("%s: the configuration of the checkout is %q, %v", name, config, err)
		}
	}
}

func mktree(t *testing.T, dir, entries string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "entries")
	if err := os.WriteFile(file, []byte(entries), 0o600); err != nil {
		t.Fatal(err)
	}
	return gitIn(t, dir, file, "mktree")
}

func TestCheckout_RunsNoHookAndNoFilter(t *testing.T) {
	c := newClone(t)
	write(t, c.dir, ".gitattributes", "* filter=evil\n")
	write(t, c.dir, "f", "x")
	id := c.commit("first")
	marker := filepath.Join(t.TempDir(), "marker")
	write(t, c.bare, "hooks/post-checkout", "#!/bin/sh\ntouch "+marker+"\n")
	git(t, c.bare, "config", "filter.evil.smudge", "touch "+marker)
	if err := c.repo().Checkout(t.Context(), id, filepath.Join(t.TempDir(), "work")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("something of the repository ran")
	}
}

func TestCheckout_SaysWhatIsWrong(t *testing.T) {
	c := newClone(t)
	c.commit("first")
	err := c.repo().Checkout(t.Context(), "0123456789012345678901234567890123456789", t.TempDir())
	kindIs(t, err, andon.KindNotFound)
	kindIs(t, c.repo().Checkout(t.Context(), "HEAD", t.TempDir()), andon.KindInvalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.repo().Checkout(ctx, c.commit("second"), t.TempDir()); err == nil {
		t.Error("a cancelled checkout succeeded")
	}
}

func TestCopyWorkingTree_HasWhatGitWouldCommit(t *testing.T) {
	c := newClone(t)
	write(t, c.dir, ".gitignore", "ignored/\n")
	write(t, c.dir, "tracked", "old")
	write(t, c.dir, "gone", "x")
	id := c.commit("first")
	write(t, c.dir, "tracked", "new")
	write(t, c.dir, "ignored/x", "x")
	write(t, c.dir, "sub/untracked", "u")
	if err := os.Symlink("tracked", filepath.Join(c.dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(c.dir, "gone")); err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "copy")
	tree, err := vcs.CopyWorkingTree(t.Context(), c.dir, dst)
	if err != nil {
		t.Fatal(err)
	}
	if tree.Commit != id || tree.Branch != "main" || tree.Files != 4 {
		t.Errorf("tree %+v", tree)
	}
	if read(t, dst, "link") != "new" || read(t, dst, "sub/untracked") != "u" {
		t.Error("files differ")
	}
	if got, want := git(t, dst, "status", "--porcelain"), git(t, c.dir, "status", "--porcelain"); got != want {
		t.Errorf("status of the copy:\n%s\nof the original:\n%s", got, want)
	}
	if _, err := os.Stat(filepath.Join(dst, "ignored")); err == nil {
		t.Error("an ignored file was copied")
	}
}

func TestCopyWorkingTree_WorksBeforeTheFirstCommitAndOutsideGit(t *testing.T) {
	for _, inGit := range []bool{true, false} {
		src := t.TempDir()
		if inGit {
			git(t, src, "init", "-q")
		}
		write(t, src, "a/b", "x")
		dst := t.TempDir()
		tree, err := vcs.CopyWorkingTree(t.Context(), src, dst)
		if err != nil || tree.Commit != "" || tree.Files != 1 || read(t, dst, "a/b") != "x" {
			t.Errorf("in git %v: %+v, %v", inGit, tree, err)
		}
	}
}

// BenchmarkCheckout checks out 100 files.
func BenchmarkCheckout(b *testing.B) {
	c := newClone(b)
	for name, content := range benchFiles() {
		write(b, c.dir, name, content)
	}
	id := c.commit("files")
	dir := b.TempDir()
	n := 0
	for b.Loop() {
		n++
		if err := c.repo().Checkout(b.Context(), id, filepath.Join(dir, fmt.Sprint(n))); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheckout_Floor writes the same files and starts git once, which does nothing.
func BenchmarkCheckout_Floor(b *testing.B) {
	dir := b.TempDir()
	n := 0
	for b.Loop() {
		n++
		for name, content := range benchFiles() {
			write(b, filepath.Join(dir, fmt.Sprint(n)), name, content)
		}
		git(b, dir, "--version")
	}
}

func benchFiles() map[string]string {
	files := map[string]string{}
	for i := range 100 {
		files[fmt.Sprintf("pkg%d/file%d.go", i%10, i)] = strings.Repeat("line\n", 100)
	}
	return files
}
