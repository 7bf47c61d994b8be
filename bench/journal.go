package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/journal/sqlite"
)

const (
	appendFor = 2 * time.Second
	batchSize = 20 // what commits together when a hundred commands wait
)

// journalAppends measures durable appends beside writing and syncing the same bytes to a file.
func journalAppends(ctx context.Context, b *bench) ([]row, error) {
	j, err := sqlite.Open(ctx, filepath.Join(b.dir, "append.db"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = j.Close() }() // it is thrown away
	events := make([]andon.Event, batchSize)
	size := 0
	for i := range events {
		events[i] = andon.Event{Time: time.Now().UTC(), By: "bench", Body: andon.StageStarted{Version: andon.VersionRef{Service: "shop", Number: 1}, Stage: "commit", Run: 1}}
		data, err := json.Marshal(events[i])
		if err != nil {
			return nil, err
		}
		size += len(data)
	}
	head, appended := andon.Seq(0), 0
	began := time.Now()
	for time.Since(began) < appendFor {
		done, err := j.Append(ctx, head, events)
		if err != nil {
			return nil, err
		}
		head = done[len(done)-1].Seq
		appended += len(done)
	}
	perSecond := float64(appended) / time.Since(began).Seconds()
	floor, err := syncedWrites(filepath.Join(b.dir, "floor.bin"), size)
	if err != nil {
		return nil, err
	}
	return []row{{
		fmt.Sprintf("journal, durable events a second, batches of %d", batchSize), fmt.Sprintf("%.0f", perSecond),
		fmt.Sprintf("%.0f (write and fsync of the same bytes)", floor*batchSize), "≥ 10,000",
	}}, nil
}

// syncedWrites returns how often a second so many bytes are written and synced.
func syncedWrites(file string, size int) (float64, error) {
	f, err := os.Create(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	data := make([]byte, size)
	n, began := 0, time.Now()
	for ; time.Since(began) < appendFor; n++ {
		if _, err := f.Write(data); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
