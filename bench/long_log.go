package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The log that the page of a log is measured with: it has colours and groups, as builds have them.
const (
	longLog      = "task/long.1.commit.build.1/1"
	longLogLines = 2_000_000
	longLogPages = 30
)

// longLogPage measures how fast a page of a log of 2M lines opens at any line, with an index of lines
// and (the first time) without one.
func longLogPage(ctx context.Context, b *bench) ([]row, error) {
	size, err := writeLongLog(filepath.Join(b.dir, "longlog", "logs", longLog+".log"))
	if err != nil {
		return nil, err
	}
	p, err := b.start(ctx, "longlog")
	if err != nil {
		return nil, err
	}
	rows, err := p.openLongLog(ctx, size)
	return rows, errors.Join(err, p.stop(ctx))
}

func (p *plant) openLongLog(ctx context.Context, size int64) ([]row, error) {
	at := func(line int64) string { return fmt.Sprintf("/logs/%s?line=%d", longLog, line) }
	began := time.Now()
	if _, _, err := p.once(ctx, at(longLogLines/2)); err != nil {
		return nil, err
	}
	unindexed := time.Since(began)
	floor, err := p.look(ctx, "/static/style.css")
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // the same lines in every run
	var slowest time.Duration
	most := 0
	for range longLogPages {
		first, sent, err := p.once(ctx, at(1+random.Int64N(longLogLines)))
		if err != nil {
			return nil, err
		}
		slowest, most = max(slowest, first), max(most, sent)
	}
	server, err := memory(p.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("page of a log of %dM lines, %d MB, at any line", longLogLines/1_000_000, size/1_000_000)
	return []row{
		{what + ", first byte of the slowest", fmt.Sprintf("%s, %.0f KB", ms(slowest), float64(most)/1000), ms(floor.first) + " (a style sheet)", "≤ 1 s"},
		{"the first of them, when its lines have to be counted", ms(unindexed), "", "≤ 1 s"},
		{"server's memory then", mib(server), "", ""},
	}, nil
}

// once asks for a page, and returns the time to its first byte and its size as it was sent.
func (p *plant) once(ctx context.Context, path string) (first time.Duration, sent int, err error) {
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	began := time.Now()
	answer, err := p.ask(ctx, transport, path)
	if err != nil {
		return 0, 0, err
	}
	in := bufio.NewReader(answer.Body)
	_, err = in.Peek(1)
	first = time.Since(began)
	body, readErr := io.ReadAll(in)
	return first, len(body), errors.Join(err, readErr, answer.Body.Close())
}

// writeLongLog writes the log as a finished one, and returns its size.
func writeLongLog(file string) (size int64, err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<20)
	rest := strings.Repeat("0123456789", 11)
	for i := range longLogLines {
		var n int
		switch i % 1000 {
		case 0:
			n, err = fmt.Fprintf(out, "::group::package %d\n", i/1000)
		case 900:
			n, err = fmt.Fprint(out, "::endgroup::\n")
		default:
			n, err = fmt.Fprintf(out, "%09d \x1b[32mok\x1b[0m a line of a build %s\n", i+1, rest)
		}
		if err != nil {
			return 0, err
		}
		size += int64(n)
	}
	return size, out.Flush()
}
