package haproxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// validate says what is wrong with the routes. What it lets through can be written into
// HAProxy's configuration and commands as it is.
func validate(routes []traffic.Route, slots int) error {
	hosts := map[string]andon.Place{}
	seen := map[andon.Place]bool{}
	for _, r := range routes {
		if seen[r.Place] {
			return andon.Errorf(andon.KindInvalid, "There are two routes for %s.", r.Place)
		}
		seen[r.Place] = true
		if err := validateRoute(r, slots); err != nil {
			return err
		}
		for _, h := range r.Hosts {
			if other, taken := hosts[h]; taken {
				return andon.Errorf(andon.KindInvalid, "The host name %s is routed to %s and to %s.", h, other, r.Place).
					WithHint("Give each of the two a host name of its own.")
			}
			hosts[h] = r.Place
		}
	}
	return nil
}

func validateRoute(r traffic.Route, slots int) error {
	invalid := func(format string, args ...any) *andon.Error {
		return andon.Errorf(andon.KindInvalid, "The route of %s %s.", r.Place, fmt.Sprintf(format, args...))
	}
	if r.Ledger == "" {
		return invalid("does not say whom to count for")
	}
	if problem := validateBounds(r); problem != "" {
		return invalid("%s", problem)
	}
	for _, h := range r.Hosts {
		if !validHost(h) {
			return invalid("has the host name %q, which is not lower-case without port and final dot", h)
		}
	}
	seen := map[andon.InstanceID]bool{}
	for _, t := range slices.Concat(r.Targets, r.Draining) {
		if seen[t.Instance] {
			return invalid("names %s twice", t.Instance)
		}
		seen[t.Instance] = true
		if _, err := address(t); err != nil {
			return invalid("has the address %q for %s, which is not IP:port", t.Address, t.Instance)
		}
	}
	for _, t := range r.Targets {
		if t.Weight < 1 || t.Weight > 1_000_000 {
			return invalid("gives %s the weight %d, which is not from 1 to 1,000,000", t.Instance, t.Weight)
		}
	}
	if len(r.Targets) > slots {
		return invalid("has %d targets, more than the %d slots of HAProxy's backends", len(r.Targets), slots).
			WithHint("Run fewer copies, or give HAProxy's backends more slots.")
	}
	return nil
}

// validHost reports whether h is a host name, or an IPv6 address in brackets, as HAProxy finds
// it in a request: lower-case, without port and final dot.
func validHost(h string) bool {
	if inner, ok := strings.CutPrefix(h, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && h == "["+a.String()+"]"
	}
	if h == "" || len(h) > 253 || strings.HasSuffix(h, ".") {
		return false
	}
	return !strings.ContainsFunc(h, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_'
	})
}

// address returns where the target listens.
func address(t traffic.Target) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(t.Address)
	if err == nil && (a.Port() == 0 || a.Addr().Zone() != "") {
		err = fmt.Errorf("%s cannot be connected to", t.Address)
	}
	return a, err
}

// mostWeight is HAProxy's own limit.
const mostWeight = 256

// weights returns the slots' weights as HAProxy takes them: scaled down if one is above its limit.
func weights(slots []slot) []int {
	most := mostWeight
	for _, s := range slots {
		most = max(most, s.Weight)
	}
	var scaled []int
	for _, s := range slots {
		scaled = append(scaled, max(1, s.Weight*mostWeight/most))
	}
	return scaled
}
