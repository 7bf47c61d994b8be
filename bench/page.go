package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/andon-cd/andon/bench/past"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine"
	"github.com/andon-cd/andon/internal/journal/sqlite"
)

// The plant over which pages are measured.
const (
	pageServices     = 1_000
	pageEnvironments = 5
	pageEvents       = 250_000
	pageLooks        = 40
)

// largePages measures the pages of a large plant, from the request to the first byte of the answer.
func largePages(ctx context.Context, b *bench) ([]row, error) {
	data := filepath.Join(b.dir, "pages")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	if err := fill(ctx, filepath.Join(data, "journal.db")); err != nil {
		return nil, err
	}
	p, err := b.start(ctx, "pages")
	if err != nil {
		return nil, err
	}
	floor, _, err := p.look(ctx, "/static/style.css")
	if err != nil {
		return nil, errors.Join(err, p.stop(ctx))
	}
	var rows []row
	for _, path := range []string{"/board", "/flow", "/measures", "/flow?service=service-0001", "/services/service-0001/versions/1"} {
		first, size, err := p.look(ctx, path)
		if err != nil {
			return nil, errors.Join(err, p.stop(ctx))
		}
		what := fmt.Sprintf("%s of %d services × %d environments, first byte", path, pageServices, pageEnvironments)
		sent := fmt.Sprintf("%s, %.0f KB", ms(first), float64(size)/1000)
		rows = append(rows, row{what, sent, ms(floor) + " (a style sheet)", "≤ 20 ms, ≤ 200 KB"})
	}
	server, err := memory(p.cmd.Process.Pid)
	if err != nil {
		return nil, errors.Join(err, p.stop(ctx))
	}
	memory := fmt.Sprintf("server's memory with %d events of them", pageEvents)
	return append(rows, row{memory, mib(server), "", ""}), p.stop(ctx)
}

// fill writes a made-up past into a new journal, and lets an engine end over it, which leaves a
// snapshot.
func fill(ctx context.Context, file string) (err error) {
	j, err := sqlite.Open(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	head := andon.Seq(0)
	var batch []andon.Event
	flush := func() error {
		appended, err := j.Append(ctx, head, batch)
		if err == nil && len(appended) > 0 {
			head, batch = appended[len(appended)-1].Seq, batch[:0]
		}
		return err
	}
	options := past.Options{
		Services: pageServices, Environments: pageEnvironments, Events: pageEvents,
		Start: time.Now().UTC().Add(-14 * 24 * time.Hour), Every: 24 * time.Hour, Seed: 1,
	}
	if _, err := past.Make(options, func(events []andon.Event) error {
		if batch = append(batch, events...); len(batch) < 1000 {
			return nil
		}
		return flush()
	}); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	e, err := engine.Open(ctx, engine.Config{Journal: j, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	return e.Run(ended)
}

// look asks for a page again and again, and returns the median time to its first byte and its size
// as it was sent, compressed.
func (p *plant) look(ctx context.Context, path string) (first time.Duration, size int64, err error) {
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	var took []time.Duration
	for range pageLooks {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
		if err != nil {
			return 0, 0, err
		}
		request.Header.Set("Authorization", "Bearer "+p.client.Token)
		request.Header.Set("Accept", "text/html")
		request.Header.Set("Accept-Encoding", "gzip")
		began := time.Now()
		answer, err := client.Do(request)
		if err != nil {
			return 0, 0, err
		}
		var one [1]byte
		if _, err := io.ReadFull(answer.Body, one[:]); err != nil {
			return 0, 0, errors.Join(err, answer.Body.Close())
		}
		took = append(took, time.Since(began))
		rest, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			return 0, 0, err
		}
		if answer.StatusCode != http.StatusOK {
			return 0, 0, fmt.Errorf("%s: %s", path, answer.Status)
		}
		size = int64(1 + len(rest))
	}
	slices.Sort(took)
	return took[len(took)/2], size, nil
}
