package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/bench/past"
)

// The plant over which pages are measured: its past is four weeks of about 100,000 versions, of
// which most are superseded while they wait for acceptance tests that take a week, and reach
// production with a later one.
const (
	pageServices     = 1_000
	pageEnvironments = 5
	pageEvents       = 1_000_000
	pagePast         = 28 * 24 * time.Hour
	pageEvery        = 7 * time.Hour
	pageAcceptance   = 200 * time.Hour
	pageLooks        = 40

	viewers      = 200
	boardUpdates = 100
)

// pagePaths are the pages that are measured, in the order of the table.
var pagePaths = []string{ // never changes
	"/board", "/flow", "/flow?days=365", "/flow?service=service-0001", "/measures", "/measures?days=365", "/measures?service=service-0001",
	"/measures/lead-time", "/measures/commit-stage", "/measures/stops",
	"/services/service-0001", "/services/service-0001/versions", "/services/service-0001/deployments",
	"/services/service-0001/versions/1", "/services/service-0001/cord", "/environments", "/environments/production",
	"/environments/production?compare=canary", "/queue", "/search?q=service-00", "/audit", "/audit?environment=production&service=service-0001", "/audit?show=all", "/maturity", "/metrics",
}

// largePages measures the pages of a large plant, from the request to the first byte of the answer,
// and how long it takes until what happens is on the boards of many viewers.
func largePages(ctx context.Context, b *bench) ([]row, error) {
	data := filepath.Join(b.dir, "pages")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	began := time.Now()
	made, err := fill(ctx, data, past.Options{
		Services: pageServices, Environments: pageEnvironments, Events: pageEvents, Seed: 1,
		Start: time.Now().UTC().Add(-pagePast), Every: pageEvery, Acceptance: pageAcceptance,
	})
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%d services × %d environments, %d versions, %d events", pageServices, pageEnvironments, made.versions, made.events)
	rows := []row{{"making a plant of " + what, ms(time.Since(began)), "", "≤ 2 min"}}
	p, err := b.start(ctx, "pages")
	if err != nil {
		return nil, err
	}
	more, err := p.lookAround(ctx)
	rows = append(rows, row{"it starts → ready", ms(p.ready), "", ""})
	return append(rows, more...), errors.Join(err, p.stop(ctx))
}

func (p *plant) lookAround(ctx context.Context) (rows []row, err error) {
	floor, err := p.look(ctx, "/static/style.css")
	if err != nil {
		return nil, err
	}
	if err := p.figuresReady(ctx); err != nil {
		return nil, err
	}
	idle, err := memory(p.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	newest, err := p.newestDeployment(ctx, "service-0001")
	if err != nil {
		return nil, err
	}
	for _, path := range append(slices.Clone(pagePaths), newest) {
		seen, err := p.look(ctx, path)
		if err != nil {
			return rows, err
		}
		got := fmt.Sprintf("%s; %.0f KB, compressed %.0f KB", ms(seen.first), float64(seen.raw)/1000, float64(seen.sent)/1000)
		rows = append(rows, row{path + ", first byte and size", got, ms(floor.first) + " (a style sheet)", "≤ 20 ms, ≤ 200 KB"})
	}
	looked, err := memory(p.cmd.Process.Pid)
	if err != nil {
		return rows, err
	}
	rows = append(rows, row{"server's memory before anybody looks, and after all that", mib(idle) + ", " + mib(looked), "", ""})
	watched, err := p.watchBoards(ctx)
	return append(rows, watched...), err
}

// newestDeployment returns the path of the page of a service's newest deployment.
func (p *plant) newestDeployment(ctx context.Context, service string) (path string, err error) {
	found, err := p.client.Deployments(ctx, api.DeploymentFilter{Service: service, Page: api.Page{Limit: 1}})
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%s was never deployed", service)
	}
	return "/services/" + service + "/deployments/" + found[0].ID, nil
}

// figuresReady waits until the numbers of the figures are in memory: until then /metrics lacks them.
func (p *plant) figuresReady(ctx context.Context) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		body, err := p.get(ctx, "/metrics")
		if err != nil || bytes.Contains(body, []byte("andon_lead_time_seconds_count")) {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *plant) get(ctx context.Context, path string) ([]byte, error) {
	answer, err := p.ask(ctx, http.DefaultTransport, path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return unpacked(answer)
}

// ask asks for a page as a browser does that takes compressed answers.
func (p *plant) ask(ctx context.Context, through http.RoundTripper, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+p.client.Token)
	request.Header.Set("Accept", "text/html")
	request.Header.Set("Accept-Encoding", "gzip")
	answer, err := through.RoundTrip(request)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.Join(fmt.Errorf("%s: %s", path, answer.Status), answer.Body.Close())
	}
	return answer, err
}

func unpacked(answer *http.Response) ([]byte, error) {
	if answer.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(answer.Body)
	}
	z, err := gzip.NewReader(answer.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// A sight is a page as it was answered.
type sight struct {
	first     time.Duration // median, to the first byte of the answer's body
	sent, raw int           // bytes
}

// look asks for a page again and again.
func (p *plant) look(ctx context.Context, path string) (s sight, err error) {
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	var took []time.Duration
	for range pageLooks {
		began := time.Now()
		answer, err := p.ask(ctx, transport, path)
		if err != nil {
			return s, err
		}
		in := bufio.NewReader(answer.Body)
		_, err = in.Peek(1)
		took = append(took, time.Since(began))
		body, readErr := io.ReadAll(in)
		if err := errors.Join(err, readErr, answer.Body.Close()); err != nil {
			return s, err
		}
		s.sent, answer.Body = len(body), io.NopCloser(bytes.NewReader(body))
		page, err := unpacked(answer)
		if err != nil {
			return s, err
		}
		s.raw = len(page)
	}
	slices.Sort(took)
	s.first = took[len(took)/2]
	return s, nil
}

// watchBoards has many viewers follow the board while things happen in it, one after the other, and
// measures from each command to the moment at which each viewer has read of it.
func (p *plant) watchBoards(ctx context.Context) ([]row, error) {
	page, err := p.get(ctx, "/board")
	if err != nil {
		return nil, err
	}
	_, after, _ := strings.Cut(string(page), `data-edition="`)
	edition, _, found := strings.Cut(after, `"`)
	if !found {
		return nil, errors.New("the board does not say its edition")
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: viewers}
	defer transport.CloseIdleConnections()
	var group sync.WaitGroup
	seen := make(chan sighting, viewers*boardUpdates)
	opened := make(chan error, viewers)
	for range viewers {
		group.Go(func() { p.view(watching, transport, "/board/live?after="+edition, opened, seen) })
	}
	for range viewers {
		if err := <-opened; err != nil {
			return nil, err
		}
	}
	latencies, err := p.stir(ctx, seen)
	crowded, memoryErr := memory(p.cmd.Process.Pid)
	stop()
	group.Wait()
	if err := errors.Join(err, memoryErr); err != nil {
		return nil, err
	}
	slices.Sort(latencies)
	at := func(percent int) string { return ms(latencies[(len(latencies)-1)*percent/100]) }
	return []row{
		{fmt.Sprintf("a command → on the boards of %d viewers, p50 / p99", viewers), at(50) + " / " + at(99), "", "p99 ≤ 250 ms"},
		{fmt.Sprintf("server's memory with %d viewers", viewers), mib(crowded), "", ""},
	}, nil
}

// A sighting is when a viewer read a mark.
type sighting struct {
	mark string
	at   time.Time
}

// markOf begins the reasons of the cords that are pulled to be seen.
const markOf = "board update "

// view follows a live page and reports each mark that it reads once.
func (p *plant) view(ctx context.Context, through http.RoundTripper, path string, opened chan<- error, seen chan<- sighting) {
	answer, err := p.ask(ctx, through, path)
	if err != nil {
		opened <- err
		return
	}
	defer answer.Body.Close()
	var in io.Reader = answer.Body
	if answer.Header.Get("Content-Encoding") == "gzip" {
		if in, err = gzip.NewReader(answer.Body); err != nil {
			opened <- err
			return
		}
	}
	opened <- nil
	last, lines := "", bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return // the end of the measurement
		}
		_, after, found := strings.Cut(line, markOf)
		if mark, _, _ := strings.Cut(after, "."); found && mark != last {
			last = mark
			seen <- sighting{mark, time.Now()}
		}
	}
}

// stir pulls and releases a cord again and again, and returns how long each viewer waited for each.
func (p *plant) stir(ctx context.Context, seen <-chan sighting) (latencies []time.Duration, err error) {
	for i := range boardUpdates {
		began := time.Now()
		scope := api.Scope{Kind: api.ScopeService, Service: fmt.Sprintf("service-%04d", 1+i*7)}
		if _, err := p.client.PullCord(ctx, api.PullCord{Scope: scope, Reason: fmt.Sprintf("%s%d.", markOf, i)}); err != nil {
			return nil, err
		}
		for range viewers {
			select {
			case s := <-seen:
				latencies = append(latencies, s.at.Sub(began))
			case <-time.After(10 * time.Second):
				return nil, fmt.Errorf("update %d did not reach all boards", i)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		if _, err := p.client.ReleaseCord(ctx, api.ReleaseCord{Scope: &scope, Reason: "seen"}); err != nil {
			return nil, err
		}
	}
	return latencies, nil
}
