package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andon-cd/andon/api"
)

// attemptScript is a step that finds out by itself what must never be: another attempt at its
// task that still runs, and a step of a server that is gone. Locks end with the processes that
// hold them, children included, and not before.
const attemptScript = `
tell() { echo "$ANDON_TASK attempt $ANDON_ATTEMPT: $1" >> "$ANDON_CACHE/overlaps"; exit 1; }
mkdir -p "$ANDON_CACHE/tasks" "$ANDON_CACHE/servers/$PPID"
exec 8> "$ANDON_CACHE/tasks/$ANDON_TASK"
flock -n 8 || tell "another attempt still runs"
for server in "$ANDON_CACHE"/servers/*; do
  [ "$server" != "$ANDON_CACHE/servers/$PPID" ] || continue
  for step in "$server"/*; do
    flock -n -s "$step" true || tell "a step of a server that is gone still runs: $step"
  done
done
exec 9> "$ANDON_CACHE/servers/$PPID/$ANDON_TASK"
flock 9
echo "$ANDON_TASK $ANDON_ATTEMPT $PPID" >> "$ANDON_CACHE/started"
sleep 0.3 &
sleep 0.2
wait
`

// crashPipeline makes the way to production long enough to be hit everywhere.
var crashEdits = []string{
	"steps: [sh ./test.sh]", "steps: [\". ./attempt.sh\", \"sh ./test.sh\"]",
	"smoke:\n", "smoke:\n  - run: . ./attempt.sh\n",
	"deploy: test,", "deploy: test, jobs: {accept: {steps: [\". ./attempt.sh\"]}},",
}

// A massacre kills the server of a plant again and again while the plant works.
type massacre struct {
	t      *testing.T
	plant  *plant
	shop   *repository
	events *follower
	load   *load
	random *rand.Rand

	commits  int
	verified int64 // the position up to which events were compared
	promises int64 // the highest position that a command was answered with
}

// kills returns how often the server is killed: ANDON_KILLS, or 10.
func kills(t *testing.T) int {
	text := os.Getenv("ANDON_KILLS")
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("ANDON_KILLS is %q", text)
	}
	return n
}

// seed returns what the random choices follow from: ANDON_SEED, or the time.
func seed(t *testing.T) uint64 {
	text := os.Getenv("ANDON_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano())
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("ANDON_SEED is %q", text)
	}
	return n
}

func TestCrash_EverythingEndsAndNothingIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	n, s := kills(t), seed(t)
	t.Logf("replay with ANDON_KILLS=%d ANDON_SEED=%d", n, s)
	p := startFixedPlant(t)
	m := &massacre{t: t, plant: p, random: rand.New(rand.NewPCG(s, s))}
	m.shop = p.newShop(crashEdits...)
	m.events = p.follow()
	first := m.shop.Ship("Begin", files{"attempt.sh": attemptScript})
	m.load = p.newLoad("shop.localhost", shopping)
	for i := range n {
		began := time.Now()
		what, after := m.strike()
		m.recover()
		t.Logf("kill %d: %s after %s of %s; at rest %s after that", i+1, "server killed", after, what, time.Since(began)-after)
		if t.Failed() {
			return
		}
	}
	m.load.stop()
	m.load.intact()
	m.load.balances(p, "shop", "production")
	m.events.verify(p, 0)
	p.Stop()
	p.Andon("audit", "verify", "--data", p.Data).Wants(t, done, "andon audit verify")
	sent, failed := m.load.count()
	t.Logf("%d kills, %d events, %d requests, %d failed; versions %d to %d", n, m.events.position(), sent, failed, first, m.commits+1)
}

// strike gives a command and kills the server at a random moment of what follows from it.
func (m *massacre) strike() (what string, after time.Duration) {
	after = time.Duration(m.random.IntN(1500)) * time.Millisecond
	what, command := m.choose()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		command()
	}()
	moment := time.NewTimer(after)
	defer moment.Stop()
	<-moment.C
	m.plant.Kill()
	orphans := with(processesOf(m.plant.Data), "ANDON_TASK")
	// The command ends before the next start: it was answered, or it failed, by this server.
	<-answered
	m.plant.Start()
	for _, orphan := range orphans {
		until(m.t, "a step of the killed server ends", func() error {
			if orphan.Alive() && orphan.Environ["ANDON_TASK"] != "" {
				return fmt.Errorf("process %d: %s, %s", orphan.PID, orphan.Command, orphan.Environ["ANDON_TASK"])
			}
			return nil
		})
	}
	return what, after
}

// choose returns a command, which runs beside the test and so fails nothing by itself: it may
// find no server any more.
func (m *massacre) choose() (what string, command func()) {
	switch dice := m.random.IntN(10); {
	case dice < 5:
		m.change("", "")
		return "a push", m.push
	case dice < 6:
		m.change("files/broken", "yes\n")
		return "a push whose smoke test fails", m.push
	case dice < 7:
		m.change("files/crash", "yes\n")
		return "a push that crashes at its start", m.push
	case dice < 8:
		version := m.plant.live("shop", "production")
		return fmt.Sprintf("a deployment of %d", version), func() {
			m.heed(m.plant.Client.Deploy(context.Background(), "shop", fmt.Sprint(version), api.Deploy{Environment: "test"}))
		}
	default:
		return "a rollback", func() {
			m.heed(m.plant.Client.Rollback(context.Background(), "shop", "production", api.Rollback{Reason: "to see whether it survives"}))
		}
	}
}

// heed remembers what the plant has acknowledged.
func (m *massacre) heed(answer api.Done, err error) {
	if err == nil {
		m.promises = max(m.promises, answer.Position)
	}
}

// change commits a version that differs by one file; without one, it is a good version.
func (m *massacre) change(path, text string) {
	m.commits++
	change := files{"files/answer.txt": fmt.Sprintf("hello %d\n", m.commits), "files/broken": "", "files/crash": ""}
	if path != "" {
		change[path] = text
	}
	m.shop.Commit(fmt.Sprintf("Change %d", m.commits), change)
}

func (m *massacre) push() { m.shop.TryPush("main") }

// recover checks, after the restart, everything that must hold.
func (m *massacre) recover() {
	m.t.Helper()
	p := m.plant
	ctx := m.t.Context()
	// What was pushed is there, whether or not git lived to say so; else the same push brings it.
	commit := m.shop.Git("rev-parse", "HEAD")
	if _, err := p.Client.Version(ctx, "shop", commit); err != nil {
		answer, _ := m.shop.TryPush("main")
		answer.Wants(m.t, done, "the push after the restart")
	}
	pushed, err := p.Client.Version(ctx, "shop", commit)
	if err != nil {
		m.t.Fatalf("the version of %s is not there after its push: %v", commit, err)
	}
	if head := p.status().Position; head < m.promises {
		m.t.Fatalf("position %d was acknowledged; the journal ends at %d", m.promises, head)
	}
	// A version that waits behind a cord ends when a newer one repairs what pulled it.
	until(m.t, "everything ends, or is held by a cord", func() error {
		s, err := p.Client.Status(ctx, "")
		if err != nil {
			return err
		}
		if n := s.Totals; n.Deployments+n.TasksRunning+n.TasksQueued > 0 || n.OnTheirWay > 0 && n.Cords == 0 {
			why, _ := p.Client.Why(ctx, api.WhyQuestion{})
			return fmt.Errorf("%+v: %s %+v", n, why.Sentence, why.Waits)
		}
		return nil
	})
	if p.status().Totals.Cords > 0 {
		m.change("", "")
		p.Wait(m.shop.Ref(m.shop.Push()), "live:production")
	}
	p.idle()
	if v := p.version("shop", pushed.Number); v.Ended == nil {
		m.t.Fatalf("version %d has not ended: %+v", v.Number, v)
	}
	m.nothingIsOrphaned()
	m.nothingOverlaps()
	m.verified = m.events.verify(p, m.verified)
	m.load.intact()
	m.load.balances(p, "shop", "production")
}

// nothingIsOrphaned compares the processes of the plant, at rest, with what it wants to run.
func (m *massacre) nothingIsOrphaned() {
	m.t.Helper()
	until(m.t, "what runs is what the plant wants", func() error {
		wanted := map[string]bool{}
		for _, place := range m.plant.service("shop").Places {
			for _, c := range place.CopyList {
				if c.Wanted {
					wanted[c.ID] = true
				}
			}
		}
		all := processesOf(m.plant.Data)
		if steps := with(all, "ANDON_TASK"); len(steps) > 0 {
			return fmt.Errorf("nothing is to be done, and step %s runs (process %d)", steps[0].Environ["ANDON_TASK"], steps[0].PID)
		}
		running := map[string]int{}
		for _, c := range with(all, "ANDON_INSTANCE") {
			id := c.Environ["ANDON_INSTANCE"]
			if running[id]++; !wanted[id] || running[id] > 1 {
				return fmt.Errorf("process %d runs copy %s, which the plant does not want, or has already", c.PID, id)
			}
		}
		if len(running) != len(wanted) {
			return fmt.Errorf("%d copies run: %v; the plant wants %v", len(running), running, wanted)
		}
		return nil
	})
}

// nothingOverlaps reads what the steps themselves found.
func (m *massacre) nothingOverlaps() {
	m.t.Helper()
	caches, err := filepath.Glob(filepath.Join(m.plant.Data, "agent", "cache", "*"))
	if err != nil || len(caches) == 0 {
		m.t.Fatalf("there is no cache of the steps: %v", err)
	}
	for _, cache := range caches {
		if text, err := os.ReadFile(filepath.Join(cache, "overlaps")); err == nil {
			m.t.Fatalf("attempts overlapped:\n%s", text)
		}
	}
	if text, err := os.ReadFile(filepath.Join(caches[0], "started")); err != nil || strings.TrimSpace(string(text)) == "" {
		m.t.Fatalf("the steps wrote nothing down: %v", err)
	}
}
