package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
)

func TestLine_StopsSaysWhyAndRunsAgainByItself(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop()
	shop.shipFirst()
	shop.commit("Break it", files{"files/broken": "yes\n"})
	bad := shop.push()
	p.andon("wait", "shop", "--for", "stopped", "--timeout", "60s").wants(t, done, "waiting for the line to stop")
	p.andon("wait", shop.at(bad), "--for", "live:production", "--timeout", "60s").wants(t, failed, "waiting for what cannot be")
	p.idle(30 * time.Second)
	p.answers("shop.localhost", "hello 1\n")
	p.answers("shop.test.localhost", "hello 1\n")
	if v := p.version("shop", bad); v.Maturity != api.Rejected || v.Outcome != api.Failed {
		t.Errorf("version %d is %s, %s", bad, v.Maturity, v.Outcome)
	}
	cord := p.openCord()
	if cord.Fix == nil || cord.Fix.Broken != bad || cord.Fix.Stage != "acceptance" || cord.Scope.Service != "shop" {
		t.Errorf("the cord is %+v", cord)
	}
	p.andon("why", "shop").wants(t, done, "andon why").says(t, "stopped", cord.ID, "shop 2", "smoke", "andon cord release "+cord.ID)
	p.andon("status").wants(t, done, "andon status").says(t, cord.ID)
	if line := p.status().Line; line != api.Stopped {
		t.Errorf("the line is %s", line)
	}

	// A newer version that fails too changes nothing; one that passes lets the line run again.
	shop.commit("Break it differently", files{"files/broken": "", "files/crash": "yes\n"})
	p.andon("wait", shop.at(shop.push()), "--for", "ended", "--timeout", "60s").wants(t, done, "waiting for the second bad one")
	p.answers("shop.localhost", "hello 1\n")
	good := shop.ship("Repair it", files{"files/crash": "", "files/answer.txt": "hello 4\n"})
	p.answers("shop.localhost", "hello 4\n")
	cords, err := p.client.Cords(t.Context(), false, api.Page{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cords {
		if c.Released == nil || c.FixedBy != good {
			t.Errorf("%s is not released by version %d: %+v", c.ID, good, c)
		}
	}
	if line := p.status().Line; line != api.Running {
		t.Errorf("the line is %s", line)
	}
}

func TestCord_StopsPromotionAndNothingElse(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop()
	shop.shipFirst()
	p.andon("cord", "pull", "--service", "shop", "--reason", "the shelves are empty").wants(t, done, "andon cord pull")
	cord := p.openCord()
	shop.commit("Change", files{"files/answer.txt": "hello 2\n"})
	v := shop.push()
	p.wait(shop.at(v), "built")
	p.andon("wait", shop.at(v), "--for", "live:production", "--timeout", "1s").wants(t, timedOut, "waiting behind a cord").says(t, "the shelves are empty")
	p.andon("why", shop.at(v)).wants(t, done, "andon why").says(t, "the shelves are empty", "andon cord release "+cord.ID)
	p.answers("shop.localhost", "hello 1\n")
	p.andon("cord", "release", "--reason", "they are full").wants(t, done, "andon cord release")
	p.wait(shop.at(v), "live:production")
	p.answers("shop.localhost", "hello 2\n")
	p.andon("cord", "release", cord.ID, "--reason", "again").wants(t, failed, "releasing a cord that is not pulled")
	if a := p.andon("audit", "shop", "-n", "500"); !strings.Contains(a.out, "the shelves are empty") {
		t.Errorf("the audit does not say who stopped the line and why: %s", a)
	}
}

func TestApproval_LetsAVersionInWhenAPersonPromotesIt(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop("{name: certify, grants: certified}", "{name: certify, approval: {}, grants: certified}")
	first := shop.push()
	p.wait(shop.at(first), "release-candidate")
	p.andon("wait", shop.at(first), "--for", "certified", "--timeout", "1s").wants(t, timedOut, "waiting at a gate")
	p.andon("why", shop.at(first)).wants(t, done, "andon why").says(t, "andon promote shop 1 certify")
	p.andon("deploy", "shop", "1", "production").wants(t, refused, "deploying past a gate")
	p.andon("promote", "shop", "1", "certify", "-m", "looks good").wants(t, done, "andon promote")
	p.wait(shop.at(first), "live:production")
	if v := p.version("shop", first); len(v.Admissions) != 1 || v.Admissions[0].Reason != "looks good" {
		t.Errorf("the admission is not kept: %+v", v.Admissions)
	}
	p.andon("promote", "shop", "99", "certify").wants(t, failed, "promoting what is not there")
	p.andon("promote", "shop", "1", "nowhere").wants(t, failed, "promoting to a stage that is not there")
}

func TestRollback_BringsBackTheSameArtifactAndConfigurationAndQuarantines(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	greeting := func(text string) []string {
		return []string{"drain: 2s\n", "drain: 2s\n  env: {GREETING: " + text + "}\n"}
	}
	shop := p.newShop(greeting("good-day")...)
	good := shop.shipFirst()
	live := func() (artifact, config string) {
		all, err := p.client.Deployments(t.Context(), api.DeploymentFilter{Service: "shop", Environment: "production", Outcome: api.Succeeded})
		if err != nil || len(all) == 0 {
			t.Fatalf("deployments: %v, %v", all, err)
		}
		d, err := p.client.Deployment(t.Context(), all[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		return d.Artifact, d.Plan.Changes.Configuration.To
	}
	artifact, config := live()
	bad := shop.ship("Worsen it", files{"andon.yaml": p.pipeline(greeting("get-lost")...), "files/answer.txt": "hello 2\n"})
	l := p.newLoad("shop.localhost", shopping)
	if text, err := get(t, p.proxy, "shop.localhost", "/env?name=GREETING"); err != nil || text != "get-lost" {
		t.Fatalf("the configuration of version 2: %q, %v", text, err)
	}
	p.andon("rollback", "shop", "production", "--reason", "it is rude").wants(t, done, "andon rollback")
	p.idle(30 * time.Second)
	p.answers("shop.localhost", "hello 1\n")
	if text, err := get(t, p.proxy, "shop.localhost", "/env?name=GREETING"); err != nil || text != "good-day" {
		t.Fatalf("the configuration after the rollback: %q, %v", text, err)
	}
	if a, c := live(); a != artifact || c != config || p.live("shop", "production") != good {
		t.Errorf("artifact %s, configuration %s is live; it was %s, %s", a, c, artifact, config)
	}
	if v := p.version("shop", bad); v.Maturity != api.Quarantined {
		t.Errorf("version %d is %s", bad, v.Maturity)
	}
	p.andon("deploy", "shop", fmt.Sprint(bad), "production").wants(t, refused, "deploying a quarantined version")
	next := shop.ship("Improve it", files{"andon.yaml": p.pipeline(greeting("welcome")...), "files/answer.txt": "hello 3\n"})
	if p.status().Line != api.Running || p.live("shop", "production") != next {
		t.Errorf("the line does not run again: %+v", p.status().Cords)
	}
	l.stop()
	l.intact()
	p.andon("rollback", "shop", "production", "99").wants(t, failed, "rolling back to what is not there")
}

// gate holds steps that run `sh gate.sh NAME` until it is opened.
const gate = `while [ ! -e "$ANDON_CACHE/$1" ]; do sleep 0.05; done` + "\n"

// open opens the gate of that name.
func (r *repository) open(name string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.plant.data, "agent", "cache", r.service, name), nil, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// reaches waits until the step of a version runs that waits at a gate.
func (r *repository) reaches(version int64, stage string) {
	r.t.Helper()
	until(r.t, 30*time.Second, "the job of "+stage+" runs", func() error {
		for _, step := range with(processesOf(r.plant.data), "ANDON_VERSION") {
			if step.environ["ANDON_VERSION"] == fmt.Sprint(version) && step.environ["ANDON_STAGE"] == stage && strings.Contains(step.command, "gate.sh") {
				return nil
			}
		}
		return fmt.Errorf("version %d is not there", version)
	})
}

func TestCancel_KillsWhatRunsAndRerunBringsItToProduction(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop("sh ./test.sh", "sh ./gate.sh commit")
	shop.commit("Add a gate", files{"gate.sh": gate})
	v := shop.push()
	shop.reaches(v, "commit")
	p.andon("cancel", "shop", fmt.Sprint(v), "-m", "not today").wants(t, done, "andon cancel")
	p.andon("wait", shop.at(v), "--for", "ended", "--timeout", "30s").wants(t, done, "waiting for the end")
	until(t, 10*time.Second, "the step is killed", func() error {
		if left := with(processesOf(p.data), "ANDON_TASK"); len(left) > 0 {
			return fmt.Errorf("process %d runs: %s", left[0].pid, left[0].command)
		}
		return nil
	})
	if got := p.version("shop", v); got.Outcome != api.Cancelled {
		t.Errorf("the version is %s: %s", got.Outcome, got.Reason)
	}
	if line := p.status().Line; line != api.Running {
		t.Errorf("a person's cancel stops the line: it is %s", line)
	}
	shop.open("commit")
	p.andon("rerun", "shop", fmt.Sprint(v)).wants(t, done, "andon rerun")
	p.wait(shop.at(v), "live:production")
	if runs := p.version("shop", v).Stages; len(runs) < 2 || runs[1].Run != 2 {
		t.Errorf("the second run is not shown: %+v", runs)
	}
}

func TestPlants_OfOneMachineLeaveEachOtherAlone(t *testing.T) {
	t.Parallel()
	var plants [2]*plant
	var shops [2]*repository
	for i := range plants {
		plants[i] = startPlant(t)
		shops[i] = plants[i].newShop("sh ./test.sh", "sh ./gate.sh commit")
		shops[i].commit("Add a gate", files{"gate.sh": gate})
		shops[i].push()
		shops[i].reaches(1, "commit")
	}
	// Both run a step of the same name, of the same version of a service of the same name.
	plants[0].andon("cancel", "shop", "1").wants(t, done, "andon cancel")
	plants[0].andon("wait", "shop@1", "--for", "ended", "--timeout", "30s").wants(t, done, "waiting for the end")
	plants[0].andon("down").wants(t, done, "andon down")
	plants[0].down = true
	shops[1].open("commit")
	plants[1].wait("shop@1", "live:production")
	plants[1].answers("shop.localhost", "hello 1\n")
}

func TestSupersede_OnlyTheNewestOfThoseThatWaitGoesOn(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop("deploy: test,", "deploy: test, jobs: {accept: {steps: [sh ./gate.sh accept]}},")
	shop.commit("Add a gate", files{"gate.sh": gate})
	first := shop.push()
	shop.reaches(first, "acceptance")
	shop.commit("Second", files{"files/answer.txt": "hello 2\n"})
	second := shop.push()
	p.wait(shop.at(second), "built")
	p.andon("why", shop.at(second)).wants(t, done, "andon why").says(t, "shop 1")
	shop.commit("Third", files{"files/answer.txt": "hello 3\n"})
	third := shop.push()
	p.andon("wait", shop.at(second), "--for", "ended", "--timeout", "30s").wants(t, done, "waiting for the second")
	if v := p.version("shop", second); v.Outcome != api.Superseded || v.SupersededBy != third {
		t.Errorf("the second is %s by %d", v.Outcome, v.SupersededBy)
	}
	p.andon("wait", shop.at(second), "--for", "live:production", "--timeout", "10s").wants(t, failed, "waiting for a version that was superseded")
	shop.open("accept")
	p.wait(shop.at(first), "live:production")
	p.wait(shop.at(third), "live:production")
	p.answers("shop.localhost", "hello 3\n")
}

func TestBranch_IsBuiltNotPromotedAndNotBuiltAgainOnTheTrunk(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop()
	shop.shipFirst()
	shop.git("checkout", "-q", "-b", "feature")
	shop.commit("Try something", files{"files/answer.txt": "hello branch\n"})
	answer, v := shop.tryPush("feature")
	answer.wants(t, done, "pushing a branch").says(t, "not promoted")
	p.wait(shop.at(v), "built")
	p.andon("wait", shop.at(v), "--for", "live:production", "--timeout", "10s").wants(t, failed, "waiting for a branch to be live")
	p.answers("shop.localhost", "hello 1\n")
	shop.git("checkout", "-q", "main")
	shop.git("merge", "-q", "--ff-only", "feature")
	if again := shop.push(); again != v {
		t.Errorf("the commit of version %d is version %d on the trunk", v, again)
	}
	p.wait(shop.at(v), "live:production")
	p.answers("shop.localhost", "hello branch\n")
	builds := 0
	for _, run := range p.version("shop", v).Stages {
		if run.Stage == "commit" {
			builds++
		}
	}
	if builds != 1 {
		t.Errorf("it was built %d times", builds)
	}
}

func TestWorker_RunsWithoutAPort(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop("  port: 8080\n  health: {path: /healthz, interval: 200ms}\n", "", "smoke:\n  - http: {path: /, status: 200}\n", "")
	v := shop.shipFirst()
	place := p.service("shop").Places
	for _, at := range place {
		if at.Copies.Healthy != 2 {
			t.Errorf("%s: %+v", at.Environment, at.Copies)
		}
	}
	until(t, 10*time.Second, "the log of the copies is there", func() error {
		if r := p.andon("log", "shop", "--env", "production"); r.code != done || !strings.Contains(r.out, fmt.Sprintf("shopd %d of production starts", v)) {
			return fmt.Errorf("%s", r)
		}
		return nil
	})
	shop.ship("Another", files{"files/answer.txt": "hello 2\n"})
	p.andon("service", "remove", "shop").wants(t, done, "andon service remove")
	until(t, 30*time.Second, "the copies of a removed service end", func() error {
		if left := with(processesOf(p.data), "ANDON_INSTANCE"); len(left) > 0 {
			return fmt.Errorf("%d copies run", len(left))
		}
		return nil
	})
}

func TestCopies_AreRestartedWhenTheyDie(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	p.newShop().shipFirst()
	for _, c := range with(processesOf(p.data), "ANDON_INSTANCE") {
		if c.environ["ANDON_ENVIRONMENT"] == "production" {
			kill(t, c)
			break
		}
	}
	until(t, 30*time.Second, "the copy is back", func() error {
		for _, place := range p.service("shop").Places {
			restarts := 0
			for _, c := range place.CopyList {
				restarts += c.Restarts
			}
			if place.Environment == "production" && restarts == 1 && place.Copies.InTraffic == 2 {
				return nil
			}
		}
		return fmt.Errorf("%+v", p.service("shop").Places)
	})
	p.answers("shop.localhost", "hello 1\n")
}
