package httpapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/andon/andontest"
	"github.com/andon-cd/andon/internal/line"
)

var writeTranscript = flag.Int("transcript", 0, "write the transcript of that protocol; only for a new one, and never over one that was released")

// A gateway is between the agent of a plant and its server.
type gateway struct {
	t       *testing.T
	server  http.Handler
	request func(topic string, document []byte) ([]byte, error) // changes what the agent says
	heard   func(andontest.Exchange)                            // of what the server got and answered
}

// interpose puts a gateway before the server of a plant.
func interpose(p *plant, g *gateway) {
	g.t, g.server = p.t, p.api
	own := p.server.URL
	front := httptest.NewServer(g)
	p.server.URL = front.URL
	p.t.Cleanup(func() { front.Close(); p.server.URL = own })
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	topic := strings.TrimPrefix(r.URL.Path, "/agent/v1/")
	asked, err := io.ReadAll(r.Body)
	if err == nil && g.request != nil {
		asked, err = g.request("ask "+topic, asked)
	}
	if err != nil {
		g.t.Error(err)
		return
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(asked)), int64(len(asked))
	answer := httptest.NewRecorder()
	g.server.ServeHTTP(answer, r)
	g.heard(andontest.Exchange{Post: topic, Asked: asked, Status: answer.Code, Answer: answer.Body.Bytes()})
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // the agent fails if that does
}

// release lets a version of shop go to production, by an agent that says hello with those words.
func (p *plant) release(hello andon.Hello) {
	p.t.Helper()
	var welcome andon.Welcome
	p.say("hello", hello, &welcome)
	p.epoch = welcome.Epoch
	p.say("observe", andon.Observation{Agent: "local", Epoch: p.epoch, Full: true}, nil)
	p.push("a", "main", "Sell", releaseYAML)
	p.settle()
	ledger := andon.Ledger{Deployment: "shop.production.1", Served: 120}
	p.say("counters", andon.Counters{Epoch: p.epoch, Places: []andon.PlaceLedger{
		{Place: andon.Place{Service: "shop", Environment: "production"}, Ledgers: []andon.Ledger{ledger}},
	}}, nil)
}

const releaseYAML = `service: shop
commit:
  jobs:
    build: {steps: [{name: compile, run: go build -o out/shop .}]}
  artifact: {path: out}
run: {command: ./shop, port: 8080, health: {path: /healthz}, env: {GREETING: hello}}
smoke: [{http: {path: /}}]
stages: [{name: production, deploy: production}]
`

// greeting is how an agent of today says hello.
func greeting() andon.Hello {
	return andon.Hello{
		Agent: "local", Slots: 2, Labels: map[string]string{"os": "linux"}, Build: "1.0.0",
		Protocol: andon.Protocol, Platforms: []string{andon.PlatformProcess}, Address: "127.0.0.1", MostTargets: 64,
	}
}

func (p *plant) wantLive() {
	p.t.Helper()
	p.must(p.engine.View(p.t.Context(), func(s *line.State) {
		place := s.Places["shop.production"]
		if place == nil || place.Live == nil {
			p.t.Error("no version of shop is live in production")
		}
	}))
}

// TestAgents_OfEarlierReleasesAreServed: an agent that says only what one of an earlier protocol
// said gets all that it reads, and brings a version to production.
func TestAgents_OfEarlierReleasesAreServed(t *testing.T) {
	if *writeTranscript > 0 {
		recordTranscript(t, *writeTranscript)
	}
	for _, protocol := range andontest.Protocols() {
		t.Run(fmt.Sprint("Protocol", protocol), func(t *testing.T) {
			transcript, err := andontest.Transcript(protocol)
			if err != nil {
				t.Fatal(err)
			}
			spoken, wanted, answered := andontest.Vocabulary{}, andontest.Vocabulary{}, andontest.Vocabulary{}
			hello := andon.Hello{}
			for _, e := range transcript {
				if err := spoken.Learn("ask "+e.Post, e.Asked); err != nil {
					t.Fatal(err)
				}
				if err := wanted.Learn(e.Post, e.Answer); err != nil {
					t.Fatal(err)
				}
				if e.Post == "hello" {
					err = json.Unmarshal(e.Asked, &hello)
				}
			}
			if err != nil || hello.Agent == "" {
				t.Fatalf("the transcript has no hello: %v", err)
			}
			p := newPlant(t)
			interpose(p, &gateway{request: spoken.Within, heard: func(e andontest.Exchange) { p.must(answered.Learn(e.Post, e.Answer)) }})
			p.release(hello)
			p.wantLive()
			if lacks := answered.Lacks(wanted); len(lacks) > 0 {
				t.Errorf("what agents of protocol %d read is said no more, or otherwise: %q", protocol, lacks)
			}
		})
	}
}

// TestAgents_OfALaterReleaseAreServed: fields that are not known are passed over, a later
// protocol is no reason to refuse an agent, and it is told which one the server speaks.
func TestAgents_OfALaterReleaseAreServed(t *testing.T) {
	p := newPlant(t)
	var welcome andon.Welcome
	interpose(p, &gateway{
		request: func(_ string, document []byte) ([]byte, error) { return andontest.Later(document) },
		heard: func(e andontest.Exchange) {
			if e.Post == "hello" {
				p.must(json.Unmarshal(e.Answer, &welcome))
			}
		},
	})
	hello := greeting()
	hello.Protocol++
	p.release(hello)
	p.wantLive()
	if welcome.Protocol != andon.Protocol {
		t.Errorf("the server said that it speaks protocol %d, want %d", welcome.Protocol, andon.Protocol)
	}
}

// recordTranscript writes what the agent of these tests and this server say to each other.
func recordTranscript(t *testing.T, protocol int) {
	p := newPlant(t)
	var lines bytes.Buffer
	interpose(p, &gateway{heard: func(e andontest.Exchange) {
		line, err := json.Marshal(e)
		p.must(err)
		lines.Write(append(line, '\n'))
	}})
	hello := greeting()
	hello.Protocol = protocol
	p.release(hello)
	p.must(os.WriteFile(fmt.Sprintf("../andon/andontest/testdata/protocol-%d.jsonl", protocol), lines.Bytes(), 0o600))
}
