package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

var errEnough = errors.New("enough")

// events reads events after a position until n came.
func (p *plant) events(after int64, n int) []api.Event {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	var got []api.Event
	err := p.client.Events(ctx, after, func(e api.Event) error {
		if got = append(got, e); len(got) == n {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		p.t.Fatalf("after %d events: %v", len(got), err)
	}
	return got
}

func TestEvents_ResumeWithoutLosingOrRepeatingOne(t *testing.T) {
	p := story(t)
	head := int64(p.engine.Head())
	position := int64(0)
	for position < head { // a connection that breaks every seven events
		for _, e := range p.events(position, int(min(7, head-position))) {
			if e.Position != position+1 || e.Name == "" || len(e.Body) == 0 {
				t.Fatalf("after %d comes %+v", position, e)
			}
			position = e.Position
		}
	}
	next := make(chan api.Event, 1)
	go func() { next <- p.events(head, 1)[0] }()
	p.do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "a test"})
	if e := <-next; e.Position != head+1 || e.Name != "cord_pulled" || e.By != "admin" {
		t.Errorf("live comes %+v", e)
	}
}

func TestEvents_ABrowserResumesWithItsLastID(t *testing.T) {
	p := story(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.server.URL+"/api/v1/events?after=1", nil)
	p.must(err)
	req.Header.Set("Authorization", "Bearer "+admin)
	req.Header.Set("Last-Event-ID", "5")
	resp, err := http.DefaultClient.Do(req)
	p.must(err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "id:") {
	}
	if got := lines.Text(); got != "id: 6" || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("the first event is %q", got)
	}
}

func TestEvents_OfAFutureThatDidNotHappenAreRefused(t *testing.T) {
	p := newPlant(t)
	for _, after := range []string{"1000000", "-1", "x"} {
		if resp, body := p.ask("GET", "/api/v1/events?after="+after, bearer(admin), ""); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("after %s: %s %s", after, resp.Status, body)
		}
	}
}

func TestLogs_OpenAtAnyLineAndByte(t *testing.T) {
	p := newPlant(t)
	appendLog(p, "instance/shop.test.1.0", "one\ntwo\nthree\nfour")
	l, err := p.client.LogLines(t.Context(), "instance/shop.test.1.0", -2, 0)
	p.must(err)
	if l.Total != 4 || len(l.Lines) != 2 || l.Lines[0].Text != "three" || l.Lines[0].Number != 3 || l.Next != 5 {
		t.Errorf("%+v", l)
	}
	r, err := p.client.LogBytes(t.Context(), "instance/shop.test.1.0", 4, false)
	p.must(err)
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "two\nthree\nfour" {
		t.Errorf("%q %v", got, err)
	}
	for _, name := range []string{"instance/nothing", "../journal.db", ""} {
		if _, err := p.client.LogLines(t.Context(), name, 1, 0); kindOf(err) != api.KindNotFound && kindOf(err) != api.KindInvalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestLogs_AreFollowedUntilTheirTaskHasEnded(t *testing.T) {
	p := newPlant(t)
	p.connect()
	p.holds = func(andon.Lease) bool { return true }
	p.push("a", "main", "Sell things", shopYAML)
	p.settle()
	// Nobody has written to it yet.
	r, err := p.client.LogBytes(t.Context(), "task/shop.1.commit.test.1/1", 0, true)
	p.must(err)
	defer r.Close()
	p.holds = nil
	p.settle()
	got, err := io.ReadAll(r)
	if err != nil || string(got) != "$ go test ./...\nok  \tshop\t0.8s\n" {
		t.Errorf("%q %v", got, err)
	}
	info, err := p.logs.Info("task/shop.1.commit.test.1/1")
	if err != nil || !info.Finished {
		t.Errorf("the log of a task that was reported is not finished: %+v %v", info, err)
	}
}

func TestAgents_SpeakOnlyForThemselves(t *testing.T) {
	p := newPlant(t)
	header := bearer(p.keys.AgentToken("local"))
	if resp, body := p.ask("POST", "/agent/v1/hello", header, `{"agent":"web1","slots":1}`); resp.StatusCode != http.StatusForbidden {
		t.Errorf("%s %s", resp.Status, body)
	}
	p.connect()
	if resp, body := p.ask("POST", "/agent/v1/work", header, `{"epoch":999}`); resp.StatusCode != http.StatusConflict {
		t.Errorf("an epoch that is not the agent's: %s %s", resp.Status, body)
	}
	if resp, body := p.ask("POST", "/agent/v1/work", header, `{"epoch":`); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("no JSON: %s %s", resp.Status, body)
	}
}

func TestAgents_WriteOnlyTheLogsOfTheirTasksAndCopies(t *testing.T) {
	p := newPlant(t)
	p.connect()
	write := func(agent andon.AgentName, stream string) int {
		t.Helper()
		resp, _ := p.ask("POST", "/agent/v1/logs/"+stream+"?offset=0", bearer(p.keys.AgentToken(agent)), "x")
		return resp.StatusCode
	}
	check := func(when string, want map[string]int) {
		t.Helper()
		for stream, status := range want {
			for range 2 { // the second time, the answer is remembered
				if got := write("local", stream); got != status {
					t.Errorf("%s: %s: status %d, want %d", when, stream, got, status)
				}
			}
			for _, other := range []andon.AgentName{"far", "stranger"} {
				if got := write(other, stream); got != 403 {
					t.Errorf("%s: %s: agent %s gets status %d, want 403", when, stream, other, got)
				}
			}
		}
	}
	if resp, body := p.ask("POST", "/agent/v1/hello", bearer(p.keys.AgentToken("far")), `{"agent":"far","slots":0}`); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", resp.Status, body)
	}
	p.push("a", "main", "Begin", shopYAML)
	check("while the commit stage runs", map[string]int{
		"task/shop.1.commit.test.1/1": 200, "task/shop.1.commit.test.1/2": 403, "task/shop.1.commit.nothing.1/1": 403,
		"instance/shop.production.1.0": 403, "instance/": 403, "instance/x": 403, "other": 403,
	})
	p.settle()
	check("when it has ended", map[string]int{
		"task/shop.1.commit.test.1/1": 403, "instance/shop.test.1.0": 200, "instance/shop.production.1.0": 403,
	})
}

func TestAgents_CountOnlyInTheirConnectionAndForTheirPlaces(t *testing.T) {
	p := newPlant(t)
	p.connect()
	p.push("a", "main", "Begin", shopYAML)
	p.settle()
	place := andon.Place{Service: "shop", Environment: "test"}
	report := func(agent andon.AgentName, epoch, served int64) int {
		t.Helper()
		body, err := json.Marshal(andon.Counters{Epoch: epoch, Places: []andon.PlaceLedger{{Place: place, Ledgers: []andon.Ledger{{Deployment: "shop.test.1", Served: served}}}}})
		p.must(err)
		resp, _ := p.ask("POST", "/agent/v1/counters", bearer(p.keys.AgentToken(agent)), string(body))
		return resp.StatusCode
	}
	if resp, body := p.ask("POST", "/agent/v1/hello", bearer(p.keys.AgentToken("far")), `{"agent":"far","slots":0}`); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", resp.Status, body)
	}
	for name, c := range map[string]struct {
		agent         andon.AgentName
		epoch, served int64
		status        int
	}{
		"its own place":         {"local", p.epoch, 7, 200},
		"an older connection":   {"local", p.epoch - 1, 100, 409},
		"another agent's place": {"far", 1, 1000, 200}, // it is passed over: the place may have been its own just now
	} {
		if got := report(c.agent, c.epoch, c.served); got != c.status {
			t.Errorf("%s: status %d, want %d", name, got, c.status)
		}
	}
	if l := p.engine.Ledgers(place); len(l) != 1 || l[0].Served != 7 {
		t.Errorf("the ledgers are %+v", l)
	}
}

func TestAgents_AppendLogsByOffset(t *testing.T) {
	p := newPlant(t)
	p.connect()
	p.push("a", "main", "Begin", shopYAML)
	header := bearer(p.keys.AgentToken("local"))
	for _, c := range []struct{ offset, body, want string }{
		{"0", "hello ", `{"next":6}`},
		{"0", "hello world", `{"next":11}`}, // repeats what is there
		{"50", "far away", `{"next":11}`},   // a gap
		{"11", "", `{"next":11}`},           // only asks
	} {
		resp, body := p.ask("POST", "/agent/v1/logs/task/shop.1.commit.test.1/1?offset="+c.offset, header, c.body)
		if resp.StatusCode != http.StatusOK || strings.TrimSpace(body) != c.want {
			t.Errorf("%+v: %s %s", c, resp.Status, body)
		}
	}
	// A piece that is longer than what is in memory at once, which repeats what is there.
	long := "hello world" + strings.Repeat("0123456789abcdef", 40_000)
	if resp, body := p.ask("POST", "/agent/v1/logs/task/shop.1.commit.test.1/1?offset=0", header, long); strings.TrimSpace(body) != fmt.Sprintf(`{"next":%d}`, len(long)) {
		t.Errorf("a long piece: %s %s", resp.Status, body)
	}
	if _, body := p.ask("GET", "/api/v1/logs/bytes?log=task/shop.1.commit.test.1/1", bearer(admin), ""); body != long {
		t.Errorf("the log has %d bytes, not the %d that were sent", len(body), len(long))
	}
	if resp, body := p.ask("POST", "/agent/v1/logs/..%2f..%2fx?offset=0", header, "x"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a hostile name: %s %s", resp.Status, body)
	}
}
