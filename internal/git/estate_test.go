package git

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// estate commits environments as "NAME" → content; an empty content removes one.
func (c *clone) estate(subject string, environments map[string]string) andon.CommitID {
	c.t.Helper()
	if err := os.MkdirAll(filepath.Join(c.dir, "environments"), 0o700); err != nil {
		c.t.Fatal(err)
	}
	for name, content := range environments {
		file := filepath.Join("environments", name+".yaml")
		if content == "" {
			c.git("rm", "--quiet", file)
			continue
		}
		c.write(file, content)
	}
	c.git("add", "--all")
	c.git("commit", "--quiet", "--allow-empty", "--message", subject)
	return andon.CommitID(strings.TrimSpace(c.git("rev-parse", "HEAD")))
}

// applied returns the estate that the line has, and how often one was applied.
func (p *plant) applied() (commit andon.CommitID, production andon.Environment) {
	p.t.Helper()
	p.must(p.engine.View(p.t.Context(), func(s *line.State) {
		if s.Estate != nil {
			commit = s.Estate.Commit
		}
		production = *s.Environments["production"]
	}))
	return commit, production
}

// tip returns where a branch of the estate's repository is.
func (p *plant) tip(branch string) string {
	p.t.Helper()
	c := &clone{t: p.t, dir: filepath.Join(p.dir, "git", "estate.git")}
	out, _ := c.run("rev-parse", "--quiet", "--verify", "refs/heads/"+branch)
	return strings.TrimSpace(out)
}

func TestPushEstate_AppliesItAndShowsTheDiff(t *testing.T) {
	p := open(t)
	c := p.newClone("estate")
	first := c.estate("Begin", map[string]string{"test": "strategy: rolling\n", "production": "strategy: blue-green\nsoak: 1m\n"})
	out := c.git("push", c.remote, "main")
	for _, want := range []string{"andon: commit " + first.Short() + " of the estate is applied", "andon: ~ production: soak: 1s → 1m"} {
		if !strings.Contains(out, "remote: "+want) {
			t.Errorf("the pusher does not read %q:\n%s", want, out)
		}
	}
	if commit, production := p.applied(); commit != first || production.Soak.Minutes() != 1 {
		t.Errorf("applied is %s with %+v", commit, production)
	}
	second := c.estate("Say why", nil)
	if out := c.git("push", c.remote, "main"); !strings.Contains(out, "it changes no environment") {
		t.Errorf("the pusher reads\n%s", out)
	}
	if commit, _ := p.applied(); commit != second {
		t.Errorf("applied is %s", commit)
	}
	again := p.newClone("estate")
	again.git("pull", "--quiet", again.remote, "main")
}

func TestPushEstate_ABadOneIsRefusedAtTheDoor(t *testing.T) {
	p := open(t)
	c := p.newClone("estate")
	good := c.estate("Begin", map[string]string{"test": "strategy: rolling\n", "production": "soak: 1m\n"})
	c.git("push", c.remote, "main")
	head := p.engine.Head()
	c.estate("Slip", map[string]string{"production": "stratgy: rolling\nsoak: 10\n"})
	out, err := c.run("push", c.remote, "main")
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{
		"environments/production.yaml:1:1: unknown key \"stratgy\"", "did you mean \"strategy\"?", "environments/production.yaml:2:7: soak needs a unit",
		"refused: commit", "cannot be applied",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the pusher does not read %q:\n%s", want, out)
		}
	}
	if commit, _ := p.applied(); commit != good || p.tip("main") != string(good) || p.engine.Head() != head {
		t.Error("a refused push changed something")
	}
	c.estate("Mend", map[string]string{"production": "soak: 2m\n"})
	c.git("push", c.remote, "main")
	if _, production := p.applied(); production.Soak.Minutes() != 2 {
		t.Errorf("production is %+v", production)
	}
}

func TestPushEstate_ThatWouldOrphanAServiceIsRefused(t *testing.T) {
	p := open(t)
	shopClone := p.newClone("shop")
	shopClone.commit("Sell things", shop)
	shopClone.git("push", shopClone.remote, "main")
	c := p.newClone("estate")
	c.estate("Forget production", map[string]string{"test": "strategy: rolling\n"})
	out, err := c.run("push", c.remote, "main")
	if err == nil || !strings.Contains(out, "the estate does not declare production any more, and shop 1 is on its way there") ||
		!strings.Contains(out, "keep environments/production.yaml") {
		t.Errorf("the pusher reads\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "git", "estate.git")); err == nil {
		t.Error("a first push that was refused leaves a repository")
	}
}

func TestPushEstate_OtherBranchesAreStored(t *testing.T) {
	p := open(t)
	c := p.newClone("estate")
	c.git("checkout", "--quiet", "-b", "idea")
	idea := c.estate("Try", map[string]string{"test": "not: valid\n"})
	out := c.git("push", c.remote, "idea")
	if !strings.Contains(out, "idea is stored, and not applied: the estate is the branch main") {
		t.Errorf("the pusher reads\n%s", out)
	}
	if commit, _ := p.applied(); commit != "" || p.tip("idea") != string(idea) {
		t.Errorf("applied is %s, stored is %s", commit, p.tip("idea"))
	}
	good := c.estate("Mend", map[string]string{"test": "soak: 1s\n", "production": "soak: 1s\n"})
	c.git("push", c.remote, "idea:main", "idea")
	if commit, _ := p.applied(); commit != good {
		t.Errorf("applied is %s", commit)
	}
	if out, err := c.run("push", "--force", c.remote, string(idea)+":refs/heads/main"); err == nil {
		t.Errorf("main was rewritten:\n%s", out)
	}
	if out, err := c.run("push", c.remote, ":main"); err == nil {
		t.Errorf("main was deleted:\n%s", out)
	}
}

func TestPushEstate_IsRefusedWhileARepositoryElsewhereIsFollowed(t *testing.T) {
	p := open(t)
	_, err := p.engine.Do(t.Context(), "admin", line.FollowEstate{Source: andon.Source{URL: "https://git.example/estate.git"}})
	p.must(err)
	c := p.newClone("estate")
	c.estate("Begin", map[string]string{"test": "soak: 1s\n", "production": "soak: 1s\n"})
	out, err := c.run("push", c.remote, "main")
	if err == nil || !strings.Contains(out, "the estate comes from the repository https://git.example/estate.git") {
		t.Errorf("the pusher reads\n%s", out)
	}
}

func TestPushEstate_ThatCannotBeRecordedIsTakenBack(t *testing.T) {
	p := open(t)
	c := p.newClone("estate")
	good := c.estate("Begin", map[string]string{"test": "soak: 1s\n", "production": "soak: 1s\n"})
	c.git("push", c.remote, "main")
	p.journal.full = func(e andon.Event) bool { _, ok := e.Body.(andon.EstateApplied); return ok }
	next := c.estate("Go on", map[string]string{"production": "soak: 1m\n"})
	if out, _ := c.run("push", c.remote, "main"); !strings.Contains(out, "the disk of the journal is full") {
		t.Errorf("the pusher reads\n%s", out)
	}
	if p.tip("main") != string(good) {
		t.Error("the ref stays where the line does not follow")
	}
	p.journal.full = nil
	_, err := p.engine.Do(t.Context(), "test", line.PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "the disk has room again"})
	p.must(err)
	c.git("push", c.remote, "main")
	if commit, _ := p.applied(); commit != next {
		t.Errorf("applied is %s", commit)
	}
}

func TestReconcile_AppliesAnEstateThatWasPushedAndNotRecorded(t *testing.T) {
	p := open(t)
	c := p.newClone("estate")
	first := c.estate("Begin", map[string]string{"test": "soak: 1s\n", "production": "soak: 1s\n"})
	c.git("push", c.remote, "main")
	bare := "file://" + filepath.Join(p.dir, "git", "estate.git")
	next := c.estate("Go on", map[string]string{"production": "soak: 1m\n"})
	c.git("push", "--quiet", bare, "main") // as a server does that ends between the ref and the event
	p.start()
	p.caughtUp()
	p.must(p.git.Reconcile(t.Context()))
	if commit, production := p.applied(); commit != next || production.Soak.Minutes() != 1 {
		t.Errorf("applied is %s with %+v", commit, production)
	}
	head := p.engine.Head()
	p.must(p.git.Reconcile(t.Context()))
	if p.engine.Head() != head {
		t.Error("it is applied again")
	}
	c.estate("Slip", map[string]string{"production": "sook: 1m\n"})
	c.git("push", "--quiet", bare, "main")
	p.must(p.git.Reconcile(t.Context()))
	if commit, _ := p.applied(); commit != next || p.tip("main") != string(next) {
		t.Errorf("applied is %s, and main is at %s", commit, p.tip("main"))
	}
	c.git("push", "--quiet", "--force", bare, string(first)+":refs/heads/main") // as in an older backup
	p.must(p.git.Reconcile(t.Context()))
	if commit, _ := p.applied(); commit != next {
		t.Errorf("a repository that is older than the journal takes the estate back to %s", commit)
	}
}
