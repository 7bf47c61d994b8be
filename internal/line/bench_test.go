package line

import (
	"fmt"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

// BenchmarkOneStepPipeline takes a commit through a pipeline of one job, three commands, while a
// thousand services are known, each with versions of its own.
func BenchmarkOneStepPipeline(b *testing.B) {
	s := New()
	do := func(v Verb) []andon.Event {
		events, err := s.Decide(Command{By: "bench", Do: v}, testStart)
		if err != nil {
			b.Fatal(err)
		}
		return events
	}
	do(CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()})
	do(ConnectAgent{Hello: andon.Hello{Agent: "local", Slots: 1}})
	pipe := &andon.Pipeline{Commit: andon.CommitStage{Jobs: []andon.Job{{Name: "test", Steps: []andon.Step{{Run: "true"}}}}}}
	run := func(service andon.ServiceName, name string) {
		do(Push{Service: service, Branch: "main", Commit: commit(name), Pipeline: pipe})
		for id, t := range s.Tasks {
			do(FinishTask{Agent: "local", Task: id, Token: t.Token, Result: result(t, andon.Succeeded, testStart)})
		}
	}
	for i := range 1000 {
		for j := range 5 {
			run(andon.ServiceName(fmt.Sprintf("s%d", i)), fmt.Sprint(i, j))
		}
	}
	commits := make([]string, b.N)
	for i := range commits {
		commits[i] = fmt.Sprint("bench", i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		run(andon.ServiceName(fmt.Sprintf("s%d", i%1000)), commits[i])
	}
	b.StopTimer()
	if len(s.Tasks) > 0 {
		b.Fatalf("%d tasks are left", len(s.Tasks))
	}
}

// BenchmarkWorkFor asks for the work of an agent that has two places of each of a thousand services.
func BenchmarkWorkFor(b *testing.B) {
	s := New()
	decide := func(v Verb) {
		if _, err := s.Decide(Command{By: "bench", Do: v}, testStart); err != nil {
			b.Fatal(err)
		}
	}
	decide(CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()})
	decide(ConnectAgent{Hello: andon.Hello{Agent: "local", Slots: 1}})
	for i := range 1000 {
		for _, env := range []andon.EnvironmentName{"test", "production"} {
			pl := andon.Place{Service: andon.ServiceName(fmt.Sprintf("s%d", i)), Environment: env}
			s.Apply(andon.Event{Body: andon.DesiredChanged{Desired: andon.Desired{Place: pl, Generation: 1, Copies: []andon.Copy{{ID: andon.NewInstanceID("x", 0), Agent: "local"}}}}})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(s.WorkFor("local").Desired) != 2000 {
			b.Fatal("work is missing")
		}
	}
}

// BenchmarkQueueOfOneService takes a commit through a pipeline of one job while a thousand others
// of the same service wait for the only slot.
func BenchmarkQueueOfOneService(b *testing.B) {
	s := New()
	do := func(v Verb) {
		if _, err := s.Decide(Command{By: "bench", Do: v}, testStart); err != nil {
			b.Fatal(err)
		}
	}
	do(CreatePlant{Plant: "p", Environments: andon.DefaultEnvironments()})
	do(ConnectAgent{Hello: andon.Hello{Agent: "local", Slots: 1}})
	pipe := &andon.Pipeline{Commit: andon.CommitStage{Jobs: []andon.Job{{Name: "test", Steps: []andon.Step{{Run: "true"}}}}}}
	n := 0
	push := func() {
		n++
		do(Push{Service: "s", Branch: fmt.Sprint("b", n), Commit: commit(fmt.Sprint(n)), Pipeline: pipe})
	}
	for range 1000 {
		push()
	}
	b.ReportAllocs()
	for b.Loop() {
		push()
		lease := s.WorkFor("local").Leases[0]
		do(FinishTask{Agent: "local", Task: lease.Task.ID, Token: lease.Token, Result: result(s.Tasks[lease.Task.ID], andon.Succeeded, testStart)})
	}
	if len(s.Tasks) != 1000 {
		b.Fatalf("%d tasks wait", len(s.Tasks))
	}
}
