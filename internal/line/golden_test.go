package line

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

var writeGolden = flag.Bool("golden", false, "write a new golden journal; only for a release, and never over one that was released")

const (
	goldenJournal = "testdata/journal-1.jsonl"
	goldenState   = "testdata/state-1.json"
)

// TestGoldenJournal replays a journal that an earlier program wrote. It must always lead to the
// state that it led to then: events are facts, which new code never reads in another way. What a
// new release adds to the state may be added to the golden state by hand.
func TestGoldenJournal(t *testing.T) {
	if *writeGolden {
		recordGolden(t)
	}
	f, err := os.Open(goldenJournal)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := New()
	seen := map[string]bool{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e andon.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		seen[e.Body.EventName()] = true
		s.Apply(e)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range andon.EventNames() {
		if !seen[name] {
			t.Errorf("the golden journal lacks the event %s: add a journal of its own for what is new", name)
		}
	}
	want, err := os.ReadFile(goldenState)
	if err != nil {
		t.Fatal(err)
	}
	if got := indented(t, s); !bytes.Equal(got, want) {
		t.Errorf("the golden journal leads to another state:\n%s", got)
	}
}

// indented returns the state as JSON for people, in an order that does not depend on the order of
// the fields in Go.
func indented(t *testing.T, s *State) []byte {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var ordered any
	fields := json.NewDecoder(bytes.NewReader(b))
	fields.UseNumber()
	if err := fields.Decode(&ordered); err != nil {
		t.Fatal(err)
	}
	if b, err = json.MarshalIndent(ordered, "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// recordGolden plays a history in which everything happens once.
func recordGolden(t *testing.T) {
	p := newPlant(t)
	p.Deployed("one")
	p.world.job = failing(2, "e2e")
	p.Push("two, which is bad")
	p.Settle()
	p.world.job = nil
	p.PushTo("feature", "three")
	p.Settle()
	p.Push("three")
	p.Settle()
	p.Deployed("four")
	p.must(Rollback{Place: andon.Place{Service: "shop", Environment: "production"}, Reason: "it is slow"})
	p.Settle()
	p.pipe = withGate(p.pipe, "production")
	p.Push("five")
	p.Settle()
	p.must(Promote{Version: p.ref(5), Stage: "production", Reason: "looks good"})
	p.At("production", andon.StepSoaking)
	p.must(PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: "stop"})
	p.service = "cart"
	p.Push("one")
	p.must(ExpireLease{Task: "cart.1.commit.test.1", Token: p.s.Tasks["cart.1.commit.test.1"].Token})
	p.must(Cancel{Version: p.ref(1)})
	p.service = "old"
	p.Push("one")
	p.must(RemoveService{Service: "old", Reason: "not needed"})
	p.world.pass(time.Second)
	p.world.connect("builder", 1)
	p.world.lose(p.world.agents["builder"])
	var journal bytes.Buffer
	for i, e := range p.events {
		e.Seq = andon.Seq(i + 1)
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		journal.Write(append(b, '\n'))
	}
	if err := os.MkdirAll(filepath.Dir(goldenJournal), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{goldenJournal: journal.Bytes(), goldenState: indented(t, p.s)} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
