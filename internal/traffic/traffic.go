// Package traffic is the contract between the agent and whatever moves requests to copies:
// the built-in proxy, HAProxy, and others. The drivers are in the directories beside it;
// package traffictest holds the suite that each of them passes.
package traffic

import (
	"context"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// A Route says which copies get the requests for one place's host names.
type Route struct {
	andon.Place
	Generation int64
	Hosts      []string           // lower-case, without port
	Targets    []Target           // get new requests; none: requests are answered with 503
	Draining   []Target           // get no new requests, keep those in flight
	Ledger     andon.DeploymentID // whom to count requests for
	// Sticky is the name of a cookie by which a client's requests go to one copy for as long as it
	// is among the targets; empty: none. What it says is the driver's own business.
	Sticky      string `json:",omitempty"`
	MaxInFlight int64  `json:",omitempty"` // requests on all targets together; those over it get 503. 0: no limit
	MaxBody     int64  `json:",omitempty"` // bytes of a request's body; a larger one gets 413. 0: no limit
}

// A Target is a copy and where it listens.
type Target struct {
	Instance andon.InstanceID
	Address  string // host:port
	Weight   int    // relative, at least 1
}

// A State is what the traffic driver does now.
type State struct {
	Routes []RouteState
}

// A RouteState is what the driver does for one place.
type RouteState struct {
	andon.Place
	Generation int64                      // of the Route that new requests follow
	Targets    []andon.InstanceID         // that get new requests
	InFlight   map[andon.InstanceID]int64 // requests and upgraded connections, of targets in the route and draining ones
	Address    string                     // 127.0.0.1:PORT: a listener for this route alone, whatever the Host header says; empty: the driver has none
	Ledgers    []andon.Ledger             // of the newest deployments, oldest first, at most KeptLedgers
	Groups     []andon.GroupStats         // of the same deployments; a driver that cannot tell groups apart gives none
}

// KeptLedgers is how many deployments of a place keep their running ledgers in the driver.
const KeptLedgers = 8

// Traffic moves requests to copies.
//
// All methods may be called from several goroutines at once. Errors are worth another try
// unless their kind is andon.KindInvalid.
type Traffic interface {
	// Apply makes the given routes the complete set, in one step, and returns when every new
	// request follows them. It is idempotent. A target that was known and is now in neither
	// Targets nor Draining loses its requests in flight, which count as cut off. Either all
	// routes apply, or none does and an error says why.
	Apply(ctx context.Context, routes []Route) error
	// State returns what the driver does now.
	State(ctx context.Context) (State, error)
	// Drained delivers a signal when a draining target's last request ends. It may be late or
	// spurious; State has the truth.
	Drained() <-chan struct{}
	// Close ends the driver's own goroutines. Traffic goes on.
	Close() error
}

// Limited is what a driver implements besides that does not take any number of targets: at most
// so many for one route. What has more is refused before it is deployed.
type Limited interface {
	MostTargets() int
}

// ApplyTimeout bounds one Apply.
const ApplyTimeout = 10 * time.Second
