package git

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/auth"
	"github.com/andon-cd/andon/internal/line"
)

func TestPush_MakesAVersionAndSaysWhatFollows(t *testing.T) {
	p := open(t)
	c := p.newClone("shop")
	c.commit("Sell things", shop)
	out := c.git("push", c.remote, "main")
	for _, want := range []string{
		"shop 1: commit stage started", "andon wait shop@1 --for live:production", "http://plant.example/services/shop/versions/1",
	} {
		if !strings.Contains(out, "remote: andon: "+want) {
			t.Errorf("the pusher does not read %q:\n%s", want, out)
		}
	}
	if got := p.versions("shop"); len(got) != 1 || got[0] != "1 main Sell things" {
		t.Errorf("the versions are %q", got)
	}
	c.commit("Sell more", shop)
	c.git("push", c.remote, "main")
	if got := p.versions("shop"); len(got) != 2 {
		t.Errorf("the versions are %q", got)
	}
	again := p.newClone("shop")
	again.git("pull", "--quiet", c.remote, "main")
	if head := again.git("log", "-1", "--format=%s"); strings.TrimSpace(head) != "Sell more" {
		t.Errorf("the clone has %q", head)
	}
}

func TestPush_OfABranchIsBuiltAndNotPromoted(t *testing.T) {
	p := open(t)
	c := p.newClone("shop")
	c.commit("Sell things", shop)
	c.git("push", c.remote, "main")
	c.git("checkout", "--quiet", "-b", "idea")
	c.commit("Try", shop)
	out := c.git("push", c.remote, "idea")
	if !strings.Contains(out, "it is built, and not promoted: idea is not the trunk, main") || !strings.Contains(out, "--for built") {
		t.Errorf("the pusher reads\n%s", out)
	}
	c.git("checkout", "--quiet", "main")
	c.git("merge", "--quiet", "--ff-only", "idea")
	if out := c.git("push", c.remote, "main"); !strings.Contains(out, "shop 2: reached main; it is not built again") {
		t.Errorf("the pusher reads\n%s", out)
	}
	c.git("push", c.remote, "--delete", "idea")
	if out := c.git("push", c.remote, "main:copy"); !strings.Contains(out, "it is on the trunk, main, too") || strings.Contains(out, "not promoted") {
		t.Errorf("the pusher reads\n%s", out)
	}
}

func TestPush_TheTrunkIsTheBranchOfTheFirstPush(t *testing.T) {
	p := open(t)
	c := p.newClone("shop")
	c.git("checkout", "--quiet", "-b", "stem")
	c.commit("Sell things", shop)
	if out := c.git("push", c.remote, "stem"); !strings.Contains(out, "shop is new; its trunk is stem: ") {
		t.Errorf("the pusher reads\n%s", out)
	}
	c.commit("Sell more", shop)
	if out := c.git("push", c.remote, "stem"); strings.Contains(out, "is new") {
		t.Errorf("later the pusher reads\n%s", out)
	}
	if err := p.engine.View(t.Context(), func(s *line.State) {
		if got := s.Services["shop"].Source.Trunk; got != "stem" {
			t.Errorf("the trunk is %q", got)
		}
	}); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	c.git("clone", "--quiet", c.remote, to)
	if _, err := os.Stat(filepath.Join(to, "andon.yaml")); err != nil {
		t.Errorf("a clone does not check the trunk out: %v", err)
	}
}

// nothingLeft fails if a refused push left anything.
func (p *plant) nothingLeft(service andon.ServiceName) {
	p.t.Helper()
	if got := p.versions(service); got != nil {
		p.t.Errorf("the line knows %q", got)
	}
	err := filepath.WalkDir(p.git.Dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), string(service)) {
			p.t.Errorf("%s is left", name)
		}
		return err
	})
	p.must(err)
}

func TestPush_ThatIsRefusedLeavesNothingAndSaysWhere(t *testing.T) {
	for name, c := range map[string]struct {
		yaml string
		want []string
	}{
		"unknown key": {
			strings.Replace(shop, "run: {command: ./shop, port: 8080}", "run: {comand: ./shop, port: 8080}", 1),
			[]string{"andon.yaml:7:7:", "run: {comand: ./shop, port: 8080}", "     ^", `did you mean "command"?`},
		},
		"another service": {
			strings.Replace(shop, "service: shop", "service: cart", 1),
			[]string{`"cart"`, "write `service: shop`"},
		},
		"no YAML": {"\tservice: shop\n", []string{"andon.yaml:1:", "tab"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t)
			local := p.newClone("shop")
			local.commit("Sell things", c.yaml)
			out, err := local.run("push", local.remote, "main")
			if err == nil || !strings.Contains(out, "pre-receive hook declined") {
				t.Fatalf("the push was not refused: %v\n%s", err, out)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("the pusher does not read %q:\n%s", want, out)
				}
			}
			p.nothingLeft("shop")
			local.commit("Repair it", shop)
			local.git("push", local.remote, "main")
		})
	}
}

func TestPush_WithoutAnAndonYAMLIsRefused(t *testing.T) {
	p := open(t)
	c := p.newClone("shop")
	c.write("README", "nothing else")
	c.git("add", "--all")
	c.git("commit", "--quiet", "--message", "Start")
	out, err := c.run("push", c.remote, "main")
	if err == nil || !strings.Contains(out, "has no andon.yaml") || !strings.Contains(out, "andon init") {
		t.Fatalf("%v\n%s", err, out)
	}
	p.nothingLeft("shop")
}

func TestPush_ThatTheJournalRefusesIsTakenBack(t *testing.T) {
	p := open(t)
	full := true
	p.journal.full = func(e andon.Event) bool {
		_, version := e.Body.(andon.VersionCreated)
		return version && full
	}
	c := p.newClone("shop")
	c.commit("Sell things", shop)
	if out, err := c.run("push", c.remote, "main"); !strings.Contains(out, "the disk of the journal is full") {
		t.Fatalf("the pusher reads %v\n%s", err, out)
	}
	p.nothingLeft("shop")
	if out, err := c.run("push", c.remote, "main"); err == nil || !strings.Contains(out, "the journal takes no events") {
		t.Fatalf("a plant that writes nothing takes a push: %v\n%s", err, out)
	}
	full = false
	if _, err := p.engine.Do(t.Context(), "test", line.PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "the disk has room again"}); err != nil {
		t.Fatal(err)
	}
	c.git("push", c.remote, "main")

	full = true
	c.commit("Sell more", shop)
	if out, _ := c.run("push", c.remote, "main"); !strings.Contains(out, "taken back") {
		t.Fatalf("the pusher reads\n%s", out)
	}
	full = false
	if _, err := p.engine.Do(t.Context(), "test", line.ReleaseCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "go on"}); err != nil {
		t.Fatal(err)
	}
	if out := c.git("push", c.remote, "main"); !strings.Contains(out, "shop 2: commit stage started") {
		t.Errorf("pushing again does not announce the commit:\n%s", out)
	}
}

func TestPush_RewritingOrDeletingTheTrunkIsRefused(t *testing.T) {
	p := open(t)
	c := p.newClone("shop")
	c.commit("Sell things", shop)
	c.git("push", c.remote, "main")
	c.git("commit", "--quiet", "--amend", "--message", "Sell other things")
	if out, err := c.run("push", "--force", c.remote, "main"); err == nil || !strings.Contains(out, "git revert") {
		t.Errorf("the trunk was rewritten: %v\n%s", err, out)
	}
	if out, err := c.run("push", c.remote, "--delete", "main"); err == nil || !strings.Contains(out, "cannot be deleted") {
		t.Errorf("the trunk was deleted: %v\n%s", err, out)
	}
	c.git("checkout", "--quiet", "-b", "idea")
	c.git("push", c.remote, "idea")
	c.git("commit", "--quiet", "--amend", "--message", "Sell even more")
	c.git("push", "--force", c.remote, "idea")
	if out, err := c.run("push", c.remote, "HEAD:refs/changes/1"); err == nil {
		t.Errorf("a ref that is no branch was taken:\n%s", out)
	}
	c.git("tag", "v1")
	c.git("push", c.remote, "v1")
	if got := p.versions("shop"); len(got) != 3 {
		t.Errorf("the versions are %q", got)
	}
}

func TestPush_OfTooManyRefsIsRefused(t *testing.T) {
	p := open(t)
	c := p.newClone("shop")
	commit := c.commit("Sell things", shop)
	var refs strings.Builder
	for i := range maxRefs + 500 {
		fmt.Fprintf(&refs, "create refs/tags/a-rather-long-name-for-a-tag-%d %s\n", i, commit)
	}
	update := exec.CommandContext(t.Context(), "git", "update-ref", "--stdin")
	update.Dir, update.Stdin = c.dir, strings.NewReader(refs.String())
	p.must(update.Run())
	if out, err := c.run("push", c.remote, "main", "--tags"); err == nil || !strings.Contains(out, "a push may move 1000 refs") {
		t.Errorf("%v\n%.2000s", err, out)
	}
	p.nothingLeft("shop")
}

func TestPush_OfAWatchedServiceIsRefused(t *testing.T) {
	p := open(t)
	if _, err := p.engine.Do(t.Context(), "test", line.AddService{Service: "shop", Source: andon.Source{URL: "https://example.com/shop.git", Trunk: "main"}}); err != nil {
		t.Fatal(err)
	}
	c := p.newClone("shop")
	c.commit("Sell things", shop)
	if out, err := c.run("push", c.remote, "main"); err == nil || !strings.Contains(out, "https://example.com/shop.git") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestPush_OfManyAtOnceNumbersThemInOrder(t *testing.T) {
	p := open(t)
	first := p.newClone("shop")
	first.commit("Start", shop)
	first.git("push", first.remote, "main")
	var all sync.WaitGroup
	for _, branch := range []string{"a", "b", "c", "d"} {
		c := p.newClone("shop")
		c.git("fetch", "--quiet", c.remote, "main")
		c.git("checkout", "--quiet", "-b", branch, "FETCH_HEAD")
		c.commit("On "+branch, shop)
		all.Go(func() {
			if out, err := c.run("push", c.remote, branch); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	all.Wait()
	if got := p.versions("shop"); len(got) != 5 {
		t.Errorf("the versions are %q", got)
	}
}

func TestPush_OfMuchComesThroughAndOfTooMuchIsRefused(t *testing.T) {
	p := open(t)
	c := p.newClone("shop")
	noise := make([]byte, 6<<20) // more than git sends in one piece
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	c.write("noise", string(noise))
	c.commit("Sell noise", shop)
	c.git("push", c.remote, "main")
	to := t.TempDir()
	c.git("clone", "--quiet", c.remote, to)
	if got, err := os.ReadFile(filepath.Join(to, "noise")); err != nil || !bytes.Equal(got, noise) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	p.git.MaxPush = 1 << 20
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	c.write("noise", string(noise))
	c.commit("Sell more noise", shop)
	if out, err := c.run("push", c.remote, "main"); err == nil || !strings.Contains(out, "exceeds maximum allowed size") {
		t.Errorf("too much was taken, or refused without a word: %v:\n%s", err, out)
	}
	if got := p.versions("shop"); len(got) != 1 {
		t.Errorf("the versions are %q", got)
	}
}

func TestGit_AgentsReadAndDoNotPush(t *testing.T) {
	p := open(t)
	c := p.newClone("shop")
	commit := c.commit("Sell things", shop)
	c.git("push", c.remote, "main")
	agent := p.remote("shop", p.keys.AgentToken("web1"))
	reader := p.newClone("shop")
	reader.git("fetch", "--quiet", agent, commit)
	if out, err := c.run("push", agent, "main:other"); err == nil || !strings.Contains(out, "an agent may read repositories") {
		t.Errorf("an agent pushed: %v\n%s", err, out)
	}
	if out, err := reader.run("fetch", p.remote("shop", "wrong"), "main"); err == nil {
		t.Errorf("a stranger fetched:\n%s", out)
	}
}

func TestGit_ServesNothingElse(t *testing.T) {
	p := open(t)
	c := p.newClone("shop")
	c.commit("Sell things", shop)
	c.git("push", c.remote, "main")
	for _, path := range []string{
		"/git/shop.git/HEAD", "/git/shop.git/objects/info/packs", "/git/shop.git/info/refs", "/git/shop.git/config",
		"/git/shop.git/info/refs?service=git-upload-archive", "/git/../git/shop.git/HEAD", "/git/%2e%2e/shop.git/info/refs?service=git-upload-pack",
		"/git/.hooks.git/info/refs?service=git-upload-pack", "/git/.empty.git/info/refs?service=git-upload-pack",
		"/git/cart.git/info/refs?service=git-upload-pack", "/git/", "/git/shop.git",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
		p.must(err)
		req.SetBasicAuth("x", "secret")
		resp, err := http.DefaultClient.Do(req)
		p.must(err)
		body, err := io.ReadAll(resp.Body)
		p.must(errors.Join(err, resp.Body.Close()))
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s is answered with %s: %.100s", path, resp.Status, body)
		}
	}
}

// A lagging writer holds up whoever waits for more of a request until git has ended.
type lagging struct {
	http.ResponseWriter
	ended chan struct{}
}

func (l *lagging) Unwrap() http.ResponseWriter { return l.ResponseWriter }

func (l *lagging) SetReadDeadline(at time.Time) error {
	if time.Until(at) > 0 {
		<-l.ended
	} else if !at.IsZero() {
		close(l.ended)
	}
	return http.NewResponseController(l.ResponseWriter).SetReadDeadline(at)
}

func TestGit_ThatEndsBeforeTheEndOfItsRequestIsSeenLeavesTheConnectionForTheNext(t *testing.T) {
	p := open(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.git.ServeHTTP(&lagging{w, make(chan struct{})}, r.WithContext(auth.With(r.Context(), auth.Identity{Role: auth.Admin})))
	}))
	defer server.Close()
	for range 3 {
		resp, err := server.Client().Get(server.URL + "/git/shop.git/info/refs?service=git-receive-pack")
		p.must(err)
		body, err := io.ReadAll(resp.Body)
		p.must(errors.Join(err, resp.Body.Close()))
		if resp.StatusCode != http.StatusOK {
			t.Errorf("it is answered with %s: %s", resp.Status, body)
		}
	}
}

func TestReconcile_RecordsWhatACrashCutOff(t *testing.T) {
	p := open(t)
	c := p.newClone("shop")
	c.commit("Sell things", shop)
	c.git("push", c.remote, "main")
	c.commit("Sell more", shop)
	// The refs moved, and the plant crashed before it recorded that.
	c.git("push", p.git.dir("shop"), "main")
	c.commit("Sell most", shop)
	c.git("push", p.git.dir("shop"), "main:idea")
	p.caughtUp()
	p.must(p.git.Reconcile(t.Context()))
	want := []string{"1 main Sell things", "2 idea Sell most", "3 main Sell more"}
	if got := p.versions("shop"); strings.Join(got, ";") != strings.Join(want, ";") {
		t.Errorf("the versions are %q", got)
	}
	p.caughtUp()
	p.must(p.git.Reconcile(t.Context()))
	if got := p.versions("shop"); len(got) != 3 {
		t.Errorf("reconciling twice makes %q", got)
	}
}

func TestReconcile_PutsTheRepositoryOfARemovedServiceAside(t *testing.T) {
	p := open(t)
	c := p.newClone("shop")
	c.commit("Sell things", shop)
	c.git("push", c.remote, "main")
	if _, err := p.engine.Do(t.Context(), "test", line.RemoveService{Service: "shop"}); err != nil {
		t.Fatal(err)
	}
	p.caughtUp()
	p.must(p.git.Reconcile(t.Context()))
	if isRepository(p.git.dir("shop")) {
		t.Error("the repository of a removed service is still served")
	}
	c.commit("Start again", shop)
	if out := c.git("push", c.remote, "main"); !strings.Contains(out, "shop 2: commit stage started") {
		t.Errorf("a removed service cannot be pushed again:\n%s", out)
	}
}

func TestPush_AfterRemovalWithoutARestartBeginsAnew(t *testing.T) {
	p := open(t)
	c := p.newClone("shop")
	c.commit("Sell things", shop)
	c.git("push", c.remote, "main")
	if _, err := p.engine.Do(t.Context(), "test", line.RemoveService{Service: "shop"}); err != nil {
		t.Fatal(err)
	}
	c.commit("Start again", shop)
	c.git("push", c.remote, "main")
	if !isRepository(p.git.dir("shop")) {
		t.Error("the new repository is not in its place")
	}
}

func TestClose_EndsWhatRuns(t *testing.T) {
	p := open(t)
	began := make(chan struct{})
	body, feeding := io.Pipe()
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.remote("shop", "secret")+"/git-receive-pack", body)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Content-Type", "application/x-git-receive-pack-request")
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		close(began)
	}()
	if _, err := feeding.Write([]byte("00")); err != nil { // returns once the request is under way
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- p.git.Close() }()
	select {
	case err := <-closed:
		p.must(err)
	case <-time.After(time.Minute):
		t.Fatal("a push that does not end keeps the plant from stopping")
	}
	feeding.Close()
	<-began
}
