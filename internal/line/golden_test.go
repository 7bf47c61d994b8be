package line

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

var writeGolden = flag.Bool("golden", false, "write a new golden journal; only for a release, and never over one that was released")

// goldens is how many golden journals there are. The newest is the one that recordGolden writes;
// those before it are what earlier programs wrote.
const goldens = 3

func goldenJournal(n int) string { return fmt.Sprintf("testdata/journal-%d.jsonl", n) }
func goldenState(n int) string   { return fmt.Sprintf("testdata/state-%d.json", n) }

// TestGoldenJournal replays journals that earlier programs wrote. They must always lead to the
// states that they led to then: events are facts, which new code never reads in another way. What
// a new release adds to the state may be added to the golden states by hand.
func TestGoldenJournal(t *testing.T) {
	if *writeGolden {
		recordGolden(t)
	}
	seen := map[string]bool{}
	for n := 1; n <= goldens; n++ {
		replayGolden(t, n, seen)
	}
	for _, name := range andon.EventNames() {
		if !seen[name] {
			t.Errorf("the golden journals lack the event %s: add a journal of its own for what is new", name)
		}
	}
}

func replayGolden(t *testing.T, n int, seen map[string]bool) {
	t.Helper()
	f, err := os.Open(goldenJournal(n))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := New()
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
	want, err := os.ReadFile(goldenState(n))
	if err != nil {
		t.Fatal(err)
	}
	if got := indented(t, s); !bytes.Equal(got, want) {
		t.Errorf("golden journal %d leads to another state:\n%s", n, got)
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

// recordGolden plays a history in which everything happens once that the journals before it lack:
// a canary that is judged well and one that is judged worse, a group that stays warm, one that
// goes with its time, and one that a rollback takes; and an estate that adds an environment and
// takes it away.
func recordGolden(t *testing.T) {
	p := newPlant(t)
	watch := andon.Watch{Errors: 1, Latency: 2, Least: 50}
	p.must(CreatePlant{Environments: []andon.Environment{
		{Name: "test", Rollout: andon.Rollout{Strategy: andon.Rolling, MaxUnavailable: 1, MaxSurge: 1}, Hosts: "{service}.test.localhost"},
		{Name: "production", Rollout: andon.Rollout{
			Strategy: andon.Canary, Canary: []andon.CanaryStep{{Weight: 10, Pause: time.Minute}, {Weight: 50, Pause: time.Minute}},
			Soak: time.Minute, Warm: 10 * time.Minute, Watch: &watch,
		}, Hosts: "{service}.localhost"},
	}})
	p.Deployed("one")
	p.Push("two")
	p.At("production", andon.StepPausing)
	p.judge("production", 0)
	p.Until("two is live", func() bool { return p.Live("production") == 2 })
	p.Push("three, which is bad")
	p.At("production", andon.StepPausing)
	p.judge("production", 30)
	p.Settle()
	p.Push("four")
	p.must(ReleaseCord{Cord: p.s.Cords[0].ID, Reason: "it may go"})
	p.Until("four is live", func() bool { return p.Live("production") == 4 })
	p.must(Rollback{Place: andon.Place{Service: "shop", Environment: "production"}, Reason: "it is slow"})
	p.Until("two is live again", func() bool { return p.Live("production") == 2 })
	p.must(ReleaseCord{Cord: p.s.Cords[0].ID, Reason: "it may go"})
	p.Push("five")
	p.Until("five is live", func() bool { return p.Live("production") == 5 })
	p.must(estateOf("test", "production", "staging"))
	p.must(estateOf("test", "production"))
	var journal bytes.Buffer
	for i, e := range p.events {
		e.Seq = andon.Seq(i + 1)
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		journal.Write(append(b, '\n'))
	}
	if err := os.MkdirAll(filepath.Dir(goldenJournal(goldens)), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{goldenJournal(goldens): journal.Bytes(), goldenState(goldens): indented(t, p.s)} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
