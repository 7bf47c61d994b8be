package vcs_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/vcs"
)

func TestInitBare_MakesARepositoryWithoutAnythingOfTheSystem(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "git", "shop.git")
	r, err := vcs.InitBare(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if branch, err := r.DefaultBranch(t.Context()); err != nil || branch != "main" {
		t.Errorf("default branch %q, %v", branch, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "hooks")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it has hooks: %v", err)
	}
	if err := r.SetDefaultBranch(t.Context(), "trunk"); err != nil {
		t.Fatal(err)
	}
	if _, err := vcs.InitBare(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if branch, _ := r.DefaultBranch(t.Context()); branch != "trunk" {
		t.Errorf("a second init made the default branch %q", branch)
	}
	for _, bad := range []string{"", "-x", "a..b", "a b", "a.lock"} {
		kindIs(t, r.SetDefaultBranch(t.Context(), bad), andon.KindInvalid)
	}
}

func TestCommit_TellsWhoMadeWhatWhen(t *testing.T) {
	c := newClone(t)
	first := c.commit("first")
	second := c.commit("Fix the cart\n\nIt was broken: \xff\n\nRefs: CART-9, #4\n")
	got, err := c.repo().Commit(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != second || len(got.Parents) != 1 || got.Parents[0] != first || got.Subject != "Fix the cart" || !slices.Equal(got.Tickets, []string{"CART-9", "#4"}) ||
		got.Author != "Ada Lovelace <ada@example.com>" || got.Email != "ada@example.com" ||
		!got.Authored.Equal(time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC)) || !got.Committed.Equal(time.Date(2026, 1, 2, 6, 0, 0, 0, time.UTC)) {
		t.Errorf("commit %+v", got)
	}
	_, err = c.repo().Commit(t.Context(), "0123456789012345678901234567890123456789")
	kindIs(t, err, andon.KindNotFound)
	_, err = c.repo().Commit(t.Context(), "--help")
	kindIs(t, err, andon.KindInvalid)
	_, err = c.repo().Commit(t.Context(), andon.CommitID(git(t, c.bare, "rev-parse", "HEAD^{tree}")))
	kindIs(t, err, andon.KindNotFound)
}

// TestCommit_LeavesTimesOutThatCannotBe: git takes them, also when it checks what is pushed.
func TestCommit_LeavesTimesOutThatCannotBe(t *testing.T) {
	c := newClone(t)
	c.commit("first")
	git(t, c.bare, "config", "receive.fsckObjects", "true")
	tree := git(t, c.dir, "rev-parse", "HEAD^{tree}")
	for seconds, want := range map[string]time.Time{
		"0": {}, "999999999999": {}, "9223372036": {}, "9223372035": time.Unix(9223372035, 0).UTC(), "1": time.Unix(1, 0).UTC(),
	} {
		write(t, c.dir, "commit", "tree "+tree+"\nauthor A <a@example.com> 1 +0000\ncommitter A <a@example.com> "+seconds+" +0000\n\nx\n")
		id := git(t, c.dir, "hash-object", "-t", "commit", "-w", "commit")
		git(t, c.dir, "push", "-q", "--force", c.bare, id+":refs/heads/main")
		got, err := c.repo().Commit(t.Context(), andon.CommitID(id))
		if err != nil || got.Subject != "x" || !got.Committed.Equal(want) {
			t.Errorf("%s s: %+v, %v", seconds, got, err)
		}
	}
}

func TestReadFile_ReadsFilesOfTheCommitAndNothingElse(t *testing.T) {
	c := newClone(t)
	write(t, c.dir, "andon.yaml", "service: shop\n")
	write(t, c.dir, "sub/with space.txt", "")
	write(t, c.dir, "big", strings.Repeat("x", 5000))
	for link, target := range map[string]string{"alias.yaml": "andon.yaml", "out": "/etc/passwd", "up": "../../etc/passwd", "loop": "loop", "broken": "nothing"} {
		if err := os.Symlink(target, filepath.Join(c.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	id := c.commit("files")
	for name, want := range map[string]string{"andon.yaml": "service: shop\n", "alias.yaml": "service: shop\n", "sub/with space.txt": ""} {
		if data, err := c.repo().ReadFile(t.Context(), id, name, 4096); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for name, kind := range map[string]andon.Kind{
		"missing": andon.KindNotFound, "broken": andon.KindNotFound, "andon.yaml/x": andon.KindNotFound,
		"sub": andon.KindInvalid, "big": andon.KindInvalid, "out": andon.KindInvalid, "up": andon.KindInvalid, "loop": andon.KindInvalid,
		"../x": andon.KindInvalid, "/etc/passwd": andon.KindInvalid, "a\nb": andon.KindInvalid, "a//b": andon.KindInvalid,
	} {
		_, err := c.repo().ReadFile(t.Context(), id, name, 4096)
		if err == nil || andon.KindOf(err) != kind {
			t.Errorf("%s: error %v, want one of kind %s", name, err, kind)
		}
	}
	commit, _, err := c.repo().CommitFile(t.Context(), id, "missing", 10)
	if kindIs(t, err, andon.KindNotFound); commit.Subject != "files" {
		t.Errorf("without the file, the commit is %+v", commit)
	}
}

func TestReadFile_RefusesAHugeFileWithoutReadingItAll(t *testing.T) {
	c := newClone(t)
	write(t, c.dir, "huge", strings.Repeat("x", 8<<20))
	_, err := c.repo().ReadFile(t.Context(), c.commit("huge"), "huge", 1024)
	kindIs(t, err, andon.KindInvalid)
}

func TestRepo_ReadsWhatIsInQuarantine(t *testing.T) {
	c := newClone(t)
	c.commit("first")
	write(t, c.dir, "andon.yaml", "service: shop\n")
	git(t, c.dir, "add", "-A")
	git(t, c.dir, "commit", "-q", "-m", "not pushed")
	id := andon.CommitID(git(t, c.dir, "rev-parse", "HEAD"))
	r := c.repo()
	_, err := r.Commit(t.Context(), id)
	kindIs(t, err, andon.KindNotFound)
	r.Env = []string{"GIT_OBJECT_DIRECTORY=" + filepath.Join(c.dir, ".git", "objects"), "GIT_ALTERNATE_OBJECT_DIRECTORIES=" + filepath.Join(c.bare, "objects")}
	if data, err := r.ReadFile(t.Context(), id, "andon.yaml", 100); err != nil || string(data) != "service: shop\n" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestIsAncestor_FollowsHistory(t *testing.T) {
	c := newClone(t)
	first, second := c.commit("1"), c.commit("2")
	git(t, c.dir, "checkout", "-q", "-b", "side", string(first))
	side := c.commit("side")
	for _, tt := range []struct {
		old, new andon.CommitID
		want     bool
	}{{first, second, true}, {second, first, false}, {first, first, true}, {side, second, false}} {
		if got, err := c.repo().IsAncestor(t.Context(), tt.old, tt.new); err != nil || got != tt.want {
			t.Errorf("IsAncestor(%s, %s) = %v, %v", tt.old.Short(), tt.new.Short(), got, err)
		}
	}
	if _, err := c.repo().IsAncestor(t.Context(), "0123456789012345678901234567890123456789", first); err == nil {
		t.Error("an unknown commit has a place in history")
	}
	branches, err := c.repo().Branches(t.Context())
	if want := map[string]andon.CommitID{"main": second, "side": side}; err != nil || !maps.Equal(branches, want) {
		t.Errorf("branches %v, %v", branches, err)
	}
}

func TestCompact_KeepsEveryCommit(t *testing.T) {
	c := newClone(t)
	first := c.commit("1")
	c.commit("2")
	if err := c.repo().Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if has, err := c.repo().Has(t.Context(), first); !has || err != nil {
		t.Errorf("has %v, %v", has, err)
	}
}
