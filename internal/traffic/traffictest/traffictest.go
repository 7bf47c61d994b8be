// Package traffictest is the conformance suite of traffic drivers.
package traffictest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// A Subject is a driver under test and the way to send requests through it.
type Subject struct {
	Traffic traffic.Traffic
	// Do sends a request, whose URL has the host that routes know, through the driver. The
	// body of the answer ends with an error if it was cut off. For a driver that moves
	// nothing itself it calls the copy at the address that the driver chose.
	Do func(*http.Request) (*http.Response, error)
	// Addr is where clients connect; empty: the driver moves no bytes, and what concerns only
	// bytes (websockets, streams, uploads) is not tested.
	Addr string
	// Secure says that Do speaks TLS with the driver.
	Secure bool
	// Groups says that the driver counts what each group answers (traffic.RouteState.Groups).
	Groups bool
	// GoneOrServed says that the driver cannot always tell a client that closed its connection from
	// one that has its answer: when the copy ends its answer because the client closed, or answers
	// before the request's end. Such a request counts as served or as gone.
	GoneOrServed bool
}

// Run runs the suite. The factory gives each test a driver without routes.
func Run(t *testing.T, factory func(t *testing.T) Subject) {
	tests := []struct {
		name  string
		bytes bool // needs a driver that moves bytes
		test  func(*testing.T, *bench)
	}{
		{"RoutesByHost", false, routesByHost},
		{"AnswersForUnknownHosts", false, answersForUnknownHosts},
		{"AnswersWithoutTargets", false, answersWithoutTargets},
		{"SharesByWeight", true, sharesByWeight},
		{"SharesExactlyBetweenGroups", true, sharesExactlyBetweenGroups},
		{"CountsWhatEachGroupAnswers", true, countsWhatEachGroupAnswers},
		{"ReportsGenerationAndTargets", false, reportsGenerationAndTargets},
		{"AppliesTheSameTwice", false, appliesTheSameTwice},
		{"RefusesAllOrNothing", false, refusesAllOrNothing},
		{"ForgetsRemovedRoutes", false, forgetsRemovedRoutes},
		{"SwitchesWithoutAFailedRequest", false, switchesWithoutAFailedRequest},
		{"DrainsWhatIsInFlight", false, drainsWhatIsInFlight},
		{"CutsOffWhatIsRemoved", false, cutsOffWhatIsRemoved},
		{"KeepsTheNewestLedgers", false, keepsTheNewestLedgers},
		{"ServesAPlacesOwnListener", true, servesAPlacesOwnListener},
		{"CarriesWebsocketsOverASwitch", true, carriesWebsocketsOverASwitch},
		{"StreamsEvents", true, streamsEvents},
		{"StreamsLargeUploads", true, streamsLargeUploads},
		{"DeliversEarlyAnswers", true, deliversEarlyAnswers},
		{"PassesTrailersAndHeads", true, passesTrailersAndHeads},
		{"BoundsBodies", true, boundsBodies},
		{"BoundsRequestsInFlight", true, boundsRequestsInFlight},
		{"KeepsClientsAtTheirCopies", true, keepsClientsAtTheirCopies},
		{"CountsClientsThatGo", true, countsClientsThatGo},
		{"CountsCopiesThatBreak", true, countsCopiesThatBreak},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := factory(t)
			if test.bytes && s.Addr == "" {
				t.Skip("this driver moves no bytes")
			}
			test.test(t, &bench{T: t, Subject: s})
		})
	}
}

// A bench is one test's driver and what the test does with it.
type bench struct {
	*testing.T
	Subject
}

var place = andon.Place{Service: "shop", Environment: "production"}

const host = "shop.localhost"

func deployment(n int64) andon.DeploymentID { return andon.NewDeploymentID(place, n) }

func (b *bench) apply(routes ...traffic.Route) {
	b.Helper()
	if err := b.Traffic.Apply(b.Context(), routes); err != nil {
		b.Fatalf("Apply: %v", err)
	}
}

// route returns the nth route of the place.
func route(n int64, targets []traffic.Target, draining ...traffic.Target) traffic.Route {
	return traffic.Route{Place: place, Generation: n, Hosts: []string{host}, Targets: targets, Draining: draining, Ledger: deployment(n)}
}

func (b *bench) state() traffic.RouteState {
	b.Helper()
	s, err := b.Traffic.State(b.Context())
	if err != nil {
		b.Fatalf("State: %v", err)
	}
	for _, r := range s.Routes {
		if r.Place == place {
			return r
		}
	}
	b.Fatalf("State has no route of %s: %+v", place, s)
	return traffic.RouteState{}
}

// total returns the sum of the place's ledgers.
func (b *bench) total() andon.Ledger {
	b.Helper()
	var sum andon.Ledger
	for _, l := range b.state().Ledgers {
		sum.Served += l.Served
		sum.Failed += l.Failed
		sum.ClientGone += l.ClientGone
		sum.Unknown += l.Unknown
		sum.Retried += l.Retried
		sum.AtSwitch += l.AtSwitch
		sum.Drained += l.Drained
		sum.CutOff += l.CutOff
		sum.Upgraded += l.Upgraded
		sum.Moved += l.Moved
	}
	return sum
}

// eventually waits until the condition holds, which has no event of its own.
func (b *bench) eventually(what string, condition func() bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			b.Fatalf("%s: not within a minute", what)
		case <-ticker.C:
		}
	}
}

func request(ctx context.Context, method, path string, body io.Reader) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+host+path, body)
	if err != nil {
		panic(err) // the test is wrong
	}
	return r
}

// get sends a request and returns the status and body.
func (b *bench) get(path string) (int, string) {
	b.Helper()
	status, body, err := b.fetch(request(b.Context(), http.MethodGet, path, nil))
	if err != nil {
		b.Fatalf("GET %s: %v", path, err)
	}
	return status, body
}

func (b *bench) fetch(r *http.Request) (int, string, error) {
	answer, err := b.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return answer.StatusCode, string(body), fmt.Errorf("body: %w", err)
	}
	return answer.StatusCode, string(body), nil
}

// SameAddress reports whether a driver listens where it did before, though nobody did for a moment.
// If another program on this machine got that port meanwhile, the driver could not have it.
func SameAddress(t *testing.T, was, is string) bool {
	t.Helper()
	if was == is {
		return true
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", was)
	if err != nil {
		t.Logf("another program has %s now: %v", was, err)
		return true
	}
	l.Close()
	return false
}
