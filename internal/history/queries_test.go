package history_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
)

func numbers(vs []history.VersionSummary) (all []andon.VersionNumber) {
	for _, v := range vs {
		all = append(all, v.Number)
	}
	return all
}

func same[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestVersions_ArePagedAndFiltered(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	for n := 1; n <= 6; n++ {
		s.push(n, map[bool]string{true: "main", false: "topic"}[n%2 == 0], andon.Succeeded)
	}
	s.tell(andon.ActorLine, andon.MaturityChanged{Version: ref(4), From: andon.Development, To: andon.Certified, Reason: "qa"})
	h := told(t, &s)
	type nums = []andon.VersionNumber
	for _, c := range []struct {
		f    history.VersionFilter
		want nums
	}{
		{history.VersionFilter{}, nums{6, 5, 4, 3, 2, 1}},
		{history.VersionFilter{Limit: 2}, nums{6, 5}},
		{history.VersionFilter{Limit: 2, Before: 5}, nums{4, 3}},
		{history.VersionFilter{Branch: "topic"}, nums{5, 3, 1}},
		{history.VersionFilter{Maturity: andon.Certified}, nums{4}},
		{history.VersionFilter{Branch: "topic", Maturity: andon.Certified}, nil},
	} {
		c.f.Service = "shop"
		if got := numbers(must[[]history.VersionSummary](t)(h.Versions(t.Context(), c.f))); !same(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.f, got, c.want)
		}
	}
	svc := must[history.Service](t)(h.Service(t.Context(), "shop"))
	if svc.Newest != 6 || svc.Source.Trunk != "main" || svc.AddedBy != "admin" {
		t.Errorf("service: %+v", svc)
	}
	if _, err := h.Service(t.Context(), "nope"); andon.KindOf(err) != andon.KindNotFound {
		t.Errorf("a service that is not there: %v", err)
	}
	if e := must[[]history.Environment](t)(h.Environments(t.Context())); len(e) != 1 || e[0].Strategy != andon.BlueGreen {
		t.Errorf("environments: %+v", e)
	}
}

func TestNames_AreFoundOnceTheyWere(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	s.tell("admin", andon.EnvironmentDeclared{Environment: andon.DefaultEnvironments()[0]})
	s.tell("admin", andon.EnvironmentRemoved{Environment: "test"}, andon.ServiceRemoved{Service: "shop", Reason: "sold"})
	h := told(t, &s)
	if e := must[[]history.Environment](t)(h.Environments(t.Context())); len(e) != 1 || e[0].Name != "production" {
		t.Errorf("environments: %+v", e)
	}
	for _, f := range []history.AuditFilter{{Environment: "test"}, {Service: "shop"}, {Service: "shop", Environment: "test"}} {
		if entries := must[[]history.AuditEntry](t)(h.Audit(t.Context(), f)); len(entries) == 0 {
			t.Errorf("%+v: nothing", f)
		}
	}
	for _, c := range []struct {
		f    history.AuditFilter
		hint string
	}{
		{history.AuditFilter{Environment: "prodution"}, "did you mean production?"},
		{history.AuditFilter{Environment: "tset"}, "did you mean test?"},
		{history.AuditFilter{Environment: "moon"}, "`andon status` lists the environments"},
		{history.AuditFilter{Service: "shpo"}, "did you mean shop?"},
		{history.AuditFilter{Service: "shop", Environment: "tset"}, "did you mean test?"},
	} {
		_, err := h.Audit(t.Context(), c.f)
		if e, ok := errors.AsType[*andon.Error](err); !ok || e.Kind != andon.KindNotFound || e.Hint != c.hint {
			t.Errorf("%+v: %v", c.f, err)
		}
	}
	s.tell("admin", andon.EnvironmentDeclared{Environment: andon.DefaultEnvironments()[0]})
	if e := must[[]history.Environment](t)(told(t, &s).Environments(t.Context())); len(e) != 2 {
		t.Errorf("declared again: %+v", e)
	}
}

func TestFindVersion_ByTheBeginningOfItsCommit(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	s.push(1, "main", andon.Succeeded)
	s.push(2, "main", andon.Succeeded)
	twin := andon.VersionCreated{Version: ref(3), Commit: commit(2)[:6] + "f" + commit(2)[7:], Branch: "x"}
	s.tell("git", twin)
	h := told(t, &s)
	for _, c := range []struct {
		prefix string
		want   andon.VersionNumber
		kind   andon.Kind
	}{
		{string(commit(1)), 1, ""},
		{string(commit(1))[:7], 1, ""},
		{string(commit(2))[:8], 2, ""},
		{string(commit(2))[:6], 0, andon.KindInvalid},
		{"ffff", 0, andon.KindNotFound},
		{"123", 0, andon.KindInvalid},
		{"%%%%", 0, andon.KindInvalid},
	} {
		v, err := h.FindVersion(t.Context(), "shop", c.prefix)
		if v.Number != c.want || (c.kind != "" && andon.KindOf(err) != c.kind) || (c.kind == "" && err != nil) {
			t.Errorf("%s: version %d, %v; want %d %s", c.prefix, v.Number, err, c.want, c.kind)
		}
	}
}

func TestVersion_InFull(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	s.push(1, "main", andon.Failed)
	s.end(1, andon.Failed)
	// A person runs it again: the agent is lost in the middle, and the second attempt succeeds.
	task := andon.Task{ID: "shop.1.commit.test.2", Kind: andon.TaskJob, Version: ref(1), Stage: "commit", Job: "test"}
	s.tell("bob", andon.StageStarted{Version: ref(1), Stage: "commit", Run: 2}, andon.TaskQueued{Task: task})
	s.tell(andon.ActorLine,
		andon.TaskLeased{Task: task.ID, Agent: "local", Attempt: 1, Token: 8},
		andon.TaskEnded{Task: task.ID, Version: ref(1), Attempt: 1, Token: 8, Agent: "local", Again: true,
			Result: andon.TaskResult{Outcome: andon.Lost, Reason: "the agent went away"}},
		andon.TaskLeased{Task: task.ID, Agent: "other", Attempt: 2, Token: 9},
		andon.TaskEnded{Task: task.ID, Version: ref(1), Attempt: 2, Token: 9, Agent: "other", Result: andon.TaskResult{Outcome: andon.Succeeded}},
		andon.StageFinished{Version: ref(1), Stage: "commit", Run: 2, Outcome: andon.Succeeded, Took: time.Minute, Slow: true,
			Artifact: &andon.Artifact{Digest: digest(1), Size: 5}},
		andon.MaturityChanged{Version: ref(1), From: andon.Development, To: andon.ReleaseCandidate, Reason: "it passed"})
	s.tell("bob", andon.StageAdmitted{Version: ref(1), Stage: "production", Reason: "go"})
	id := s.deploy(1, 1, 0, andon.Succeeded)
	h := told(t, &s)

	v := must[history.Version](t)(h.Version(t.Context(), ref(1)))
	if v.Maturity != andon.ReleaseCandidate || v.Artifact == nil || v.Artifact.Digest != digest(1) || !v.Ended.IsZero() || v.Outcome != "" {
		t.Errorf("summary: %+v", v.VersionSummary)
	}
	if v.Pipeline == nil || v.Pipeline.Commit.Jobs[0].Name != "test" {
		t.Errorf("pipeline: %+v", v.Pipeline)
	}
	if len(v.Maturities) != 1 || v.Maturities[0].Reason != "it passed" {
		t.Errorf("maturities: %+v", v.Maturities)
	}
	if len(v.Admissions) != 1 || v.Admissions[0].By != "bob" {
		t.Errorf("admissions: %+v", v.Admissions)
	}
	if len(v.Stages) != 2 || v.Stages[0].Outcome != andon.Failed || !v.Stages[1].Slow || v.Stages[1].Took != time.Minute {
		t.Fatalf("stages: %+v", v.Stages)
	}
	first, second := v.Stages[0].Tasks, v.Stages[1].Tasks
	if len(first) != 1 || first[0].Outcome != andon.Failed || first[0].Attempts[0].Result.Tests.Passed != 7 {
		t.Errorf("first run: %+v", first)
	}
	if len(second) != 1 || second[0].Outcome != andon.Succeeded || len(second[0].Attempts) != 2 {
		t.Fatalf("second run: %+v", second)
	}
	if a := second[0].Attempts[0]; a.Agent != "local" || a.Result.Outcome != andon.Lost || a.Log != "task/shop.1.commit.test.2/1" || a.Leased.IsZero() {
		t.Errorf("first attempt: %+v", a)
	}
	if len(v.Deployments) != 1 || v.Deployments[0].ID != id {
		t.Errorf("deployments: %+v", v.Deployments)
	}
	if _, err := h.Version(t.Context(), ref(2)); andon.KindOf(err) != andon.KindNotFound {
		t.Errorf("a version that is not there: %v", err)
	}
	if got := must[history.Task](t)(h.Task(t.Context(), task.ID)); len(got.Attempts) != 2 || got.Run != 2 {
		t.Errorf("task: %+v", got)
	}
}

func TestVersion_WithAProblem(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	s.tell("git", andon.VersionCreated{Version: ref(1), Commit: commit(1), Branch: "main", Trunk: true,
		Problem: &andon.Error{Kind: andon.KindInvalid, Message: "unknown key", File: "andon.yaml", Line: 3}})
	s.tell("git", andon.VersionCreated{Version: ref(2), Commit: commit(2), Branch: "topic", Pipeline: pipeline},
		andon.VersionReachedTrunk{Version: ref(2)},
		andon.VersionEnded{Version: ref(2), Outcome: andon.Superseded, By: 3})
	h := told(t, &s)
	v := must[history.Version](t)(h.Version(t.Context(), ref(1)))
	if v.Maturity != andon.Rejected || v.Problem == nil || v.Problem.Line != 3 || v.Pipeline != nil {
		t.Errorf("%+v", v)
	}
	v = must[history.Version](t)(h.Version(t.Context(), ref(2)))
	if !v.Trunk || v.SupersededBy != 3 || v.Outcome != andon.Superseded || v.Ended.IsZero() {
		t.Errorf("%+v", v.VersionSummary)
	}
}

func TestTask_CancelledBeforeAnybodyTookIt(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	s.push(1, "main", andon.Succeeded)
	queued := andon.Task{ID: "shop.1.commit.lint.1", Version: ref(1), Stage: "commit", Job: "lint"}
	running := andon.Task{ID: "shop.1.commit.vet.1", Version: ref(1), Stage: "commit", Job: "vet"}
	s.tell("bob", andon.TaskQueued{Task: queued}, andon.TaskQueued{Task: running},
		andon.TaskLeased{Task: running.ID, Agent: "local", Attempt: 1},
		andon.TaskCancelled{Task: queued.ID, Reason: "no need"}, andon.TaskCancelled{Task: running.ID, Reason: "no need"})
	h := told(t, &s)
	got := must[history.Task](t)(h.Task(t.Context(), queued.ID))
	if got.Outcome != andon.Cancelled || got.Ended.IsZero() || got.Cancelled != "no need" {
		t.Errorf("queued: %+v", got)
	}
	got = must[history.Task](t)(h.Task(t.Context(), running.ID))
	if got.Outcome != "" || !got.Ended.IsZero() || got.Cancelled != "no need" {
		t.Errorf("running: %+v", got)
	}
}

func TestDeployments_AndWhatIsLive(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	for n := 1; n <= 3; n++ {
		s.push(n, "main", andon.Succeeded)
	}
	first := s.deploy(1, 1, 0, andon.Succeeded)
	since := s.events[len(s.events)-1].Time
	second := s.deploy(2, 2, 1, andon.Failed)
	smoke := andon.Task{ID: andon.TaskID(second) + ".smoke.1", Kind: andon.TaskSmoke, Version: ref(2), Deployment: second}
	s.tell(andon.ActorLine, andon.TaskQueued{Task: smoke})
	h := told(t, &s)

	live := must[[]history.Live](t)(h.LiveReleases(t.Context(), ""))
	if len(live) != 1 || live[0].Release.Version != 1 || live[0].Deployment != first || !live[0].Since.Equal(since) {
		t.Errorf("a deployment that failed changes what is live: %+v", live)
	}
	d := must[history.Deployment](t)(h.Deployment(t.Context(), second))
	if d.Outcome != andon.Failed || d.Reason != "a copy did not become healthy" || d.Previous != 1 || d.Ledger.Served != 100 || d.Why != "it is time" {
		t.Errorf("deployment: %+v", d.DeploymentSummary)
	}
	if len(d.Steps) != 2 || d.Steps[1].Step != andon.StepReverting || len(d.Tasks) != 1 {
		t.Errorf("steps: %+v, tasks: %+v", d.Steps, d.Tasks)
	}
	if len(d.Copies) != 1 || d.Copies[0].Log != "instance/shop.production.2.0" {
		t.Errorf("copies: %+v", d.Copies)
	}
	if _, err := h.Deployment(t.Context(), "shop.production.9"); andon.KindOf(err) != andon.KindNotFound {
		t.Errorf("a deployment that is not there: %v", err)
	}

	third := s.deploy(3, 3, 1, andon.Succeeded)
	fourth := s.deploy(4, 1, 3, andon.Succeeded)
	if err := h.CatchUp(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	ids := func(f history.DeploymentFilter) (all []andon.DeploymentID) {
		for _, d := range must[[]history.DeploymentSummary](t)(h.Deployments(t.Context(), f)) {
			all = append(all, d.ID)
		}
		return all
	}
	type list = []andon.DeploymentID
	page := must[[]history.DeploymentSummary](t)(h.Deployments(t.Context(), history.DeploymentFilter{Limit: 1}))
	for _, c := range []struct {
		f    history.DeploymentFilter
		want list
	}{
		{history.DeploymentFilter{}, list{fourth, third, second, first}},
		{history.DeploymentFilter{Service: "shop", Environment: "production", Limit: 2}, list{fourth, third}},
		{history.DeploymentFilter{Environment: "test"}, nil},
		{history.DeploymentFilter{Service: "shop", Version: 1}, list{fourth, first}},
		{history.DeploymentFilter{Outcome: andon.Failed}, list{second}},
		{history.DeploymentFilter{Outcome: andon.Succeeded, Before: page[0].Seq}, list{third, first}},
	} {
		if got := ids(c.f); !same(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.f, got, c.want)
		}
	}
	var good []andon.VersionNumber
	for _, r := range must[[]andon.Release](t)(h.GoodReleases(t.Context(), place, 5)) {
		good = append(good, r.Version)
	}
	if !same(good, []andon.VersionNumber{1, 3}) {
		t.Errorf("good releases: %v, want 1 and 3", good)
	}
	s.tell("bob", andon.ServiceRemoved{Service: "shop", Reason: "sold"}, andon.DesiredChanged{Desired: andon.Desired{Place: place}})
	if err := h.CatchUp(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	if live := must[[]history.Live](t)(h.LiveReleases(t.Context(), "shop")); live != nil {
		t.Errorf("live after the service was removed: %+v", live)
	}
	if there := must[[]history.Service](t)(h.Services(t.Context(), false)); there != nil {
		t.Errorf("services: %+v", there)
	}
	if all := must[[]history.Service](t)(h.Services(t.Context(), true)); len(all) != 1 || all[0].Reason != "sold" {
		t.Errorf("services with removed ones: %+v", all)
	}
}

func TestCords_KnowHowLongTheLineStopped(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	pull := func(id andon.CordID) {
		c := andon.Cord{ID: id, Scope: andon.Scope{Kind: andon.ScopeService, Service: "shop"}, Owner: "andon", Reason: "red", Pulled: epoch,
			Fix: &andon.Fix{Service: "shop", Broken: 1, After: 1, Stage: "commit"}}
		s.tell(andon.ActorLine, andon.CordPulled{Cord: c})
	}
	pull("cord-1")
	s.tell(andon.ActorLine, andon.CordReleased{Cord: "cord-1", Scope: andon.Scope{Kind: andon.ScopeService, Service: "shop"}, Reason: "fixed", Version: 2})
	pull("cord-2")
	h := told(t, &s)
	all := must[[]history.Cord](t)(h.Cords(t.Context(), history.CordFilter{}))
	if len(all) != 2 || all[0].ID != "cord-2" || all[1].FixedBy != 2 || all[1].ReleaseReason != "fixed" || all[1].Fix.Stage != "commit" {
		t.Fatalf("cords: %+v", all)
	}
	if got := all[1].Stopped(epoch.Add(time.Hour)); got != 6*time.Second {
		t.Errorf("stopped for %v, want 6 s", got)
	}
	if got := all[0].Stopped(epoch.Add(time.Hour)); got != time.Hour {
		t.Errorf("stopped for %v, want an hour", got)
	}
	older := must[[]history.Cord](t)(h.Cords(t.Context(), history.CordFilter{Before: all[0].Seq}))
	if len(older) != 1 || older[0].ID != "cord-1" {
		t.Errorf("older cords: %+v", older)
	}
	if open := must[[]history.Cord](t)(h.Cords(t.Context(), history.CordFilter{Open: true})); len(open) != 1 || open[0].ID != "cord-2" {
		t.Errorf("open cords: %+v", open)
	}
}

func TestAudit_SaysEveryEventInASentence(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	s.tell("admin", andon.EnvironmentDeclared{Environment: andon.DefaultEnvironments()[0]})
	s.push(1, "main", andon.Succeeded)
	s.deploy(1, 1, 0, andon.Succeeded)
	s.tell("agent:local", andon.Observed{Observation: andon.Observation{Agent: "local", Instances: []andon.InstanceState{{ID: "shop.production.1.0", Phase: andon.PhaseHealthy}}}})
	h := told(t, &s)
	all := must[[]history.AuditEntry](t)(h.Audit(t.Context(), history.AuditFilter{}))
	if len(all) != len(s.events) {
		t.Fatalf("%d entries, want %d", len(all), len(s.events))
	}
	for i, e := range all {
		want := s.events[len(s.events)-1-i]
		if e.Seq != want.Seq || !e.Time.Equal(want.Time) || e.By != want.By || e.Name != want.Body.EventName() {
			t.Errorf("entry %d: %+v", i, e)
		}
		if e.Sentence == "" || e.Sentence == e.Name {
			t.Errorf("%s has no sentence", e.Name)
		}
	}
	for _, e := range must[[]history.AuditEntry](t)(h.Audit(t.Context(), history.AuditFilter{Environment: "test"})) {
		if e.Environment != "" && e.Environment != "test" {
			t.Errorf("%+v is not of test", e)
		}
	}
	var names []string
	for _, e := range must[[]history.AuditEntry](t)(h.Audit(t.Context(), history.AuditFilter{Environment: "production", Changes: true})) {
		names = append(names, e.Name)
	}
	if got := strings.Join(names, " "); !strings.Contains(got, "deployment_ended") || strings.Contains(got, "task") || strings.Contains(got, "moved") {
		t.Errorf("what changed: %s", got)
	}
	shop := must[[]history.AuditEntry](t)(h.Audit(t.Context(), history.AuditFilter{Service: "shop"}))
	if len(shop) != len(s.events)-5 {
		t.Errorf("%d entries of the shop, want %d", len(shop), len(s.events)-5)
	}
	for _, e := range shop {
		switch e.Name {
		case "task_leased":
			if e.Version != 1 || !strings.Contains(e.Sentence, "agent local took task shop.1.commit.test.1 of shop 1") {
				t.Errorf("%+v", e)
			}
		case "deployment_moved":
			if e.Version != 1 || e.Environment != "production" {
				t.Errorf("%+v", e)
			}
		case "deployment_ended":
			if !strings.Contains(e.Sentence, "1 of 101 requests failed") {
				t.Errorf("%+v", e)
			}
		}
	}
	page := must[[]history.AuditEntry](t)(h.Audit(t.Context(), history.AuditFilter{Before: 5, After: 2}))
	if len(page) != 2 || page[0].Seq != 4 || page[1].Seq != 3 {
		t.Errorf("page: %+v", page)
	}
}

func TestAudit_NoEventIsWithoutASentence(t *testing.T) {
	t.Parallel()
	var s story
	for _, name := range andon.EventNames() {
		body, err := andon.DecodeBody(name, []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		s.tell("x", body)
	}
	h := told(t, &s)
	for _, e := range must[[]history.AuditEntry](t)(h.Audit(t.Context(), history.AuditFilter{})) {
		if e.Sentence == e.Name {
			t.Errorf("%s has no sentence", e.Name)
		}
	}
}

func TestExpect_AJobTakesWhatItsLastRunsTook(t *testing.T) {
	t.Parallel()
	var s story
	s.begin()
	for n := 1; n <= 4; n++ {
		s.push(n, "main", andon.Succeeded)
	}
	h := told(t, &s)
	version := must[history.Version](t)(h.Version(t.Context(), ref(4)))
	task := version.Stages[0].Tasks[0]
	took := task.Attempts[0].Ended.Sub(task.Attempts[0].Leased)
	since := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	wait := andon.Wait{Service: "shop", Version: 4, Kind: andon.WaitTask, On: string(task.ID), Since: since}
	got := must[history.Expectation](t)(h.Expect(t.Context(), wait, nil, time.Time{}))
	if got.From != 4 || got.Took != took || !got.At.Equal(since.Add(took)) {
		t.Errorf("expected %+v, and it took %s", got, took)
	}
	until := since.Add(time.Minute)
	for _, c := range []struct {
		wait andon.Wait
		want history.Expectation
	}{
		{andon.Wait{Kind: andon.WaitTask, On: "shop.9.commit.build.1", Since: since}, history.Expectation{}},
		{andon.Wait{Kind: andon.WaitSoak, Until: until}, history.Expectation{At: until}},
		{andon.Wait{Kind: andon.WaitCopies, Until: until}, history.Expectation{}},
		{andon.Wait{Kind: andon.WaitApproval, On: "certify"}, history.Expectation{}},
	} {
		if got := must[history.Expectation](t)(h.Expect(t.Context(), c.wait, nil, time.Time{})); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.wait.Kind, got, c.want)
		}
	}
}
