// Package platformtest holds the suite that every driver of package platform passes.
package platformtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/platform"
)

// A Host is where the driver under test runs copies. Each test gets a new one.
type Host struct {
	// Open opens the driver over the host's state. The suite closes one before it opens the next.
	Open func(t *testing.T) platform.Platform
	// Artifact holds the programs that the commands name. Empty: the driver finds them without.
	Artifact andon.Digest
	// The commands of copies:
	Forever  []string                   // runs until it is asked to end
	Stubborn []string                   // runs until it is killed, though it is asked to end; it prints "up\n" when it no longer can be
	Exits    func(status int) []string  // ends at once with that status
	Prints   func(text string) []string // prints the text and runs until it is asked to end
}

// patience is how long the suite waits for what must happen, also on a machine that is busy.
const patience = 3 * time.Minute

// grace is what a copy that ends when it is asked never needs.
const grace = 3 * time.Minute

// Run runs the suite.
func Run(t *testing.T, host func(t *testing.T) Host) {
	for name, test := range map[string]func(*testing.T, Host){
		"StartedCopyRunsAndIsListed":           testStart,
		"StartingARunningCopyChangesNothing":   testStartTwice,
		"ExitedCopyIsStartedAgain":             testStartAfterExit,
		"ExitIsDelivered":                      testExit,
		"StopForgetsTheCopy":                   testStop,
		"StubbornCopyIsKilledAfterGrace":       testKill,
		"EndedCopyStaysKnownWithItsLog":        testEnd,
		"UnknownCopiesAreNoTrouble":            testUnknown,
		"CommandThatIsNotThereIsPermanent":     testCommandNotFound,
		"CopiesOutliveTheDriver":               testAdoption,
		"ExitOfAnAdoptedCopyIsDelivered":       testAdoptedExit,
		"LogIsReadFromAnOffset":                testLog,
		"CallsForDifferentCopiesRunConcurrent": testConcurrent,
	} {
		t.Run(name, func(t *testing.T) { test(t, host(t)) })
	}
}

func testStart(t *testing.T, h Host) {
	p := open(t, h)
	before := time.Now()
	inst := start(t, p, h.spec("a", h.Forever))
	want := platform.Instance{
		ID: "a", Artifact: h.spec("a", nil).Artifact, Config: h.spec("a", nil).Config,
		Address: h.spec("a", nil).Address, Running: true, Started: inst.Started,
	}
	if inst != want {
		t.Errorf("Start returned %+v, want %+v", inst, want)
	}
	if inst.Started.Before(before.Add(-time.Minute)) || inst.Started.After(time.Now().Add(time.Minute)) {
		t.Errorf("the copy started at %v, and it is %v", inst.Started, time.Now())
	}
	if list := list(t, p); len(list) != 1 || !list[0].Started.Equal(inst.Started) || !list[0].Running || list[0].ID != "a" {
		t.Errorf("List returned %+v, want the one copy %+v", list, inst)
	}
}

func testStartTwice(t *testing.T, h Host) {
	p := open(t, h)
	first := start(t, p, h.spec("a", h.Forever))
	other := h.spec("a", h.Exits(3))
	other.Address = "127.0.0.1:9"
	if again := start(t, p, other); !again.Started.Equal(first.Started) || again.Address != first.Address || !again.Running {
		t.Errorf("the second Start returned %+v, want the running copy %+v", again, first)
	}
}

func testStartAfterExit(t *testing.T, h Host) {
	p := open(t, h)
	start(t, p, h.spec("a", h.Exits(1)))
	awaitExit(t, p, "a")
	if inst := start(t, p, h.spec("a", h.Forever)); !inst.Running || inst.Exit != "" {
		t.Errorf("Start after an exit returned %+v, want a running copy", inst)
	}
	if list := list(t, p); len(list) != 1 {
		t.Errorf("List returned %+v, want one copy", list)
	}
}

func testExit(t *testing.T, h Host) {
	p := open(t, h)
	start(t, p, h.spec("a", h.Exits(3)))
	if inst := awaitExit(t, p, "a"); inst.Exit != "exit status 3" {
		t.Errorf("the copy ended with %q, want %q", inst.Exit, "exit status 3")
	}
}

func testStop(t *testing.T, h Host) {
	p := open(t, h)
	start(t, p, h.spec("a", h.Forever))
	began := time.Now()
	if err := p.Stop(t.Context(), "a", grace); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took >= grace {
		t.Errorf("stopping a copy that ends when asked took %v", took)
	}
	if list := list(t, p); len(list) != 0 {
		t.Errorf("List returned %+v after Stop", list)
	}
	if err := p.Stop(t.Context(), "a", grace); err != nil {
		t.Errorf("stopping again: %v", err)
	}
	select {
	case id := <-p.Exits():
		t.Errorf("the end of %s, which was stopped, was delivered as an exit", id)
	default:
	}
}

func testKill(t *testing.T, h Host) {
	p := open(t, h)
	start(t, p, h.spec("a", h.Stubborn))
	awaitLog(t, p, "a", "up\n")
	const short = 300 * time.Millisecond
	began := time.Now()
	if err := p.End(t.Context(), "a", short); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < short {
		t.Errorf("it was killed after %v, before its grace of %v was over", took, short)
	}
	if list := list(t, p); len(list) != 1 || list[0].Running || list[0].Exit != "killed by SIGKILL" {
		t.Errorf("List returned %+v, want a killed copy", list)
	}
}

func testEnd(t *testing.T, h Host) {
	p := open(t, h)
	start(t, p, h.spec("a", h.Prints("one\n")))
	awaitLog(t, p, "a", "one\n")
	if err := p.End(t.Context(), "a", grace); err != nil {
		t.Fatal(err)
	}
	if list := list(t, p); len(list) != 1 || list[0].Running || list[0].Exit == "" {
		t.Errorf("List returned %+v, want an exited copy", list)
	}
	start(t, p, h.spec("a", h.Prints("two\n")))
	awaitLog(t, p, "a", "one\ntwo\n")
	if err := p.Stop(t.Context(), "a", grace); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Log(t.Context(), "a", 0); andon.KindOf(err) != andon.KindNotFound {
		t.Errorf("Log of a stopped copy returned %v, want kind %s", err, andon.KindNotFound)
	}
}

func testUnknown(t *testing.T, h Host) {
	p := open(t, h)
	if err := p.Stop(t.Context(), "nobody", grace); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if err := p.End(t.Context(), "nobody", grace); err != nil {
		t.Errorf("End: %v", err)
	}
	if _, err := p.Log(t.Context(), "nobody", 0); andon.KindOf(err) != andon.KindNotFound {
		t.Errorf("Log returned %v, want kind %s", err, andon.KindNotFound)
	}
	if list := list(t, p); len(list) != 0 {
		t.Errorf("List returned %+v on an empty host", list)
	}
}

func testCommandNotFound(t *testing.T, h Host) {
	p := open(t, h)
	_, err := p.Start(t.Context(), h.spec("a", []string{"no-such-program-anywhere"}))
	if andon.KindOf(err) != andon.KindNotFound || !strings.Contains(err.Error(), "command not found") {
		t.Errorf("Start returned %v, want a command that is not found", err)
	}
	if _, err := p.Start(t.Context(), h.spec("b", nil)); andon.KindOf(err) != andon.KindInvalid {
		t.Errorf("Start without a command returned %v, want kind %s", err, andon.KindInvalid)
	}
	if list := list(t, p); len(list) != 0 {
		t.Errorf("List returned %+v, and nothing was started", list)
	}
}

func testAdoption(t *testing.T, h Host) {
	p := open(t, h)
	a := start(t, p, h.spec("a", h.Forever))
	start(t, p, h.spec("b", h.Exits(4)))
	awaitExit(t, p, "b")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	q := open(t, h)
	list := list(t, q)
	if len(list) != 2 || !list[0].Running || !list[0].Started.Equal(a.Started) || list[0].Address != a.Address ||
		list[0].Artifact != a.Artifact || list[0].Config != a.Config {
		t.Fatalf("a new driver lists %+v, want the running copy %+v and an exited one", list, a)
	}
	if list[1].Running || list[1].Exit != "exit status 4" {
		t.Errorf("a new driver lists %+v, want how it ended", list[1])
	}
	if again := start(t, q, h.spec("a", h.Forever)); !again.Started.Equal(a.Started) {
		t.Errorf("starting the adopted copy returned %+v, want it as it is: %+v", again, a)
	}
	if err := q.Stop(t.Context(), "a", grace); err != nil {
		t.Errorf("stopping the adopted copy: %v", err)
	}
}

func testAdoptedExit(t *testing.T, h Host) {
	p := open(t, h)
	start(t, p, h.spec("a", h.Forever))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	q := open(t, h)
	if err := q.End(t.Context(), "a", grace); err != nil {
		t.Fatal(err)
	}
	start(t, q, h.spec("a", h.Exits(0)))
	if inst := awaitExit(t, q, "a"); inst.Exit != "exit status 0" {
		t.Errorf("the copy ended with %q", inst.Exit)
	}
}

func testLog(t *testing.T, h Host) {
	p := open(t, h)
	start(t, p, h.spec("a", h.Prints("0123456789\n")))
	awaitLog(t, p, "a", "0123456789\n")
	r, err := p.Log(t.Context(), "a", 4)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Offset() != 4 {
		t.Errorf("the reader begins at %d, want 4", r.Offset())
	}
	buf := make([]byte, 3)
	if _, err := io.ReadFull(r, buf); err != nil || string(buf) != "456" || r.Offset() != 7 {
		t.Errorf("read %q, %v and is at %d, want 456 and 7", buf, err, r.Offset())
	}
	rest, err := io.ReadAll(r)
	if err != nil || string(rest) != "789\n" || r.Offset() != 11 {
		t.Errorf("read %q, %v and is at %d, want the rest and 11", rest, err, r.Offset())
	}
	if n, err := r.Read(buf); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("reading at the end returned %d, %v, want EOF", n, err)
	}
}

func testConcurrent(t *testing.T, h Host) {
	p := open(t, h)
	const copies = 12
	var all sync.WaitGroup
	for i := range copies {
		all.Go(func() {
			id := andon.InstanceID(fmt.Sprintf("c%02d", i))
			for range 2 {
				if _, err := p.Start(t.Context(), h.spec(id, h.Forever)); err != nil {
					t.Errorf("start %s: %v", id, err)
				}
				if _, err := p.List(t.Context()); err != nil {
					t.Errorf("list: %v", err)
				}
				if i%2 == 0 {
					if err := p.Stop(t.Context(), id, grace); err != nil {
						t.Errorf("stop %s: %v", id, err)
					}
				}
			}
		})
	}
	all.Wait()
	if list := list(t, p); len(list) != copies/2 {
		t.Errorf("List returned %d copies, want %d", len(list), copies/2)
	}
}

// spec returns the specification of a copy on the host.
func (h Host) spec(id andon.InstanceID, command []string) platform.Spec {
	s := Spec(id, command)
	if h.Artifact != "" {
		s.Artifact = h.Artifact
	}
	return s
}

// Spec returns the specification of a copy that the suite starts.
func Spec(id andon.InstanceID, command []string) platform.Spec {
	return platform.Spec{
		ID: id, Service: "shop", Environment: "test", Version: 1,
		Artifact: andon.Digest("sha256:" + strings.Repeat("a", 64)),
		Config:   andon.ConfigHash("sha256:" + strings.Repeat("c", 64)),
		Command:  command, Env: map[string]string{"PORT": "20001"}, Address: "127.0.0.1:20001",
	}
}

// open opens the driver, closes it when the test ends, and then stops everything.
func open(t *testing.T, h Host) platform.Platform {
	t.Helper()
	p := h.Open(t)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		clear := h.Open(t)
		defer clear.Close()
		ctx := context.WithoutCancel(t.Context()) // which is over already
		list, err := clear.List(ctx)
		if err != nil {
			t.Errorf("clean up: %v", err)
		}
		for _, inst := range list {
			if err := clear.Stop(ctx, inst.ID, 0); err != nil {
				t.Errorf("clean up %s: %v", inst.ID, err)
			}
		}
	})
	return p
}

func start(t *testing.T, p platform.Platform, spec platform.Spec) platform.Instance {
	t.Helper()
	inst, err := p.Start(t.Context(), spec)
	if err != nil {
		t.Fatalf("start %s: %v", spec.ID, err)
	}
	return inst
}

func list(t *testing.T, p platform.Platform) []platform.Instance {
	t.Helper()
	list, err := p.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// awaitExit waits until the exit of a copy is delivered, and returns it as it is listed then.
func awaitExit(t *testing.T, p platform.Platform, id andon.InstanceID) platform.Instance {
	t.Helper()
	select {
	case got := <-p.Exits():
		if got != id {
			t.Fatalf("the exit of %s was delivered, want %s", got, id)
		}
	case <-time.After(patience):
		t.Fatalf("no exit of %s was delivered", id)
	}
	all := list(t, p)
	i := slices.IndexFunc(all, func(inst platform.Instance) bool { return inst.ID == id })
	if i < 0 || all[i].Running {
		t.Fatalf("after its exit, %s is listed as %+v", id, all)
	}
	return all[i]
}

// awaitLog waits until a copy has written what it should. Nothing tells when a copy writes, so
// this looks again and again.
func awaitLog(t *testing.T, p platform.Platform, id andon.InstanceID, want string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		r, err := p.Log(t.Context(), id, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		if string(got) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log of %s is %q, want %q", id, got, want)
		}
	}
}
