package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andon-cd/andon/api"
)

func TestLine_StopsSaysWhyAndRunsAgainByItself(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop()
	shop.ShipFirst()
	shop.Commit("Break it", files{"files/broken": "yes\n"})
	bad := shop.Push()
	p.Andon("wait", "shop", "--for", "stopped", "--timeout", "4m").Wants(t, done, "waiting for the line to stop")
	p.Andon("wait", shop.Ref(bad), "--for", "live:production", "--timeout", "4m").Wants(t, failed, "waiting for what cannot be")
	p.idle()
	p.answers("shop.localhost", "hello 1\n")
	p.answers("shop.test.localhost", "hello 1\n")
	if v := p.version("shop", bad); v.Maturity != api.Rejected || v.Outcome != api.Failed {
		t.Errorf("version %d is %s, %s", bad, v.Maturity, v.Outcome)
	}
	cord := p.openCord()
	if cord.Fix == nil || cord.Fix.Broken != bad || cord.Fix.Stage != "acceptance" || cord.Scope.Service != "shop" {
		t.Errorf("the cord is %+v", cord)
	}
	p.Andon("why", "shop").Wants(t, done, "andon why").Says(t, "stopped", cord.ID, "shop 2", "smoke", "andon cord release "+cord.ID)
	p.Andon("status").Wants(t, done, "andon status").Says(t, cord.ID)
	if line := p.status().Line; line != api.Stopped {
		t.Errorf("the line is %s", line)
	}

	// A newer version that fails too changes nothing; one that passes lets the line run again.
	shop.Commit("Break it differently", files{"files/broken": "", "files/crash": "yes\n"})
	p.Andon("wait", shop.Ref(shop.Push()), "--for", "ended", "--timeout", "4m").Wants(t, done, "waiting for the second bad one")
	p.answers("shop.localhost", "hello 1\n")
	good := shop.Ship("Repair it", files{"files/crash": "", "files/answer.txt": "hello 4\n"})
	p.answers("shop.localhost", "hello 4\n")
	cords, err := p.Client.Cords(t.Context(), false, api.Page{})
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
	shop.ShipFirst()
	p.Andon("cord", "pull", "--service", "shop", "--reason", "the shelves are empty").Wants(t, done, "andon cord pull")
	cord := p.openCord()
	shop.Commit("Change", files{"files/answer.txt": "hello 2\n"})
	v := shop.Push()
	p.Wait(shop.Ref(v), "built")
	p.Andon("wait", shop.Ref(v), "--for", "live:production", "--timeout", "1s").Wants(t, timedOut, "waiting behind a cord").Says(t, "the shelves are empty")
	p.Andon("why", shop.Ref(v)).Wants(t, done, "andon why").Says(t, "the shelves are empty", "andon cord release "+cord.ID)
	p.answers("shop.localhost", "hello 1\n")
	p.Andon("cord", "release", "--reason", "they are full").Wants(t, done, "andon cord release")
	p.Wait(shop.Ref(v), "live:production")
	p.answers("shop.localhost", "hello 2\n")
	p.Andon("cord", "release", cord.ID, "--reason", "again").Wants(t, failed, "releasing a cord that is not pulled")
	if a := p.Andon("audit", "shop", "-n", "500"); !strings.Contains(a.Out, "the shelves are empty") {
		t.Errorf("the audit does not say who stopped the line and why: %s", a)
	}
}

func TestApproval_LetsAVersionInWhenAPersonPromotesIt(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop("{name: certify, grants: certified}", "{name: certify, approval: {}, grants: certified}")
	first := shop.Push()
	p.Wait(shop.Ref(first), "release-candidate")
	p.Andon("wait", shop.Ref(first), "--for", "certified", "--timeout", "1s").Wants(t, timedOut, "waiting at a gate")
	p.Andon("why", shop.Ref(first)).Wants(t, done, "andon why").Says(t, "andon promote shop 1 certify")
	p.Andon("deploy", "shop", "1", "production").Wants(t, refused, "deploying past a gate")
	p.Andon("promote", "shop", "1", "certify", "-m", "looks good").Wants(t, done, "andon promote")
	p.Wait(shop.Ref(first), "live:production")
	if v := p.version("shop", first); len(v.Admissions) != 1 || v.Admissions[0].Reason != "looks good" {
		t.Errorf("the admission is not kept: %+v", v.Admissions)
	}
	p.Andon("promote", "shop", "99", "certify").Wants(t, failed, "promoting what is not there")
	p.Andon("promote", "shop", "1", "nowhere").Wants(t, failed, "promoting to a stage that is not there")
}

func TestRollback_BringsBackTheSameArtifactAndConfigurationAndQuarantines(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	greeting := func(text string) []string {
		return []string{"drain: 2s\n", "drain: 2s\n  env: {GREETING: " + text + "}\n"}
	}
	shop := p.newShop(greeting("good-day")...)
	good := shop.ShipFirst()
	live := func() (artifact, config string) {
		all, err := p.Client.Deployments(t.Context(), api.DeploymentFilter{Service: "shop", Environment: "production", Outcome: api.Succeeded})
		if err != nil || len(all) == 0 {
			t.Fatalf("deployments: %v, %v", all, err)
		}
		d, err := p.Client.Deployment(t.Context(), all[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		return d.Artifact, d.Plan.Changes.Configuration.To
	}
	artifact, config := live()
	bad := shop.Ship("Worsen it", files{"andon.yaml": p.Pipeline(greeting("get-lost")...), "files/answer.txt": "hello 2\n"})
	l := p.newLoad("shop.localhost", shopping)
	if text, err := get(t, p.Proxy, "shop.localhost", "/env?name=GREETING"); err != nil || text != "get-lost" {
		t.Fatalf("the configuration of version 2: %q, %v", text, err)
	}
	p.Andon("rollback", "shop", "production", "--reason", "it is rude").Wants(t, done, "andon rollback")
	p.idle()
	p.answers("shop.localhost", "hello 1\n")
	if text, err := get(t, p.Proxy, "shop.localhost", "/env?name=GREETING"); err != nil || text != "good-day" {
		t.Fatalf("the configuration after the rollback: %q, %v", text, err)
	}
	if a, c := live(); a != artifact || c != config || p.live("shop", "production") != good {
		t.Errorf("artifact %s, configuration %s is live; it was %s, %s", a, c, artifact, config)
	}
	if v := p.version("shop", bad); v.Maturity != api.Quarantined {
		t.Errorf("version %d is %s", bad, v.Maturity)
	}
	p.Andon("deploy", "shop", fmt.Sprint(bad), "production").Wants(t, refused, "deploying a quarantined version")
	next := shop.Ship("Improve it", files{"andon.yaml": p.Pipeline(greeting("welcome")...), "files/answer.txt": "hello 3\n"})
	if p.status().Line != api.Running || p.live("shop", "production") != next {
		t.Errorf("the line does not run again: %+v", p.status().Cords)
	}
	l.stop()
	l.intact()
	p.Andon("rollback", "shop", "production", "99").Wants(t, failed, "rolling back to what is not there")
}

// gate holds steps that run `sh gate.sh NAME` until it is opened.
const gate = `while [ ! -e "$ANDON_CACHE/$1" ]; do sleep 0.05; done` + "\n"

// open opens the gate of that name.
func (r *repository) open(name string) {
	r.T.Helper()
	if err := os.WriteFile(filepath.Join(r.plant.Data, "agent", "cache", r.Service, name), nil, 0o600); err != nil {
		r.T.Fatal(err)
	}
}

// reaches waits until the step of a version runs that waits at a gate.
func (r *repository) reaches(version int64, stage string) {
	r.T.Helper()
	until(r.T, "the job of "+stage+" runs", func() error {
		for _, step := range with(processesOf(r.plant.Data), "ANDON_VERSION") {
			if step.Environ["ANDON_VERSION"] == fmt.Sprint(version) && step.Environ["ANDON_STAGE"] == stage && strings.Contains(step.Command, "gate.sh") {
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
	shop.Commit("Add a gate", files{"gate.sh": gate})
	v := shop.Push()
	shop.reaches(v, "commit")
	p.Andon("cancel", "shop", fmt.Sprint(v), "-m", "not today").Wants(t, done, "andon cancel")
	p.Andon("wait", shop.Ref(v), "--for", "ended", "--timeout", "4m").Wants(t, done, "waiting for the end")
	until(t, "the step is killed", func() error {
		if left := with(processesOf(p.Data), "ANDON_TASK"); len(left) > 0 {
			return fmt.Errorf("process %d runs: %s", left[0].PID, left[0].Command)
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
	p.Andon("rerun", "shop", fmt.Sprint(v)).Wants(t, done, "andon rerun")
	p.Wait(shop.Ref(v), "live:production")
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
		shops[i].Commit("Add a gate", files{"gate.sh": gate})
		shops[i].Push()
		shops[i].reaches(1, "commit")
	}
	// Both run a step of the same name, of the same version of a service of the same name.
	plants[0].Andon("cancel", "shop", "1").Wants(t, done, "andon cancel")
	plants[0].Andon("wait", "shop@1", "--for", "ended", "--timeout", "4m").Wants(t, done, "waiting for the end")
	plants[0].Andon("down").Wants(t, done, "andon down")
	plants[0].Abandon()
	shops[1].open("commit")
	plants[1].Wait("shop@1", "live:production")
	plants[1].answers("shop.localhost", "hello 1\n")
}

func TestSupersede_OnlyTheNewestOfThoseThatWaitGoesOn(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop("deploy: test,", "deploy: test, jobs: {accept: {steps: [sh ./gate.sh accept]}},")
	shop.Commit("Add a gate", files{"gate.sh": gate})
	first := shop.Push()
	shop.reaches(first, "acceptance")
	shop.Commit("Second", files{"files/answer.txt": "hello 2\n"})
	second := shop.Push()
	p.Wait(shop.Ref(second), "built")
	p.Andon("why", shop.Ref(second)).Wants(t, done, "andon why").Says(t, "shop 1")
	shop.Commit("Third", files{"files/answer.txt": "hello 3\n"})
	third := shop.Push()
	p.Andon("wait", shop.Ref(second), "--for", "ended", "--timeout", "4m").Wants(t, done, "waiting for the second")
	if v := p.version("shop", second); v.Outcome != api.Superseded || v.SupersededBy != third {
		t.Errorf("the second is %s by %d", v.Outcome, v.SupersededBy)
	}
	p.Andon("wait", shop.Ref(second), "--for", "live:production", "--timeout", "4m").Wants(t, failed, "waiting for a version that was superseded")
	shop.open("accept")
	p.Wait(shop.Ref(first), "live:production")
	p.Wait(shop.Ref(third), "live:production")
	p.answers("shop.localhost", "hello 3\n")
}

func TestBranch_IsBuiltNotPromotedAndNotBuiltAgainOnTheTrunk(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	shop := p.newShop()
	shop.ShipFirst()
	shop.Git("checkout", "-q", "-b", "feature")
	shop.Commit("Try something", files{"files/answer.txt": "hello branch\n"})
	answer, v := shop.TryPush("feature")
	answer.Wants(t, done, "pushing a branch").Says(t, "not promoted")
	p.Wait(shop.Ref(v), "built")
	p.Andon("wait", shop.Ref(v), "--for", "live:production", "--timeout", "4m").Wants(t, failed, "waiting for a branch to be live")
	p.answers("shop.localhost", "hello 1\n")
	shop.Git("checkout", "-q", "main")
	shop.Git("merge", "-q", "--ff-only", "feature")
	if again := shop.Push(); again != v {
		t.Errorf("the commit of version %d is version %d on the trunk", v, again)
	}
	p.Wait(shop.Ref(v), "live:production")
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
	shop := p.newShop("  port: 8080\n  health: {path: /healthz, interval: 200ms, timeout: 5s, start: 3m}\n", "", "smoke:\n  - http: {path: /, status: 200}\n", "")
	v := shop.ShipFirst()
	place := p.service("shop").Places
	for _, at := range place {
		if at.Copies.Healthy != 2 {
			t.Errorf("%s: %+v", at.Environment, at.Copies)
		}
	}
	until(t, "the log of the copies is there", func() error {
		if r := p.Andon("log", "shop", "--env", "production"); r.Code != done || !strings.Contains(r.Out, fmt.Sprintf("shopd %d of production starts", v)) {
			return fmt.Errorf("%s", r)
		}
		return nil
	})
	shop.Ship("Another", files{"files/answer.txt": "hello 2\n"})
	p.Andon("service", "remove", "shop").Wants(t, done, "andon service remove")
	until(t, "the copies of a removed service end", func() error {
		if left := with(processesOf(p.Data), "ANDON_INSTANCE"); len(left) > 0 {
			return fmt.Errorf("%d copies run", len(left))
		}
		return nil
	})
}

func TestCopies_AreRestartedWhenTheyDie(t *testing.T) {
	t.Parallel()
	p := startPlant(t)
	p.newShop().ShipFirst()
	for _, c := range with(processesOf(p.Data), "ANDON_INSTANCE") {
		if c.Environ["ANDON_ENVIRONMENT"] == "production" {
			kill(t, c)
			break
		}
	}
	until(t, "the copy is back", func() error {
		for _, place := range p.service("shop").Places {
			restarts := 0
			for _, c := range place.CopyList {
				restarts += c.Restarts
			}
			if place.Environment == "production" && restarts > 0 && place.Copies.InTraffic == 2 {
				return nil
			}
		}
		return fmt.Errorf("%+v", p.service("shop").Places)
	})
	p.answers("shop.localhost", "hello 1\n")
}
