package proxy

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

var testPlace = andon.Place{Service: "shop", Environment: "production"}

func openTestLedgers(t *testing.T, dir string) *ledgers {
	t.Helper()
	lane, err := lockLane(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := openLedgers(dir, lane, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func openLedger(t *testing.T, l *ledgers, n int64) *ledger {
	t.Helper()
	led, err := l.open(testPlace, andon.NewDeploymentID(testPlace, n))
	if err != nil {
		t.Fatal(err)
	}
	return led
}

func TestLedgers_CountAsUnknownWhatAKillLeftInFlight(t *testing.T) {
	dir := t.TempDir()
	first := openTestLedgers(t, dir)
	led := openLedger(t, first, 1)
	led.lane.started.Add(10)
	led.lane.served.Add(6)
	led.lane.failed.Add(1)
	first.close() // as a kill does: nothing else is written

	for range 3 { // settling again changes nothing
		again := openTestLedgers(t, dir)
		got := again.of(testPlace)
		if len(got) != 1 || got[0].Unknown != 3 || got[0].Requests() != 10 {
			t.Errorf("ledgers %+v, want 3 unknown of 10", got)
		}
		again.close()
	}
}

func TestLedgers_SettleTheOtherLaneOnlyWhenItsProcessIsGone(t *testing.T) {
	dir := t.TempDir()
	old := openTestLedgers(t, dir)
	led := openLedger(t, old, 1)
	led.lane.started.Add(2)
	next := openTestLedgers(t, dir)
	defer next.close()
	next.settleOther()
	if got := next.of(testPlace)[0]; got.Unknown != 0 {
		t.Errorf("%+v while the old process counts", got)
	}
	led.lane.served.Add(1)
	old.close()
	next.settleOther()
	if got := next.of(testPlace)[0]; got.Served != 1 || got.Unknown != 1 {
		t.Errorf("%+v, want one served and one unknown", got)
	}
}

func TestLedgers_DoNotReuseASlotThatIsInUse(t *testing.T) {
	l := openTestLedgers(t, t.TempDir())
	defer l.close()
	first := openLedger(t, l, 1)
	first.lane.started.Add(1)
	var used []*slot
	for n := range int64(2 * segmentSlots) {
		led := openLedger(t, l, n+2)
		if led.slot == first.slot {
			t.Fatalf("ledger %d has the slot of a ledger with a request in flight", n+2)
		}
		used = append(used, led.slot)
	}
	if len(l.file.segments) != 1 {
		t.Errorf("the file grew to %d segments for %d ledgers", len(l.file.segments), traffic.KeptLedgers)
	}
	first.lane.served.Add(1)
	openLedger(t, l, int64(len(used))+2)
	if !slices.Contains(l.file.unused, first.slot) {
		t.Error("the slot is never used again")
	}
}

func TestLedgers_GrowTheFile(t *testing.T) {
	dir := t.TempDir()
	l := openTestLedgers(t, dir)
	for i := range segmentSlots + 10 {
		p := andon.Place{Service: andon.ServiceName("s" + string(rune('a'+i%26)) + string(rune('a'+i/26))), Environment: "test"}
		led, err := l.open(p, andon.NewDeploymentID(p, 1))
		if err != nil {
			t.Fatal(err)
		}
		led.lane.started.Add(1)
		led.lane.served.Add(1)
	}
	l.close()
	again := openTestLedgers(t, dir)
	defer again.close()
	if len(again.places) != segmentSlots+10 || len(again.file.segments) != 2 {
		t.Errorf("%d places in %d segments", len(again.places), len(again.file.segments))
	}
}

func TestLedgers_StartAnewWhenTheFileIsNotTheirs(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"magic":   func(b []byte) []byte { b[0] ^= 1; return b },
		"version": func(b []byte) []byte { b[8]++; return b },
		"short":   func(b []byte) []byte { return b[:headerSize+100] },
		"name":    func(b []byte) []byte { b[headerSize+24] ^= 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := openTestLedgers(t, dir)
			openLedger(t, l, 1)
			l.close()
			path := filepath.Join(dir, "counters.map")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, spoil(b), 0o600); err != nil {
				t.Fatal(err)
			}
			again := openTestLedgers(t, dir)
			defer again.close()
			if len(again.places) != 0 {
				t.Errorf("places %v", again.places)
			}
			if _, err := os.Stat(path + ".corrupt"); err != nil {
				t.Errorf("the old file is not kept: %v", err)
			}
		})
	}
}

func TestLedgers_KeepTheGroupsOfEachOverARestart(t *testing.T) {
	dir := t.TempDir()
	first := openTestLedgers(t, dir)
	led := openLedger(t, first, 2)
	for _, id := range []andon.GroupID{"shop.production.1", "shop.production.2"} {
		a := attempt{group: first.group(led, id), bucket: -1}
		a.answered(500, 3*time.Millisecond)
		a.end(false)
		a.end(false) // it counts once
	}
	first.group(led, "shop.production.3") // never had a request
	first.close()

	again := openTestLedgers(t, dir)
	defer again.close()
	groups := again.groupsOf(testPlace)
	if len(groups) != 2 {
		t.Fatalf("groups %+v, want two", groups)
	}
	for _, g := range groups {
		bucket := andon.LatencyBucket(andon.LatencyBounds(), 3*time.Millisecond)
		if g.Ledger != led.deployment || g.Requests != 1 || g.Errors != 1 || len(g.Latency) != bucket+1 || g.Latency[bucket] != 1 {
			t.Errorf("group %+v", g)
		}
	}
	for n := range int64(traffic.KeptLedgers + 1) {
		openLedger(t, again, n+3)
	}
	if groups := again.groupsOf(testPlace); len(groups) != 0 {
		t.Errorf("groups %+v of a ledger that is not kept", groups)
	}
	for s := range again.groupFile.slots {
		if s.inUse() {
			t.Errorf("the slot of %s is in use", s.group[:s.groupLen])
		}
	}
}
