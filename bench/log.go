package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// manyLines is the length of the log, of 107 bytes a line.
const manyLines = 1_000_000

// millionLines measures a step that writes a long log, what the server takes meanwhile, and how
// fast any line of it opens.
func millionLines(ctx context.Context, b *bench) ([]row, error) {
	p, err := b.start(ctx, "log")
	if err != nil {
		return nil, err
	}
	text := "yes " + strings.Repeat("0123456789", 10) + "abcdef | head -n " + fmt.Sprint(manyLines)
	r, err := p.repo(ctx, "log", yaml("log", "        - run: "+text), 1)
	if err != nil {
		return nil, err
	}
	if err := r.push(ctx); err != nil {
		return nil, err
	}
	peak := make(chan int64, 1)
	watched, stop := context.WithCancel(ctx)
	go func() { peak <- highest(watched, p.cmd.Process.Pid) }()
	err = p.wait(ctx, "log", "1", "built")
	stop()
	memory := <-peak
	if err != nil {
		return nil, err
	}
	took, err := p.taskTime(ctx, "log", 1)
	if err != nil {
		return nil, err
	}
	floor, err := timed(func() error {
		return exec.CommandContext(ctx, "/bin/sh", "-c", text+" > "+filepath.Join(b.dir, "floor.log")+" && sync "+filepath.Join(b.dir, "floor.log")).Run()
	})
	if err != nil {
		return nil, err
	}
	var slowest time.Duration
	for _, line := range []int64{1, manyLines / 3, manyLines / 2, manyLines - 100} {
		began := time.Now()
		lines, err := p.client.LogLines(ctx, "task/log.1.commit.build.1/1", line, 100)
		if err != nil {
			return nil, err
		}
		if len(lines.Lines) == 0 || lines.Lines[0].Number != line {
			return nil, fmt.Errorf("line %d did not open", line)
		}
		slowest = max(slowest, time.Since(began))
	}
	return []row{
		{"a log of 1M lines, 107 MB, from step to disk", fmt.Sprintf("%s (%.1f ×)", ms(took), float64(took)/float64(floor)), ms(floor) + " (written to a file, synced)", "≤ 1.5 ×"},
		{"server's memory meanwhile", mib(memory), "", "≤ 64 MB"},
		{"that log opens at any line", ms(slowest), "", "≤ 1 s"},
	}, p.stop(ctx)
}

// highest returns the most memory that a process had until ctx ended.
func highest(ctx context.Context, pid int) (most int64) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if now, err := memory(pid); err == nil {
			most = max(most, now)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return most
		}
	}
}
