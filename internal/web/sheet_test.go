package web_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/line"
)

var editionOf = regexp.MustCompile(`data-edition="([^"]*)"`)

// A change is one event of a live sheet.
type change struct {
	id, name string
	parts    map[string]string
}

// watch follows the board from an edition on, as a browser does.
func (s *site) watch(query, last string) (next func() change) {
	s.t.Helper()
	return s.follow("/board/live"+query, last)
}

// follow reads the changes of a live page.
func (s *site) follow(path, last string) (next func() change) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.server.URL+path, nil)
	s.must(err)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	answer, err := s.client.Do(request)
	s.must(err)
	s.t.Cleanup(func() { answer.Body.Close() })
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || kind != "text/event-stream" {
		s.t.Fatalf("%s, %s", answer.Status, kind)
	}
	lines := bufio.NewReader(answer.Body)
	return func() (c change) {
		for {
			text, err := lines.ReadString('\n')
			if err != nil {
				s.t.Fatalf("the stream ended: %v", err)
			}
			text = strings.TrimSuffix(text, "\n")
			switch {
			case strings.HasPrefix(text, "id: "):
				c.id = text[4:]
			case strings.HasPrefix(text, "event: "):
				c.name = text[7:]
			case strings.HasPrefix(text, "data: "):
				s.must(json.Unmarshal([]byte(text[6:]), &c.parts))
			case text == "" && c.name != "":
				return c
			}
		}
	}
}

func (s *site) edition() string {
	s.t.Helper()
	found := editionOf.FindStringSubmatch(s.page("/board", http.StatusOK))
	if found == nil {
		s.t.Fatal("the board has no edition")
	}
	return found[1]
}

func twoServices(t *testing.T) *site {
	s := newSite(t)
	s.plant.Push(enginetest.Commit(1), "main", "Ada", "first", shopYAML)
	s.plant.Settle(nil)
	s.plant.Do(line.AddService{Service: "cart"})
	s.signIn()
	return s
}

func TestBoard_SendsTheRowsThatChanged(t *testing.T) {
	s := twoServices(t)
	edition := s.edition()
	next := s.watch("?after="+edition, "")
	s.plant.Push(enginetest.Commit(2), "main", "Ada", "second thoughts", shopYAML)
	first := next()
	for !strings.Contains(first.parts["row-shop"], "second thoughts") {
		first = next()
	}
	if _, other := first.parts["row-cart"]; other || first.name != "parts" {
		t.Errorf("what happened to one service drew %v, as %s", first.parts, first.name)
	}
	s.plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "lunch"})
	stopped := next()
	for !strings.Contains(stopped.parts["stops"], "lunch") {
		stopped = next()
	}
	for _, id := range []string{"row-shop", "row-cart"} {
		if !strings.Contains(stopped.parts[id], "■ stopped") {
			t.Errorf("%s does not say that the line stands: %s", id, stopped.parts[id])
		}
	}
	if !strings.Contains(stopped.parts["head"], `data-state="stopped"`) {
		t.Errorf("the head does not say that the line stands: %s", stopped.parts["head"])
	}

	// The connection was lost right after the page was loaded: everything since then comes at once.
	late := s.watch("?after=nonsense", edition)()
	if late.name != "parts" || !strings.Contains(late.parts["row-shop"], "second thoughts") || late.parts["stops"] == "" {
		t.Errorf("a reader who comes back gets %v", late)
	}
	// It was lost after the last change: nothing comes before something happens.
	again := s.watch("?after="+edition, late.id)
	s.plant.Do(line.ReleaseCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "fed"})
	if c := again(); !strings.Contains(c.parts["head"], "The line runs") {
		t.Errorf("after the last edition comes %v", c)
	}
}

// TestBoard_SaysThatAHostIsAwayUntilItIsBack: and why, as long as nobody hears of its agent.
func TestBoard_SaysThatAHostIsAwayUntilItIsBack(t *testing.T) {
	s := twoServices(t)
	hello := line.ConnectAgent{Hello: andon.Hello{Agent: "web1", Slots: 1, Build: "1.0.0"}}
	s.plant.Do(hello)
	next := s.watch("?after="+s.edition(), "")
	s.plant.Do(line.LoseAgent{Agent: "web1", Epoch: 1, Reason: "not heard of for 25 s"})
	gone := next()
	for !strings.Contains(gone.parts["stops"], "Host web1 is away") {
		gone = next()
	}
	if !strings.Contains(gone.parts["stops"], "not heard of for 25 s") {
		t.Errorf("the board does not say why: %s", gone.parts["stops"])
	}
	s.plant.Do(hello)
	back := next()
	for back.parts["stops"] == "" {
		back = next()
	}
	if strings.Contains(back.parts["stops"], "web1") {
		t.Errorf("the board says of a host that is back: %s", back.parts["stops"])
	}
}

func TestBoard_IsLoadedAnewWhenItsRowsAreOthers(t *testing.T) {
	s := twoServices(t)
	edition := s.edition()
	next := s.watch("?after="+edition, "")
	s.plant.Do(line.AddService{Service: "basket"})
	for c := next(); c.name != "anew"; c = next() {
		if c.parts["row-basket"] != "" {
			t.Fatalf("a row comes that the page has no place for: %v", c)
		}
	}
	for _, of := range []string{"", "nonsense", "1-1", "-", edition[:len(edition)-1] + "99999"} {
		if c := s.watch("?after="+of, "")(); c.name != "anew" {
			t.Errorf("edition %q gets %v", of, c)
		}
	}
}

func TestBoard_IsTheSameCompressed(t *testing.T) {
	s := twoServices(t)
	plain := s.page("/board", http.StatusOK)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+"/board", nil)
	s.must(err)
	request.Header.Set("Accept-Encoding", "gzip")
	answer, err := s.client.Do(request)
	s.must(err)
	defer answer.Body.Close()
	if answer.Header.Get("Content-Encoding") != "gzip" || !slices.Contains(answer.Header.Values("Vary"), "Accept-Encoding") {
		t.Fatalf("%v", answer.Header)
	}
	unpacked, err := gzip.NewReader(answer.Body)
	s.must(err)
	body, err := io.ReadAll(unpacked)
	s.must(err)
	if string(body) != plain {
		t.Error("the compressed board is another one")
	}
}
