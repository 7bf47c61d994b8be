package line

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
)

// defaultHistories is how many random histories `go test` runs. ANDON_SOAK sets another number, as
// `make test` does, without the race detector, which one goroutine has no use for.
const defaultHistories = 500

// TestSimulation plays random histories: people who push, promote, deploy, roll back, cancel and
// pull cords at bad moments, agents that lag, crash, repeat themselves and go away, copies that
// crash or never get healthy, requests that never end, clocks that jump. The invariants hold
// after each event; once the faults stop, everything comes to rest; and the replayed journal gives
// the same state. A seed names a history: go test -run 'TestSimulation/seed=42$'.
func TestSimulation(t *testing.T) {
	n := defaultHistories
	if s := os.Getenv("ANDON_SOAK"); s != "" {
		soak, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("ANDON_SOAK: %v", err)
		}
		n = soak
	}
	if m := regexp.MustCompile(`seed=(\d+)`).FindStringSubmatch(flag.Lookup("test.run").Value.String()); m != nil {
		t.Run(m[0], func(t *testing.T) { playAgain(t, m[1]) })
		return
	}
	seeds := make(chan uint64)
	var mu sync.Mutex
	failed, total := 0, stats{}
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := range seeds {
				broken, st := play(t, seed)
				mu.Lock()
				total.add(st)
				if len(broken) > 0 && failed < 10 {
					failed++
					t.Errorf("seed %d: %s\n\tagain with: go test -run 'TestSimulation/seed=%d$' ./internal/line", seed, broken[0], seed)
				}
				mu.Unlock()
			}
		})
	}
	for i := range uint64(n) {
		mu.Lock()
		stop := failed >= 10
		mu.Unlock()
		if stop {
			break
		}
		seeds <- i + 1
	}
	close(seeds)
	workers.Wait()
	t.Logf("%d histories: %s", n, total)
	total.covered(t, n)
}

// playAgain plays one history and shows how it ended.
func playAgain(t *testing.T, digits string) {
	seed, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	broken, st := play(t, seed)
	for _, b := range broken {
		t.Error(b)
	}
	for _, e := range st.tail {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s", line)
	}
}

// stats counts what happened in histories, to show that they go everywhere.
type stats struct {
	events   int
	outcomes map[andon.Outcome]int // of deployments
	names    map[string]int        // of events
	rollback int                   // that succeeded
	tail     []andon.Event         // the last ones
}

func (s *stats) add(o stats) {
	s.events += o.events
	s.rollback += o.rollback
	for k, n := range o.outcomes {
		fill(&s.outcomes)
		s.outcomes[k] += n
	}
	for k, n := range o.names {
		fill(&s.names)
		s.names[k] += n
	}
}

func (s stats) String() string {
	return fmt.Sprintf("%d events, deployments %v, rollbacks %d, cords pulled %d and released %d",
		s.events, s.outcomes, s.rollback, s.names["cord_pulled"], s.names["cord_released"])
}

// covered fails when many histories never did something that they are there to do.
func (s stats) covered(t *testing.T, n int) {
	if n < 2000 || t.Failed() {
		return
	}
	for _, name := range andon.EventNames() {
		if s.names[name] == 0 {
			t.Errorf("no history has the event %s", name)
		}
	}
	for _, o := range []andon.Outcome{andon.Succeeded, andon.Failed, andon.Aborted, andon.Cancelled, andon.Superseded, andon.NeedsAttention} {
		if s.outcomes[o] == 0 {
			t.Errorf("no deployment ends %s", o)
		}
	}
	if s.rollback == 0 {
		t.Error("no rollback succeeds")
	}
}
