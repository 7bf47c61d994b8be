package runner_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/agent/runner"
	"github.com/andon-cd/andon/internal/andon"
)

func local(t *testing.T, tree string, stage andon.CommitStage) (runner.LocalResult, string) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var out bytes.Buffer
	result, err := runner.Local(t.Context(), runner.LocalRun{
		Tree: tree, Output: &out, Branch: "main", Commit: andon.CommitID(git(t, tree, "rev-parse", "HEAD")),
		Pipeline: &andon.Pipeline{Service: "shop", Commit: stage},
	})
	if err != nil {
		t.Fatal(err)
	}
	return result, out.String()
}

func workingTree(t *testing.T, files map[string]string) string {
	t.Helper()
	tree := t.TempDir()
	git(t, tree, "init", "-q", "-b", "main")
	writeFiles(t, tree, files)
	git(t, tree, "add", "-A")
	git(t, tree, "commit", "-q", "-m", "first")
	return tree
}

func steps(scripts ...string) (s []andon.Step) {
	for _, script := range scripts {
		s = append(s, andon.Step{Run: script})
	}
	return s
}

func TestLocal_RunsWhatTheWorkingTreeHoldsNowAndChangesNothingInIt(t *testing.T) {
	tree := workingTree(t, map[string]string{"committed": "old", "deleted": "x", ".gitignore": "ignored\n"})
	writeFiles(t, tree, map[string]string{"committed": "new", "untracked": "u", "ignored": "i"})
	if err := os.Remove(filepath.Join(tree, "deleted")); err != nil {
		t.Fatal(err)
	}
	result, out := local(t, tree, andon.CommitStage{
		Jobs: []andon.Job{
			{Name: "build", Needs: []andon.JobName{"test"}, Steps: steps("mkdir out; cp committed out/; git log --format=%s; git status --porcelain")},
			{Name: "test", Steps: steps("cat committed; echo; cat untracked; test ! -e ignored; test ! -e deleted; touch made")},
		},
		Artifact: &andon.ArtifactSource{Path: "out", Job: "build"},
	})
	if !result.Succeeded() || result.Jobs[0].Name != "test" || result.Artifact == nil || !result.Artifact.Digest.Valid() {
		t.Fatalf("result %+v\n%s", result, out)
	}
	for _, want := range []string{"test | new\n", "build | ##[step] ", "build | first\n", "build |  M committed\n", "build |  D deleted\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("output misses %q:\n%s", want, out)
		}
	}
	if _, err := os.Stat(filepath.Join(tree, "made")); err == nil {
		t.Error("a step wrote into the working tree")
	}
}

func TestLocal_CancelsJobsThatNeedOneThatFailed(t *testing.T) {
	tree := workingTree(t, map[string]string{"f": "x"})
	result, out := local(t, tree, andon.CommitStage{Jobs: []andon.Job{
		{Name: "test", Steps: steps("exit 2")},
		{Name: "build", Needs: []andon.JobName{"test"}, Steps: steps("true")},
		{Name: "lint", Steps: steps("printf 'no newline'")},
	}})
	outcomes := []andon.Outcome{result.Jobs[0].Result.Outcome, result.Jobs[1].Result.Outcome, result.Jobs[2].Result.Outcome}
	if result.Succeeded() || outcomes[0] != andon.Failed || outcomes[1] != andon.Cancelled || outcomes[2] != andon.Succeeded || !strings.Contains(out, "lint | no newline\n") {
		t.Errorf("outcomes %v\n%s", outcomes, out)
	}
}

func TestLocal_LeavesNothingBehindWhenItIsInterrupted(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	tree := workingTree(t, map[string]string{"f": "x"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := newLog()
	done := make(chan error, 1)
	go func() {
		_, err := runner.Local(ctx, runner.LocalRun{Tree: tree, Output: out, Pipeline: &andon.Pipeline{Service: "shop", Commit: andon.CommitStage{
			Jobs: []andon.Job{{Name: "test", Steps: steps("echo; echo begun; sleep 300")}},
		}}})
		done <- err
	}()
	out.await(t, "test | begun\n")
	cancel()
	if err := <-done; err == nil {
		t.Error("an interrupted run has no error")
	}
	if left, _ := filepath.Glob(filepath.Join(temporary, "andon-run-*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
