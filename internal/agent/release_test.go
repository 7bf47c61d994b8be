package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/andon/andontest"
	"github.com/andon-cd/andon/internal/platform/fake"
)

// A tape answers an agent with what a server said to another, one piece of work after the other,
// and keeps what the agent says.
type tape struct {
	t       *testing.T
	welcome []byte
	works   [][]byte
	change  func([]byte) ([]byte, error) // of each answer; nil: none

	mu   sync.Mutex
	said []andontest.Exchange
}

// newTape takes the server's part of a transcript, with a command that this world's host knows.
func newTape(t *testing.T, transcript []andontest.Exchange) *tape {
	t.Helper()
	s := &tape{t: t}
	last := int64(-1)
	for _, e := range transcript {
		switch e.Post {
		case "hello":
			s.welcome = e.Answer
		case "work":
			var work andon.Work
			if err := json.Unmarshal(e.Answer, &work); err != nil {
				t.Fatal(err)
			}
			if work.Revision != last {
				answer := bytes.ReplaceAll(e.Answer, []byte(`["sh","-c","./shop"]`), []byte(`["`+fake.Forever+`"]`))
				s.works, last = append(s.works, answer), work.Revision
			}
		}
	}
	return s
}

// RoundTrip implements http.RoundTripper without a network, so that it can be used in a bubble.
func (s *tape) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	asked, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	topic := strings.TrimPrefix(r.URL.Path, "/agent/v1/")
	answer := []byte("{}")
	switch {
	case topic == "hello":
		answer = s.welcome
	case topic == "work":
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(5 * time.Second): // in which the agent does the work before
		}
		s.mu.Lock()
		answer = s.works[0]
		s.works = s.works[min(1, len(s.works)-1):]
		s.mu.Unlock()
	case strings.HasPrefix(topic, "logs/"):
		answer = fmt.Appendf(nil, `{"next": %d}`, len(asked))
	}
	if s.change != nil {
		if answer, err = s.change(answer); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	s.said = append(s.said, andontest.Exchange{Post: topic, Asked: asked})
	s.mu.Unlock()
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(answer)), Request: r}, nil
}

// phases returns what the agent said last of each copy, as ID=phase.
func (s *tape) phases() (phases []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := map[andon.InstanceID]andon.InstanceState{}
	for _, e := range s.said {
		var o andon.Observation
		if e.Post != "observe" {
			continue
		}
		if err := json.Unmarshal(e.Asked, &o); err != nil {
			s.t.Error(err)
		}
		for _, i := range o.Instances {
			last[i.ID] = i
		}
	}
	for id, i := range last {
		phases = append(phases, string(id)+"="+string(i.Phase))
	}
	slices.Sort(phases)
	return phases
}

// follows lets an agent work for a tape, and checks that it did what was to be done.
func (s *tape) follows(w *world, want ...string) {
	server, err := Dial("http://plant", "token", s)
	if err != nil {
		s.t.Fatal(err)
	}
	w.server = server
	w.agent()
	after(2 * time.Minute)
	if got := s.phases(); !slices.Equal(got, want) {
		s.t.Errorf("the server was told %v, want %v", got, want)
	}
	w.wantTargets("shop.production.1.0")
	if begun := w.runner.begun(); !slices.Equal(begun, []andon.Token{1, 2}) {
		s.t.Errorf("the agent began the tasks %v, want 1 and 2", begun)
	}
}

// TestAgent_WorksForServersOfEarlierReleases: what a server of an earlier protocol said is done,
// and the agent tells it all that it needs.
func TestAgent_WorksForServersOfEarlierReleases(t *testing.T) {
	for _, protocol := range andontest.Protocols() {
		transcript, err := andontest.Transcript(protocol)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			s := newTape(t, transcript)
			s.follows(newWorld(t), "shop.production.1.0=healthy")
			needed, told := andontest.Vocabulary{}, andontest.Vocabulary{}
			for _, e := range transcript {
				if err := needed.Learn(e.Post, e.Asked); err != nil {
					t.Fatal(err)
				}
			}
			for _, e := range s.said {
				if strings.HasPrefix(e.Post, "logs/") {
					continue
				}
				if err := told.Learn(e.Post, e.Asked); err != nil {
					t.Fatal(err)
				}
			}
			lacks := slices.DeleteFunc(told.Lacks(needed), func(path string) bool {
				return slices.ContainsFunc(notOfAgents, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
			})
			if len(lacks) > 0 {
				t.Errorf("servers of protocol %d need, and are told no more or otherwise: %q", protocol, lacks)
			}
		})
	}
}

// notOfAgents are fields of transcripts that this world's runner, proxy and settings have not.
var notOfAgents = []string{
	"hello.labels", "hello.address", "hello.most_targets",
	"tasks/report.result.steps", "tasks/report.result.artifact",
}

// TestAgent_WorksForAServerOfALaterRelease: fields that are not known are passed over, and a copy
// on a kind of platform that is not known is refused with its reason, to the harm of nothing else.
func TestAgent_WorksForAServerOfALaterRelease(t *testing.T) {
	transcript, err := andontest.Transcript(andon.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w, s := newWorld(t), newTape(t, transcript)
		s.change = func(answer []byte) ([]byte, error) {
			answer = bytes.ReplaceAll(answer, []byte(`"protocol":2`), []byte(`"protocol":3`))
			return andontest.Later(answer)
		}
		var work andon.Work
		if err := json.Unmarshal(s.works[len(s.works)-1], &work); err != nil {
			t.Fatal(err)
		}
		strange := work.Desired[0].Clone()
		strange.Place = andon.Place{Service: "till", Environment: "production"}
		strange.Copies[0].ID, strange.Copies[0].Group, strange.Copies[0].Spec.Platform = "till.production.1.0", "till.production.1", "wasm"
		strange.Route.Hosts, strange.Route.Targets = []string{"till.localhost"}, []andon.Target{{Instance: "till.production.1.0", Weight: 1}}
		work.Desired = append(work.Desired, strange)
		work.Revision++
		added, err := json.Marshal(work)
		if err != nil {
			t.Fatal(err)
		}
		s.works = append(s.works, added)
		s.follows(w, "shop.production.1.0=healthy", "till.production.1.0=failed")
		if said := w.log.String(); !strings.Contains(said, "this host's agent has no platform wasm") || !strings.Contains(said, "protocol=3") {
			t.Errorf("the log says:\n%s", said)
		}
	})
}
