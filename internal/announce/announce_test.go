package announce_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/announce"
	"github.com/andon-cd/andon/internal/engine/enginetest"
	"github.com/andon-cd/andon/internal/journal"
	"github.com/andon-cd/andon/internal/journal/sqlite"
	"github.com/andon-cd/andon/internal/line"
	"github.com/andon-cd/andon/internal/notify"
)

// A receiver is where messages go. It refuses what refuse says, and tells each try.
type receiver struct {
	mu     sync.Mutex
	got    []string // "TYPE REASON", as delivered
	ids    []string
	refuse func(try int, m notify.Message) error
	tries  int
	tried  chan string // the reason of each message tried
}

func newReceiver() *receiver { return &receiver{tried: make(chan string, 100)} }

func (r *receiver) Deliver(_ context.Context, m notify.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	defer func() { r.tried <- m.Data.Reason }()
	if r.refuse != nil {
		if err := r.refuse(r.tries, m); err != nil {
			return err
		}
	}
	r.got = append(r.got, string(m.Type)+" "+m.Data.Reason)
	r.ids = append(r.ids, m.ID)
	return nil
}

func (r *receiver) delivered() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// awaitTry waits until a message with that reason was tried.
func (r *receiver) awaitTry(t *testing.T, reason string) {
	t.Helper()
	for {
		select {
		case got := <-r.tried:
			if got == reason {
				return
			}
		case <-time.After(time.Minute):
			t.Fatalf("nothing was tried for %q; delivered: %q", reason, r.delivered())
		}
	}
}

type bed struct {
	t       *testing.T
	journal journal.Journal
	plant   *enginetest.Plant
	file    string
	log     bytes.Buffer
}

func newBed(t *testing.T) *bed {
	b := &bed{t: t, file: filepath.Join(t.TempDir(), "announced.json")}
	j, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	b.journal, b.plant = j, enginetest.Run(t, j, nil, time.Now())
	return b
}

// run announces to the receiver until end is called.
func (b *bed) run(r *receiver) (end func()) {
	b.t.Helper()
	for len(r.tried) > 0 { // by the run before, which may have tried once more before it ended
		<-r.tried
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(b.t.Context()))
	ended := make(chan error, 1)
	config := announce.Config{Engine: b.plant.Engine, Notifier: r, File: b.file, Log: slog.New(slog.NewTextHandler(&b.log, nil))}
	go func() { ended <- announce.Run(ctx, config) }()
	var once sync.Once
	end = func() {
		once.Do(func() {
			stop()
			if err := <-ended; err != nil {
				b.t.Errorf("the announcer ended: %v", err)
			}
		})
	}
	b.t.Cleanup(end)
	return end
}

// begun waits until the announcer has written down where it begins.
func (b *bed) begun() {
	b.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 60_000 {
		if _, err := os.Stat(b.file); err == nil {
			return
		}
		<-tick.C
	}
	b.t.Fatal("the announcer wrote nothing down")
}

func (b *bed) pull(reason string) andon.CordID {
	b.t.Helper()
	for _, e := range b.plant.Do(line.PullCord{Scope: andon.Scope{Kind: andon.ScopePlant}, Reason: reason}).Events {
		if pulled, ok := e.Body.(andon.CordPulled); ok {
			return pulled.Cord.ID
		}
	}
	b.t.Fatal("no cord was pulled")
	return ""
}

func (b *bed) release(cord andon.CordID, reason string) {
	b.t.Helper()
	b.plant.Do(line.ReleaseCord{Cord: cord, Reason: reason})
}

func (b *bed) want(r *receiver, want ...string) {
	b.t.Helper()
	if got := r.delivered(); !slices.Equal(got, want) {
		b.t.Errorf("delivered:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRun_TellsEachStopAndEachGoOnceOverRestarts(t *testing.T) {
	b := newBed(t)
	b.release(b.pull("before anybody listened"), "also before")
	r := newReceiver()
	end := b.run(r)
	b.begun()
	first := b.pull("one")
	b.release(first, "one is over")
	r.awaitTry(t, "one is over")
	end()

	second := b.pull("while nobody ran")
	end = b.run(r)
	b.release(second, "again")
	r.awaitTry(t, "again")
	end()

	// The whole plant starts again, and nothing happens before the next stop.
	b.plant.Stop()
	b.plant = enginetest.Run(t, b.journal, nil, time.Now())
	end = b.run(r)
	b.pull("last")
	r.awaitTry(t, "last")
	end()
	b.want(r, "line.stopped one", "line.running one is over", "line.stopped while nobody ran", "line.running again", "line.stopped last")
	if ids := slices.Compact(slices.Sorted(slices.Values(r.ids))); len(ids) != 5 {
		t.Errorf("the messages do not all have IDs of their own: %q", r.ids)
	}
}

func TestRun_ToldInTheMiddleOfABatchThatItEnds_RepeatsNothing(t *testing.T) {
	b := newBed(t)
	r := newReceiver()
	end := b.run(r)
	b.begun()
	end()
	b.release(b.pull("one"), "one is over") // both are there when the next one starts
	r.refuse = func(_ int, m notify.Message) error {
		if m.Data.Reason == "one is over" {
			return andon.Errorf(andon.KindUnreachable, "the receiver is away")
		}
		return nil
	}
	end = b.run(r)
	r.awaitTry(t, "one is over")
	end() // the first is delivered, the second is not
	r.refuse = nil
	end = b.run(r)
	r.awaitTry(t, "one is over")
	end()
	b.want(r, "line.stopped one", "line.running one is over")
}

func TestRun_TriesAgainUntilTheReceiverIsBack(t *testing.T) {
	b := newBed(t)
	r := newReceiver()
	r.refuse = func(try int, _ notify.Message) error {
		if try == 1 {
			return andon.Errorf(andon.KindUnreachable, "the receiver is away")
		}
		return nil
	}
	end := b.run(r)
	b.begun()
	b.pull("one")
	r.awaitTry(t, "one")
	r.awaitTry(t, "one")
	end()
	b.want(r, "line.stopped one")
}

func TestRun_GivesUpWhatTheReceiverRefusesForGood(t *testing.T) {
	b := newBed(t)
	r := newReceiver()
	r.refuse = func(_ int, m notify.Message) error {
		if m.Data.Reason == "unwanted" {
			return andon.Errorf(andon.KindRefused, "the receiver wants no more")
		}
		return nil
	}
	end := b.run(r)
	b.begun()
	b.release(b.pull("unwanted"), "wanted")
	r.awaitTry(t, "wanted")
	end()
	b.want(r, "line.running wanted")
	if r.tries != 2 || !strings.Contains(b.log.String(), "given up") {
		t.Errorf("%d tries, log: %s", r.tries, b.log.String())
	}
}

func TestRun_GoesOnWhenItsNoteIsTornOrOfAnotherJournal(t *testing.T) {
	for _, note := range []string{"", "{\"se", `{"seq": 123456}`} {
		b := newBed(t)
		if err := os.WriteFile(b.file, []byte(note), 0o600); err != nil {
			t.Fatal(err)
		}
		b.release(b.pull("before"), "over")
		r := newReceiver()
		end := b.run(r)
		tick := time.NewTicker(5 * time.Millisecond)
		for n := 0; len(r.delivered()) == 0; n++ { // it begins at the present end, whenever that is
			if n > 12_000 {
				t.Fatalf("with the note %q nothing is told any more", note)
			}
			<-tick.C
			b.release(b.pull("stop"), "go")
		}
		tick.Stop()
		end()
		if slices.Contains(r.delivered(), "line.stopped before") || !strings.Contains(b.log.String(), "note") {
			t.Errorf("with the note %q: %q, log %s", note, r.delivered(), b.log.String())
		}
	}
}

func TestRun_TellsEverythingAlthoughItCannotWriteItsNote(t *testing.T) {
	b := newBed(t)
	r := newReceiver()
	end := b.run(r)
	b.begun()
	// What stands in the way of the file's new content is stronger than root, unlike permissions.
	if err := os.Mkdir(b.file+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	b.release(b.pull("one"), "two")
	r.awaitTry(t, "two")
	b.pull("three")
	r.awaitTry(t, "three")
	end() // without an error: the plant goes on
	b.want(r, "line.stopped one", "line.running two", "line.stopped three")
}
