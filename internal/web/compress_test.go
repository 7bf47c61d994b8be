package web_test

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/line"
)

// ask makes a request that says what coding it takes; the answer is as it was sent.
func (s *site) ask(path, coding string, header ...string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.server.URL+path, nil)
	s.must(err)
	r.Header.Set("Accept-Encoding", coding)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := s.client.Do(r)
	s.must(err)
	s.t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// inflated returns what a compressed answer says.
func (s *site) inflated(answer *http.Response) string {
	s.t.Helper()
	z, err := gzip.NewReader(answer.Body)
	s.must(err)
	text, err := io.ReadAll(z)
	s.must(err)
	return string(text)
}

func TestPages_AreCompressedForWhoTakesThat(t *testing.T) {
	s := newSite(t)
	s.signIn()
	s.plant.Push(enginetest.Commit(1), "main", "ann", "Sell books", shopYAML)
	s.plant.Settle(enginetest.Digest)
	for _, path := range []string{"/board", "/flow", "/measures", "/services/shop/versions/1", "/services/shop", "/nothing"} {
		plain := s.ask(path, "identity")
		body, err := io.ReadAll(plain.Body)
		s.must(err)
		for _, coding := range []string{"gzip, deflate, br", "gzip;q=0.5", "br, gzip"} {
			answer := s.ask(path, coding)
			if answer.Header.Get("Content-Encoding") != "gzip" || strings.Join(answer.Header.Values("Vary"), ", ") != "Accept-Encoding" || answer.StatusCode != plain.StatusCode {
				t.Errorf("%s for %s: %s %v", path, coding, answer.Status, answer.Header)
				continue
			}
			if text := s.inflated(answer); len(text) == 0 || path == "/board" && text != string(body) {
				t.Errorf("%s for %s says\n%s\nnot\n%s", path, coding, text, body)
			}
		}
		for _, coding := range []string{"identity", "gzip;q=0", "deflate, br", "xgzip"} {
			if answer := s.ask(path, coding); answer.Header.Get("Content-Encoding") != "" || answer.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s for %s: %v", path, coding, answer.Header)
			}
		}
	}
}

func TestBoard_TellsReadersOfCompressedStreamsAtOnce(t *testing.T) {
	s := newSite(t)
	s.signIn()
	s.plant.Push(enginetest.Commit(1), "main", "ann", "Sell books", shopYAML)
	s.plant.Settle(enginetest.Digest)
	edition := regexp.MustCompile(`data-edition="([^"]+)"`).FindStringSubmatch(s.page("/board", http.StatusOK))[1]
	var readers []*bufio.Reader
	for range 3 {
		answer := s.ask("/board/live?after="+edition, "gzip")
		if answer.Header.Get("Content-Encoding") != "gzip" || answer.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("the stream has %v", answer.Header)
		}
		z, err := gzip.NewReader(answer.Body)
		s.must(err)
		readers = append(readers, bufio.NewReader(z))
	}
	for _, reason := range []string{"stocktaking", "stocktaking again"} {
		cord := andon.Scope{Kind: andon.ScopeService, Service: "shop"}
		s.plant.Do(line.PullCord{Scope: cord, Reason: reason})
		for _, r := range readers {
			for {
				text, err := r.ReadString('\n')
				s.must(err)
				if strings.HasPrefix(text, "data: ") && strings.Contains(text, reason) {
					break
				}
			}
		}
		s.plant.Do(line.ReleaseCord{Scope: cord, Reason: "counted"})
	}
}

func TestAssets_AreKeptForAsLongAsTheyAreTheSame(t *testing.T) {
	s := newSite(t)
	s.signIn()
	style := regexp.MustCompile(`href="(/static/style\.css\?v=[0-9a-f]{16})"`).FindStringSubmatch(s.page("/board", http.StatusOK))
	if style == nil {
		t.Fatal("the page names no edition of its style sheet")
	}
	answer := s.ask(style[1], "gzip")
	if answer.Header.Get("Cache-Control") != "private, max-age=31536000, immutable" || answer.Header.Get("Content-Encoding") != "gzip" ||
		answer.Header.Get("Vary") != "Accept-Encoding" || !strings.Contains(s.inflated(answer), "body") {
		t.Errorf("the style sheet has %v", answer.Header)
	}
	tags := map[string]bool{}
	for _, coding := range []string{"gzip", "identity"} {
		first := s.ask("/static/style.css", coding)
		tag := first.Header.Get("ETag")
		tags[tag] = true
		if first.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("without its edition it has %v", first.Header)
		}
		if again := s.ask("/static/style.css", coding, "If-None-Match", tag); again.StatusCode != http.StatusNotModified {
			t.Errorf("who has it is answered with %s", again.Status)
		}
	}
	if len(tags) != 2 || tags[""] {
		t.Errorf("the tags are %v", tags)
	}
	if old := s.ask("/static/style.css?v=0123456789abcdef", "gzip"); old.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("another edition than this has %v", old.Header)
	}
	if none := s.ask("/static/none.css", "gzip"); none.StatusCode != http.StatusNotFound {
		t.Errorf("what is not there is answered with %s", none.Status)
	}
}
