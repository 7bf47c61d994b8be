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
const goldens = 4

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
// hosts that are added, join, get copies behind an edge, and are removed; an estate that is pushed,
// followed and refused.
func recordGolden(t *testing.T) {
	p := newPlant(t)
	for _, name := range []andon.AgentName{"edge", "web-1", "web-2"} {
		labels := map[string]string{andon.LabelEnvironment: "production"}
		if name == "edge" {
			labels = map[string]string{andon.LabelRole: andon.RoleEdge}
		}
		p.must(AddHost{Host: name, Labels: labels, TokenHash: "hash", Expires: p.now.Add(time.Hour)})
		p.must(JoinHost{Host: name, TokenHash: "hash", Key: "key of " + string(name)})
		p.world.connect(name, 1)
	}
	p.Deployed("one")
	p.world.lose(p.world.agents["web-2"])
	p.must(RemoveHost{Host: "web-2", Force: true, Reason: "it burnt down"})
	p.Deployed("two")
	given := estateOf("test", "production", "staging")
	given.Environments[1].Limits = andon.Limits{Memory: 512 << 20, CPU: 500, Processes: 200}
	given.Environments[1].MostInstances = 4
	given.Environments[1].Aliases = []string{"{service}.example.org"}
	given.Environments[1].Routes = map[andon.ServiceName][]string{"cart": {"basket.example"}}
	given.Origin = andon.EstatePushed
	p.must(given)
	p.Deployed("three")
	p.must(FollowEstate{Source: andon.Source{URL: "https://git.example/estate.git"}})
	followed := estateOf("test", "production")
	followed.Commit, followed.Origin = commit("estate"), andon.EstateWatched
	p.must(followed)
	p.must(RefuseEstate{Commit: commit("bad estate"), Problems: []*andon.Error{andon.Errorf(andon.KindInvalid, "unknown key")}})
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
