package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/e2e/planttest"
)

func TestContract_ExitCodesAndErrors(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop()
	v := shop.ShipFirst()
	elsewhere := environmentIn(newHome(t))
	for _, c := range []struct {
		name string
		code int
		args []string
	}{
		{"done", done, []string{"status"}},
		{"reached", done, []string{"wait", "shop", "--for", "live:production", "--timeout", "4m"}},
		{"reached by its commit", done, []string{"wait", "shop@" + shop.Git("rev-parse", "HEAD"), "--for", "certified", "--timeout", "4m"}},
		{"not found", failed, []string{"why", "nobody"}},
		{"no such version", failed, []string{"wait", "shop@99", "--for", "built", "--timeout", "1s"}},
		{"no such environment", failed, []string{"deploy", "shop", "1", "moon"}},
		{"cannot be reached", failed, []string{"wait", shop.Ref(v), "--for", "stopped", "--timeout", "1s"}},
		{"no such goal", misused, []string{"wait", "shop", "--for", "coffee"}},
		{"no such command", misused, []string{"brew"}},
		{"no such flag", misused, []string{"status", "--coffee"}},
		{"nothing to do", misused, []string{"rollback"}},
		{"signed in as nobody", refused, []string{"--server", p.URL, "--token", "wrong", "status"}},
		{"nobody there", unreachable, []string{"--server", "http://127.0.0.1:1", "--token", "x", "status"}},
		{"too early", timedOut, []string{"wait", "slow", "--for", "built", "--timeout", "300ms"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.code == timedOut {
				slow := p.newRepository("slow")
				slow.Commit("Begin", files{"andon.yaml": "service: slow\ncommit: {jobs: {wait: {steps: [sleep 600]}}}\n"})
				slow.Push()
				defer p.Andon("cancel", "slow", "1")
			}
			r := p.Andon(c.args...).Wants(t, c.code, strings.Join(c.args, " "))
			if c.code == done {
				return
			}
			if r.Out != "" || !strings.HasPrefix(r.Err, "andon: ") {
				t.Errorf("an error is one sentence on stderr; got %s", r)
			}
			inJSON := execute(t, p.Home, environmentIn(p.Home), p.Program, append([]string{"--json"}, c.args...)...).Wants(t, c.code, "the same with --json")
			inJSON.Failure(t)
		})
	}
	execute(t, p.Home, elsewhere, p.Program, "status").Wants(t, unreachable, "a user who knows no plant")
	execute(t, p.Home, append(elsewhere, "ANDON_SERVER="+p.URL, "ANDON_TOKEN="+p.Token), p.Program, "status").Wants(t, done, "the plant of the environment")
	execute(t, p.Home, append(elsewhere, "ANDON_DATA="+p.Data), p.Program, "status").Wants(t, done, "the plant of a directory")
	execute(t, p.Home, elsewhere, p.Program, "status", "--data", p.Data).Wants(t, done, "the plant of --data")
}

func TestContract_ReadsAreOneJSONObject(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	p.newShop().ShipFirst()
	until(t, "the logs of the copies are there", func() error {
		if r := p.Andon("log", "shop", "--env", "production"); r.Code != done {
			return fmt.Errorf("%s", r)
		}
		return nil
	})
	for _, args := range [][]string{
		{"status"}, {"status", "shop"}, {"why"}, {"why", "shop"}, {"service", "list"}, {"audit"}, {"version"}, {"log", "shop"},
		{"log", "shop", "--env", "production"}, {"wait", "shop", "--for", "ended"}, {"deploy", "shop", "1", "production", "--plan"}, {"doctor"},
	} {
		r := p.Andon(append([]string{"--json"}, args...)...).Wants(t, done, strings.Join(args, " "))
		var object map[string]any
		if err := json.Unmarshal([]byte(r.Out), &object); err != nil {
			t.Errorf("andon --json %s is not one object: %v: %s", strings.Join(args, " "), err, r.Out)
		}
	}
}

func TestContract_SigningIn(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	status := func(path string, sign func(*http.Request)) int {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, p.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		sign(req)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	nobody := func(*http.Request) {}
	for _, path := range []string{"/api/v1/status", "/v2/", "/git/shop.git/info/refs?service=git-receive-pack", "/agent/v1/hello"} {
		if code := status(path, nobody); code != http.StatusUnauthorized {
			t.Errorf("%s answers nobody with %d", path, code)
		}
	}
	if code := status("/healthz", nobody); code != http.StatusOK {
		t.Errorf("/healthz answers %d", code)
	}
	for _, path := range []string{"/api/v1/status", "/v2/"} {
		if code := status(path, func(r *http.Request) { r.SetBasicAuth("anybody", p.Token) }); code != http.StatusOK {
			t.Errorf("%s answers Basic with %d", path, code)
		}
		if code := status(path, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+p.Token) }); code != http.StatusOK {
			t.Errorf("%s answers Bearer with %d", path, code)
		}
	}

	// git signs in by the helper, with the one line that a refused push prints.
	shop := p.newShop()
	environment := append(environmentIn(p.Home), "GIT_CONFIG_GLOBAL="+filepath.Join(p.Home, "gitconfig"))
	push := []string{"push", p.URL + "/git/shop.git", "main"}
	refusal := execute(t, shop.Dir, environment, "git", push...)
	if refusal.Code == done {
		t.Fatal("git pushes without signing in")
	}
	helper := "!" + p.Program + " git-credential"
	execute(t, shop.Dir, environment, "git", "config", "--global", "credential."+p.URL+".helper", helper).Wants(t, done, "git config")
	execute(t, shop.Dir, environment, "git", push...).Wants(t, done, "git push with the helper").Says(t, "andon: shop 1", "andon wait shop@1 --for live:production")
}

func TestPush_OfBadInputIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop()
	before := p.status().Position
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"an unknown key":     {strings.Replace(p.Pipeline(), "commit:", "comit:", 1), []string{"andon.yaml:2:1", "comit", "did you mean"}},
		"a wrong type":       {strings.Replace(p.Pipeline(), "instances: 2", "instances: many", 1), []string{"andon.yaml:11:14", "instances: many", "whole number"}},
		"a cycle":            {strings.Replace(p.Pipeline(), "    build:\n", "    build:\n      needs: build\n", 1), []string{"build"}},
		"a path that leaves": {strings.Replace(p.Pipeline(), "path: files", "path: ../files", 1), []string{"../files"}},
		"nothing":            {"", []string{"andon init"}},
	} {
		shop.Commit(name, files{"andon.yaml": c.text})
		answer, _ := shop.TryPush("main")
		if answer.Code == done {
			t.Errorf("a push with %s is taken", name)
		}
		for _, want := range c.want {
			if !strings.Contains(strings.ToLower(answer.Err), strings.ToLower(want)) {
				t.Errorf("the refusal of %s does not say %q: %s", name, want, answer.Err)
			}
		}
		shop.Git("reset", "-q", "--hard", "HEAD~1")
	}
	if s := p.status(); s.Totals.Services != 0 {
		t.Errorf("refused pushes left a service: %+v, position %d after %d", s.Services, s.Position, before)
	}
	// A link that leads out of the checkout is found when the artifact is packed.
	if err := os.Symlink("/etc", filepath.Join(shop.Dir, "files", "away")); err != nil {
		t.Fatal(err)
	}
	shop.Commit("Link away", nil)
	v := shop.Push()
	p.Andon("wait", shop.Ref(v), "--for", "ended", "--timeout", "4m").Wants(t, done, "waiting for the end")
	if got := p.version("shop", v); got.Artifact != nil || got.Outcome != api.Failed || !strings.Contains(got.Reason, "link away") {
		t.Errorf("an artifact with a link that leads out of the checkout: %s, %s", got.Outcome, got.Reason)
	}
}

func TestDemo_ShowsEverythingAndEndsWithZero(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	t.Parallel()
	home := newHome(t)
	dir := filepath.Join(home, "demo")
	environment := environmentIn(home)
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		environment = append(environment, name+"="+strings.TrimSpace(execute(t, home, os.Environ(), "go", "env", name).Out))
	}
	began := time.Now()
	planttest.ExecuteWithin(t, 2*planttest.CommandTimeout, home, environment, planttest.Program(t), "demo", "--once", "--dir", dir).Wants(t, done, "andon demo --once")
	t.Logf("the demo took %s", time.Since(began))
	if left := planttest.LeftOf(home); len(left) > 0 {
		t.Errorf("the demo leaves process %d: %s", left[0].PID, left[0].Command)
	}
}
