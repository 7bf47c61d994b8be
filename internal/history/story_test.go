package history_test

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/history"
)

var epoch = time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)

// A story is a journal in memory: what happens in it, a second apart.
type story struct {
	events []andon.Event
	stages []andon.Stage // of the versions that are pushed
}

// tell adds events by an actor.
func (s *story) tell(by andon.Actor, bodies ...andon.Body) {
	for _, b := range bodies {
		seq := andon.Seq(len(s.events) + 1)
		s.events = append(s.events, andon.Event{Seq: seq, Time: epoch.Add(time.Duration(seq) * time.Second), By: by, Body: b})
	}
}

// Head implements history.Source.
func (s *story) Head(context.Context) (andon.Seq, error) { return andon.Seq(len(s.events)), nil }

// Read implements history.Source.
func (s *story) Read(_ context.Context, after andon.Seq, limit int) iter.Seq2[andon.Event, error] {
	return func(yield func(andon.Event, error) bool) {
		for i, e := range s.events[after:] {
			if limit > 0 && i >= limit || !yield(e, nil) {
				return
			}
		}
	}
}

func ref(n int) andon.VersionRef {
	return andon.VersionRef{Service: "shop", Number: andon.VersionNumber(n)}
}

func commit(n int) andon.CommitID {
	return andon.CommitID(fmt.Sprintf("%07x", n*0x1234567&0xfffffff) + strings.Repeat("0", 33))
}

func digest(n int) andon.Digest { return andon.Digest(fmt.Sprintf("sha256:%064x", n)) }

func release(n int) andon.Release {
	return andon.Release{Version: andon.VersionNumber(n), Commit: commit(n), Artifact: digest(n)}
}

var (
	pipeline = &andon.Pipeline{Service: "shop", Commit: andon.CommitStage{Jobs: []andon.Job{{Name: "test"}}}}
	place    = andon.Place{Service: "shop", Environment: "production"}
)

func taskID(n int) andon.TaskID { return andon.TaskID(fmt.Sprintf("shop.%d.commit.test.1", n)) }

func (s *story) begin() {
	s.tell("admin",
		andon.PlantCreated{Plant: "p"},
		andon.EnvironmentDeclared{Environment: andon.DefaultEnvironments()[1]},
		andon.AgentConnected{Agent: "local", Epoch: 1, Slots: 2},
		andon.ServiceAdded{Service: "shop", Source: andon.Source{Trunk: "main"}})
}

// push tells of a version whose commit stage ends with an outcome.
func (s *story) push(n int, branch string, outcome andon.Outcome) {
	pipeline := *pipeline
	pipeline.Stages = s.stages
	s.tell("git:alice@example.com", andon.VersionCreated{
		Version: ref(n), Commit: commit(n), Branch: branch, Trunk: branch == "main",
		Author: "Alice", Subject: fmt.Sprintf("Change %d", n), Committed: epoch, Pipeline: &pipeline,
	})
	finished := andon.StageFinished{Version: ref(n), Stage: "commit", Run: 1, Outcome: outcome, Took: 3 * time.Second}
	if outcome == andon.Succeeded {
		finished.Artifact = &andon.Artifact{Digest: digest(n), Size: 1000}
	}
	s.tell(andon.ActorLine,
		andon.StageStarted{Version: ref(n), Stage: "commit", Run: 1},
		andon.TaskQueued{Task: andon.Task{ID: taskID(n), Kind: andon.TaskJob, Version: ref(n), Stage: "commit", Job: "test"}},
		andon.TaskLeased{Task: taskID(n), Agent: "local", Attempt: 1, Token: andon.Token(n)},
		andon.TaskEnded{Task: taskID(n), Version: ref(n), Attempt: 1, Token: andon.Token(n), Agent: "local", Result: andon.TaskResult{
			Outcome: outcome, ExitCode: 0, Started: epoch, Ended: epoch.Add(time.Second),
			Steps: []andon.StepResult{{Name: "go test", Outcome: outcome}}, Tests: &andon.TestSummary{Passed: 7},
		}},
		finished)
}

func (s *story) end(n int, outcome andon.Outcome) {
	s.tell(andon.ActorLine, andon.VersionEnded{Version: ref(n), Outcome: outcome})
}

// deploy tells of the dth deployment to production.
func (s *story) deploy(d, n, previous int, outcome andon.Outcome) andon.DeploymentID {
	id := andon.NewDeploymentID(place, int64(d))
	plan := andon.Plan{
		Place: place, ID: id, Kind: andon.DeployForward, Rollout: andon.Rollout{Strategy: andon.Rolling}, Group: andon.GroupID(id),
		Release: release(n), Stage: "production", By: "bob", Reason: "it is time",
	}
	s.tell("bob", andon.DeploymentPlanned{Plan: plan})
	live, group := release(n), andon.GroupID(id)
	if previous > 0 {
		r := release(previous)
		plan.Previous = &r
		if outcome != andon.Succeeded {
			live = r
		}
	}
	copies := []andon.Copy{{ID: andon.NewInstanceID(group, 0), Group: group, Agent: "local", Version: andon.VersionNumber(n)}}
	s.tell(andon.ActorLine,
		andon.DeploymentStarted{Plan: plan},
		andon.DesiredChanged{Deployment: id, Desired: andon.Desired{Place: place, Generation: int64(d), Copies: copies}},
		andon.DeploymentMoved{Deployment: id, Step: andon.StepPlacing})
	if outcome != andon.Succeeded {
		reason := "a copy did not become healthy"
		s.tell(andon.ActorLine, andon.DeploymentMoved{Deployment: id, Step: andon.StepReverting, Reason: reason, Outcome: outcome})
	}
	s.tell(andon.ActorLine, andon.DeploymentEnded{
		Deployment: id, Place: place, Version: andon.VersionNumber(n), Outcome: outcome,
		Live: &live, Group: group, Ledger: &andon.Ledger{Deployment: id, Served: 100, Failed: 1},
	})
	return id
}

func open(t testing.TB, path string) *history.History {
	t.Helper()
	h, err := history.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return h
}

// told returns a history that knows the story.
func told(t testing.TB, s *story) *history.History {
	t.Helper()
	h := open(t, filepath.Join(t.TempDir(), "history.db"))
	if err := h.CatchUp(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return h
}

// must returns what a query returned, or fails the test.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
