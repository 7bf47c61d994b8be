package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/line"
)

// manyEvents is how long the journal is over which a start is measured.
const manyEvents = 100_000

// startAndMemory measures the start of the server, over an empty and over a long journal, and what
// server and proxy take when nothing happens.
func startAndMemory(ctx context.Context, b *bench) ([]row, error) {
	floor, err := timed(func() error { return exec.CommandContext(ctx, b.andon, "version").Run() })
	if err != nil {
		return nil, err
	}
	p, err := b.start(ctx, "start")
	if err != nil {
		return nil, err
	}
	first := p.ready
	if err := p.stop(ctx); err != nil {
		return nil, err
	}
	if err := lengthen(ctx, filepath.Join(p.data, "journal.db")); err != nil {
		return nil, err
	}
	if p, err = b.start(ctx, "start"); err != nil { // its read models catch up
		return nil, err
	}
	if err := p.stop(ctx); err != nil {
		return nil, err
	}
	if p, err = b.start(ctx, "start"); err != nil {
		return nil, err
	}
	settle(ctx, 3*time.Second)
	server, err := memory(p.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	pid, err := p.proxyPID()
	if err != nil {
		return nil, err
	}
	proxy, err := memory(pid)
	if err != nil {
		return nil, err
	}
	return []row{
		{"first start of a plant → ready", ms(first), ms(floor) + " (andon version)", ""},
		{"start → ready, journal of 100,000 events", ms(p.ready), ms(floor) + " (andon version)", "≤ 150 ms"},
		{"server with its agent, idle", mib(server), "", "≤ 40 MB"},
		{"proxy, idle", mib(proxy), "", "≤ 20 MB"},
	}, p.stop(ctx)
}

// lengthen appends the events of many pipelines to a journal, as the engine would, and lets an
// engine end over it, which leaves a snapshot.
func lengthen(ctx context.Context, file string) (err error) {
	j, err := sqlite.Open(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	state, head := line.New(), andon.Seq(0)
	for event, err := range j.Read(ctx, 0, 0) {
		if err != nil {
			return err
		}
		state.Apply(event)
		head = event.Seq
	}
	at := time.Now().UTC().Add(-24 * time.Hour)
	for n := 0; head < manyEvents; n++ {
		at = at.Add(500 * time.Millisecond)
		events, err := onePipeline(state, n, at)
		if err != nil {
			return err
		}
		appended, err := j.Append(ctx, head, events)
		if err != nil {
			return err
		}
		head = appended[len(appended)-1].Seq
	}
	e, err := engine.Open(ctx, engine.Config{Journal: j, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	return e.Run(ended)
}

// pipelinesAtOnce is how many pipelines one append holds.
const pipelinesAtOnce = 50

// onePipeline decides pushes to a service and the ends of their only jobs.
func onePipeline(state *line.State, n int, at time.Time) (all []andon.Event, err error) {
	decide := func(verb line.Verb) {
		var events []andon.Event
		if err == nil {
			events, err = state.Decide(line.Command{By: "bench", Do: verb}, at)
			all = append(all, events...)
		}
	}
	if n == 0 {
		decide(line.ConnectAgent{Hello: andon.Hello{Agent: "local", Slots: pipelinesAtOnce}})
	}
	service := andon.ServiceName(fmt.Sprintf("service-%d", n%40))
	for i := range pipelinesAtOnce {
		decide(line.Push{
			Service: service, Source: andon.Source{Trunk: "main"}, Branch: "main",
			Commit: andon.CommitID(fmt.Sprintf("%040x", n*pipelinesAtOnce+i+1)), Author: "b@example.com", Subject: "change", Committed: at,
			Pipeline: &andon.Pipeline{Service: service, Commit: andon.CommitStage{Jobs: []andon.Job{{Name: "build", Steps: []andon.Step{{Run: "true"}}}}}},
		})
	}
	for _, lease := range state.WorkFor("local").Leases {
		decide(line.FinishTask{Agent: "local", Task: lease.Task.ID, Token: lease.Token, Result: andon.TaskResult{Outcome: andon.Succeeded, Started: at, Ended: at}})
	}
	return all, err
}

// timed returns the shortest of a few runs.
func timed(run func() error) (time.Duration, error) {
	best := time.Hour
	for range 5 {
		began := time.Now()
		if err := run(); err != nil {
			return 0, err
		}
		best = min(best, time.Since(began))
	}
	return best, nil
}

// settle waits until a process that has just begun is idle.
func settle(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func ms(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000)
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

func yaml(service string, lines ...string) string {
	return "service: " + service + "\ncommit:\n  jobs:\n    build:\n      steps:\n" + strings.Join(lines, "\n") + "\n"
}
