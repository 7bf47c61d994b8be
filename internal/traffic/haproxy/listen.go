package haproxy

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/andon"
)

const (
	addressName = "address"
	portFree    = 2 * time.Second // until the listeners of a HAProxy that ended are gone
)

// listen makes the listeners that HAProxy inherits: the public ones, where port 0 means the
// port that it meant the last time if it is free, and one for each place, on the loopback
// interface, on the ports that they had.
func (d *Driver) listen(ctx context.Context) error {
	before := remembered(d.config.Dir)
	var addresses []string
	for i, want := range d.config.Listen {
		address, err := net.ResolveTCPAddr("tcp", want)
		if err != nil {
			return andon.Errorf(andon.KindInvalid, "HAProxy cannot listen on %q.", want).Because(err).
				WithHint("Give an address as host:port, for example 127.0.0.1:8601.")
		}
		l, err := listenPublic(ctx, address, i, before)
		if err != nil {
			return andon.Errorf(andon.KindConflict, "HAProxy cannot listen on %s.", want).Because(err).
				WithHint("Stop the program that has the port, or choose another address: one of this host, with a port that this user may have.")
		}
		d.listeners = append(d.listeners, l)
		addresses = append(addresses, l.Addr().String())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	free, cancel := context.WithTimeout(ctx, portFree) // for all of them together
	defer cancel()
	for n, port := range d.table.Ports {
		l, err := listenSoon(free, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil && port != 0 {
			d.config.Log.Warn("the address of a place's own listener had to change: its port is taken", "was", port)
			l, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		}
		if err != nil {
			return andon.Errorf(andon.KindConflict, "HAProxy cannot have its %d listeners for places.", len(d.table.Ports)).Because(err)
		}
		d.listeners = append(d.listeners, l)
		d.table.Ports[n] = l.Addr().(*net.TCPAddr).Port
	}
	d.addresses = addresses
	return write(d.config.Dir, addressName, strings.Join(addresses, "\n")+"\n")
}

func listenPublic(ctx context.Context, want *net.TCPAddr, i int, before []string) (*net.TCPListener, error) {
	if want.Port == 0 && i < len(before) {
		if was, err := net.ResolveTCPAddr("tcp", before[i]); err == nil && was.IP.Equal(want.IP) {
			if l, err := listenSoon(ctx, was); err == nil {
				return l, nil
			}
		}
	}
	return listenSoon(ctx, want)
}

// listenSoon listens on an address, which may be in use for a moment still.
func listenSoon(ctx context.Context, address *net.TCPAddr) (l *net.TCPListener, err error) {
	ctx, cancel := context.WithTimeout(ctx, portFree)
	defer cancel()
	_ = poll(ctx, func() bool { // err says what was wrong last
		l, err = net.ListenTCP("tcp", address)
		return !errors.Is(err, unix.EADDRINUSE)
	})
	return l, err
}

func remembered(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, addressName))
	if err != nil {
		return nil // nothing is lost but the port
	}
	return strings.Fields(string(text))
}
