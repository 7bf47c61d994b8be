package proxy

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/andon-cd/andon/internal/andon"
)

// listenAll returns a listener for each public address, and closes those of the adopted ones
// that it does not use. Port 0 means the port that it meant the last time, if it is free. A port
// that is in use may become free within patience.
func listenAll(dir string, want []string, adopted []*net.TCPListener, patience time.Duration) (made []*net.TCPListener, err error) {
	remembered := rememberedAddresses(dir)
	defer func() {
		for _, l := range adopted {
			if !slices.Contains(made, l) {
				l.Close()
			}
		}
	}()
	for i, address := range want {
		l, err := listenOne(address, i, remembered, adopted, patience)
		if err != nil {
			for _, l := range made {
				l.Close()
			}
			return nil, err
		}
		made = append(made, l)
	}
	return made, remember(dir, made)
}

func listenOne(address string, i int, remembered []string, adopted []*net.TCPListener, patience time.Duration) (*net.TCPListener, error) {
	want, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, andon.Errorf(andon.KindInvalid, "The proxy cannot listen on %q.", address).Because(err).
			WithHint("Give an address as host:port, as in --proxy 127.0.0.1:8601.")
	}
	for _, l := range adopted {
		have := l.Addr().(*net.TCPAddr)
		samePort := have.Port == want.Port || want.Port == 0 && i < len(remembered) && remembered[i] == have.String()
		if samePort && (have.IP.Equal(want.IP) || have.IP.IsUnspecified() && len(want.IP) == 0) {
			return l, nil
		}
	}
	if want.Port == 0 && i < len(remembered) {
		if before, err := net.ResolveTCPAddr("tcp", remembered[i]); err == nil && before.IP.Equal(want.IP) {
			if l, err := listenWithin(before, patience); err == nil {
				return l, nil
			}
		}
	}
	l, err := listenWithin(want, patience)
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, andon.Errorf(andon.KindConflict, "The proxy cannot listen on %s: another program does.", address).Because(err).
			WithHint("Stop that program, or choose another address with --proxy ADDR.")
	}
	if err != nil {
		return nil, andon.Errorf(andon.KindConflict, "The proxy cannot listen on %s.", address).Because(err).
			WithHint("Choose another address with --proxy ADDR: one of this host, with a port that this user may have.")
	}
	return l, nil
}

// listenWithin listens on an address, which may be in use for a moment still.
func listenWithin(address *net.TCPAddr, patience time.Duration) (*net.TCPListener, error) {
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		l, err := net.ListenTCP("tcp", address)
		if !errors.Is(err, unix.EADDRINUSE) || !time.Now().Before(until) {
			return l, err
		}
	}
}

func addresses(listeners []*net.TCPListener) []string {
	var all []string
	for _, l := range listeners {
		all = append(all, l.Addr().String())
	}
	return all
}

func rememberedAddresses(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, "address"))
	if err != nil {
		return nil // nothing is lost but the port
	}
	return strings.Fields(string(text))
}

func remember(dir string, listeners []*net.TCPListener) error {
	path := filepath.Join(dir, "address")
	text := strings.Join(addresses(listeners), "\n") + "\n"
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
