package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andon-cd/andon/api"
)

const (
	measuredPushes = 30
	warmPushes     = 5
	// manyPipelines is how many one-step pipelines are run one after the other.
	manyPipelines = 1000
)

// pushToFirstCommand measures from the time stamp of the updated ref to the clock of the first
// command. File systems stamp with the clock's last tick, so up to 4 ms too much are counted.
func pushToFirstCommand(ctx context.Context, b *bench) ([]row, error) {
	p, err := b.start(ctx, "push")
	if err != nil {
		return nil, err
	}
	r, err := p.repo(ctx, "first", yaml("first", `        - run: date +%s%N > "$ANDON_CACHE/began"`), 100)
	if err != nil {
		return nil, err
	}
	var took []time.Duration
	for i := range warmPushes + measuredPushes {
		if err := r.push(ctx); err != nil {
			return nil, err
		}
		if err := p.wait(ctx, "first", strconv.Itoa(i+1), "built"); err != nil {
			return nil, err
		}
		data, err := os.ReadFile(filepath.Join(p.data, "agent/cache/first/began"))
		if err != nil {
			return nil, err
		}
		nanos, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		if err != nil {
			return nil, err
		}
		ref, err := os.Stat(filepath.Join(p.data, "git/first.git/refs/heads/main"))
		if err != nil {
			return nil, err
		}
		if i >= warmPushes {
			took = append(took, time.Unix(0, nanos).Sub(ref.ModTime()))
		}
	}
	slices.Sort(took)
	floor, err := timed(func() error { return exec.CommandContext(ctx, "/bin/sh", "-c", "date >/dev/null").Run() })
	if err != nil {
		return nil, err
	}
	return []row{{
		"ref updated → first command, 100 files, p50 / p90",
		ms(took[len(took)/2]) + " / " + ms(took[len(took)*9/10]), ms(floor) + " (sh -c date)", "p50 ≤ 20 ms",
	}}, p.stop(ctx)
}

// fiftySteps measures a job of 50 steps `true`, from its lease to its last step.
func fiftySteps(ctx context.Context, b *bench) ([]row, error) {
	p, err := b.start(ctx, "steps")
	if err != nil {
		return nil, err
	}
	r, err := p.repo(ctx, "fifty", yaml("fifty", slices.Repeat([]string{`        - run: "true"`}, 50)...), 1)
	if err != nil {
		return nil, err
	}
	best := time.Hour
	for i := range 5 {
		if err := r.push(ctx); err != nil {
			return nil, err
		}
		if err := p.wait(ctx, "fifty", strconv.Itoa(i+1), "built"); err != nil {
			return nil, err
		}
		took, err := p.taskTime(ctx, "fifty", i+1)
		if err != nil {
			return nil, err
		}
		best = min(best, took)
	}
	floor, err := timed(func() error {
		return exec.CommandContext(ctx, "/bin/sh", "-c", "i=0; while [ $i -lt 50 ]; do sh -c true; i=$((i+1)); done").Run()
	})
	if err != nil {
		return nil, err
	}
	return []row{{"a job of 50 steps `true`", fmt.Sprintf("%s (%.1f ×)", ms(best), float64(best)/float64(floor)), ms(floor) + " (loop of sh -c true)", "≤ 2 ×"}}, p.stop(ctx)
}

// taskTime returns how long the only task of a version's commit stage ran, by its agent's word.
func (p *plant) taskTime(ctx context.Context, service string, number int) (took time.Duration, err error) {
	err = p.follow(ctx, 0, func(e api.Event) error {
		if e.Name != "task_ended" {
			return nil
		}
		var body struct {
			Version struct {
				Service string `json:"service"`
				Number  int    `json:"number"`
			} `json:"version"`
			Result struct{ Started, Ended time.Time } `json:"result"`
		}
		if err := json.Unmarshal(e.Body, &body); err != nil {
			return err
		}
		if body.Version.Service == service && body.Version.Number == number {
			took = body.Result.Ended.Sub(body.Result.Started)
			return errDone
		}
		return nil
	})
	return took, err
}

// oneStepPipelines pushes many branches at once and measures from the first version to the end of
// the last one's commit stage, with one slot.
func oneStepPipelines(ctx context.Context, b *bench) ([]row, error) {
	p, err := b.start(ctx, "pipelines", "--slots", "1")
	if err != nil {
		return nil, err
	}
	r, err := p.repo(ctx, "many", yaml("many", `        - run: "true"`), 1)
	if err != nil {
		return nil, err
	}
	if err := r.push(ctx); err != nil {
		return nil, err
	}
	if err := p.wait(ctx, "many", "1", "built"); err != nil {
		return nil, err
	}
	if err := r.branches(ctx, manyPipelines); err != nil {
		return nil, err
	}
	var first, last time.Time
	pushed := make(chan error, 1)
	go func() { pushed <- r.git(ctx, "push", "-q", r.url, "refs/heads/many/*:refs/heads/many/*") }()
	ended := 0
	err = p.follow(ctx, 0, func(e api.Event) error {
		if e.Name == "version_created" && first.IsZero() && e.Position > 10 {
			first = e.Time
		}
		if e.Name == "stage_finished" {
			if ended++; ended == manyPipelines+1 {
				last = e.Time
				return errDone
			}
		}
		return nil
	})
	if err == nil {
		err = <-pushed
	}
	if err != nil {
		return nil, err
	}
	each := last.Sub(first) / manyPipelines
	floor, err := timed(func() error { return exec.CommandContext(ctx, "/bin/sh", "-c", "true").Run() })
	if err != nil {
		return nil, err
	}
	return []row{{
		"one-step pipelines a minute, one slot",
		fmt.Sprintf("%d (%s each)", int(time.Minute/each), ms(each)), fmt.Sprintf("%d (sh -c true)", int(time.Minute/floor)), "≥ 6,000",
	}}, p.stop(ctx)
}

// branches makes n branches of one commit each.
func (r *repo) branches(ctx context.Context, n int) error {
	var script strings.Builder
	for i := range n {
		fmt.Fprintf(&script, "commit refs/heads/many/%d\ncommitter b <b@example.com> %d +0000\ndata 6\nchange\nfrom refs/heads/main^0\nM 100644 inline n\ndata %d\n%d\n", i, 1_700_000_000+i, len(strconv.Itoa(i)), i)
	}
	cmd := exec.CommandContext(ctx, "git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = r.dir, strings.NewReader(script.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git fast-import: %w: %s", err, out)
	}
	return nil
}
