package vcs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/vcs"
)

func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "TZ=UTC",
		"GIT_AUTHOR_NAME=Ada Lovelace", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_AUTHOR_DATE=2026-01-02T03:04:05+01:00",
		"GIT_COMMITTER_NAME=Bob", "GIT_COMMITTER_EMAIL=bob@example.com", "GIT_COMMITTER_DATE=2026-01-02T06:00:00Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// clone is a working tree whose commits are pushed to a bare repository.
type clone struct {
	t    testing.TB
	dir  string
	bare string
}

func newClone(t testing.TB, options ...string) *clone {
	t.Helper()
	c := &clone{t: t, dir: t.TempDir(), bare: filepath.Join(t.TempDir(), "shop.git")}
	git(t, c.dir, append([]string{"init", "-q", "-b", "main"}, options...)...)
	git(t, c.dir, append(append([]string{"init", "-q", "-b", "main", "--bare"}, options...), c.bare)...)
	return c
}

// commit commits all files as they are and pushes the branch.
func (c *clone) commit(message string) andon.CommitID {
	c.t.Helper()
	git(c.t, c.dir, "add", "-A")
	git(c.t, c.dir, "commit", "-q", "--allow-empty", "-m", message)
	git(c.t, c.dir, "push", "-q", "--force", c.bare, "HEAD")
	return andon.CommitID(git(c.t, c.dir, "rev-parse", "HEAD"))
}

func (c *clone) repo() vcs.Repo { return vcs.Repo{Dir: c.bare} }

func kindIs(t testing.TB, err error, kind andon.Kind) {
	t.Helper()
	if err == nil || andon.KindOf(err) != kind {
		t.Errorf("error %v, want one of kind %s", err, kind)
	}
}

// gitIn runs git with a file as its input.
func gitIn(t testing.TB, dir, file string, args ...string) string {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, in
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}
