package agent

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

func TestAgent_LetsNoServiceHaveMoreCopiesThanItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.copies = 2
		stop := w.agent()
		shop := desired(1, []andon.Copy{copyOf("g", 0), copyOf("g", 1), copyOf("g", 2)})
		cart := desired(1, []andon.Copy{copyOf("c", 0)})
		cart.Service = "cart"
		w.plant.set(nil, shop, cart)
		after(time.Second)
		refused := ""
		for id, s := range w.plant.observed() {
			if s.Phase == andon.PhaseFailed {
				refused += string(id) + ": " + s.Reason
			}
		}
		if !strings.HasPrefix(refused, "g.") || !strings.Contains(refused, "shop has 2 copies on this host already") || len(w.host.Running()) != 3 {
			t.Errorf("%q is refused, and %v run", refused, w.host.Running())
		}
		// What has begun goes on, whatever the next agent is told to allow.
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		w.copies = 1
		w.agent()
		after(time.Second)
		if running := w.host.Running(); len(running) != 3 {
			t.Errorf("after a restart, %v run", running)
		}
		// As soon as one has gone, the next may begin.
		w.copies = 2
		w.plant.set(nil, desired(2, []andon.Copy{copyOf("g", 1), copyOf("g", 2)}), cart)
		after(time.Minute)
		w.wantRunning("c.0")
	})
}

// wantRunning fails the test unless the copy runs.
func (w *world) wantRunning(id andon.InstanceID) {
	w.t.Helper()
	for _, running := range w.host.Running() {
		if running == id {
			return
		}
	}
	w.t.Errorf("%s does not run, but %v", id, w.host.Running())
}

func TestPorts_AreNotGivenTwiceOnOneHost(t *testing.T) {
	within := PortRange{First: 31900, Last: 31919}
	var given [2]*ports
	for i := range given {
		given[i] = newPorts(DefaultAddress, within)
		locks, err := openPortLocks()
		if err != nil {
			t.Fatal(err)
		}
		given[i].hold(locks)
		t.Cleanup(given[i].letGo)
	}
	taken := make(map[string]bool)
	for i := range 18 {
		address, err := given[i%2].give(andon.InstanceID("a." + strconv.Itoa(i)))
		if err != nil {
			t.Fatal(err)
		}
		if taken[address] {
			t.Errorf("%s is given twice", address)
		}
		taken[address] = true
	}
	// Who comes back after a restart has its ports again, and nobody else gets them.
	given[0].letGo()
	next := newPorts(DefaultAddress, within)
	locks, err := openPortLocks()
	if err != nil {
		t.Fatal(err)
	}
	next.hold(locks)
	t.Cleanup(next.letGo)
	for address := range taken {
		next.reserve("b.0", address)
	}
	for range 4 {
		address, err := given[1].give("c.0")
		if err != nil {
			t.Fatal(err)
		}
		if taken[address] {
			t.Errorf("%s is given to another after a restart", address)
		}
	}
}

func TestPorts_AreNotThoseOnWhichSomethingListens(t *testing.T) {
	// Wherever on this host: a copy may listen on all addresses.
	var ports []int
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "127.0.0.3", "::"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Logf("nothing can listen on %s: %v", host, err)
			continue
		}
		defer l.Close()
		ports = append(ports, portOf(l.Addr().String()))
	}
	for _, port := range ports {
		if free(net.JoinHostPort(DefaultAddress, strconv.Itoa(port))) {
			t.Errorf("port %d is taken for free", port)
		}
	}
	if len(ports) == 0 {
		t.Fatal("nothing listens")
	}
	// When somebody listens on the whole range, there still is a port.
	p := newPorts(DefaultAddress, PortRange{First: ports[0], Last: ports[0]})
	address, err := p.give("a.0")
	if err != nil || portOf(address) == ports[0] || !free(address) {
		t.Errorf("give returned %s, %v", address, err)
	}
}

func TestRoom_IsKeptForWhatRuns(t *testing.T) {
	for name, c := range map[string]struct {
		disk disk
		ok   bool
	}{
		"much is free of a large disk":   {disk{size: 1 << 40, free: 256 << 20}, true},
		"little is free of a large disk": {disk{size: 1 << 40, free: 255 << 20}, false},
		"much is free of a small disk":   {disk{size: 1 << 30, free: 52 << 20}, true},
		"little is free of a small disk": {disk{size: 1 << 30, free: 51 << 20}, false},
	} {
		if err := c.disk.roomFor("shop.production.1.0", "/data"); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		} else if err != nil && !strings.Contains(err.Error(), "no space left on device for new copies (") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBallast_GivesRoomToARecordWhenTheDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := loadBallast(dir); err != nil {
		t.Fatal(err)
	}
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, ballastFile))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if size() == 0 {
		t.Skip("this disk is too full, or too small, to keep anything free")
	}
	tries := 0
	err := withRoom(filepath.Join(dir, "results", "1.json"), func() error {
		tries++
		if size() > 0 {
			return &os.PathError{Op: "write", Path: "1.json", Err: syscall.ENOSPC}
		}
		return nil
	})
	if err != nil || tries != 2 {
		t.Errorf("after %d tries, the record ends with %v", tries, err)
	}
	if err := loadBallast(dir); err != nil || size() == 0 {
		t.Errorf("the ballast is not filled again: %v", err)
	}
}
