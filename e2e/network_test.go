package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/andon-cd/andon/e2e/planttest"
)

// namespacesFile lists the network namespaces of a run, which its reaper removes if it could not.
const namespacesFile = "namespaces"

var networks atomic.Int64

// A network is some hosts and a switch between them, each in a network namespace of its own. None
// of its addresses is known outside.
type network struct {
	t      *testing.T
	prefix string
	mu     sync.Mutex
	ports  int
}

// A station is a place in a network. The zero station is this machine, as it is.
type station struct {
	network *network
	name    string // of the namespace
	port    string // of the switch
	address string
}

// newNetwork returns a network without hosts, which is removed after the test. It skips the test
// where namespaces cannot be made.
func newNetwork(t *testing.T) *network {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
	n := &network{t: t, prefix: fmt.Sprintf("andon-e2e-%d-%d", os.Getpid(), networks.Add(1))}
	if err := n.add("switch"); err != nil {
		t.Skipf("network namespaces cannot be made here: %v", err)
	}
	// What is for a host that is cut off disappears, as on a cable that is pulled.
	n.ip("-n", n.name("switch"), "route", "add", "blackhole", "10.99.0.0/16", "metric", "9999")
	n.run("nsenter", "--net=/run/netns/"+n.name("switch"), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
	return n
}

func (n *network) name(of string) string { return n.prefix + "-" + of }

// add makes a namespace.
func (n *network) add(of string) error {
	n.t.Helper()
	name := n.name(of)
	list, err := os.OpenFile(filepath.Join(planttest.Root(), namespacesFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer list.Close()
	if _, err := fmt.Fprintln(list, name); err != nil {
		return err
	}
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		return fmt.Errorf("ip netns add: %w: %s", err, out)
	}
	n.t.Cleanup(func() { n.ip("netns", "del", name) })
	n.ip("-n", name, "link", "set", "lo", "up")
	return nil
}

// station adds a host to the network.
func (n *network) station(of string) station {
	n.t.Helper()
	n.mu.Lock()
	number := n.ports
	n.ports++
	n.mu.Unlock()
	s := station{network: n, name: n.name(of), port: "port-" + of, address: fmt.Sprintf("10.99.%d.2", number)}
	if err := n.add(of); err != nil {
		n.t.Fatal(err)
	}
	middle, gateway := n.name("switch"), fmt.Sprintf("10.99.%d.1", number)
	n.ip("-n", middle, "link", "add", s.port, "type", "veth", "peer", "name", "eth0", "netns", s.name)
	n.ip("-n", middle, "addr", "add", gateway+"/30", "dev", s.port)
	n.ip("-n", middle, "link", "set", s.port, "up")
	n.ip("-n", s.name, "addr", "add", s.address+"/30", "dev", "eth0")
	n.ip("-n", s.name, "link", "set", "eth0", "up")
	n.ip("-n", s.name, "route", "add", "default", "via", gateway)
	return s
}

// cut pulls the host's cable at the switch: whatever is on its way is lost, and nobody is told.
func (s station) cut() {
	s.network.t.Helper()
	s.network.ip("-n", s.network.name("switch"), "link", "set", s.port, "down")
}

// mend plugs it in again.
func (s station) mend() {
	s.network.t.Helper()
	s.network.ip("-n", s.network.name("switch"), "link", "set", s.port, "up")
}

func (n *network) ip(args ...string) {
	n.t.Helper()
	n.run("ip", args...)
}

func (n *network) run(name string, args ...string) {
	n.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		n.t.Errorf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// Command returns a command as it is run at the station.
func (s station) Command(name string, args ...string) (string, []string) {
	if s.name == "" {
		return name, args
	}
	return "nsenter", append([]string{"--net=/run/netns/" + s.name, "--", name}, args...)
}

// Dial connects from the station. A socket belongs for good to the namespace in which it was made.
func (s station) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	if s.name == "" {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	there, err := os.Open("/run/netns/" + s.name)
	if err != nil {
		return nil, err
	}
	defer there.Close()
	dialled := make(chan struct{})
	go func() {
		defer close(dialled)
		runtime.LockOSThread() // and never unlocked: the thread ends, as it is of another network
		if err = enterNetwork(there); err == nil {
			conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		}
	}()
	<-dialled
	return conn, err
}

// removeNamespaces removes what a run that was killed left of its networks.
func removeNamespaces(dir string) {
	names, _ := os.ReadFile(filepath.Join(dir, namespacesFile))
	for name := range strings.FieldsSeq(string(names)) {
		if _, err := os.Stat("/run/netns/" + name); err == nil {
			_ = exec.Command("ip", "netns", "del", name).Run()
		}
	}
}
