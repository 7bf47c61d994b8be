package history

import (
	"cmp"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/metrics"
)

// Totals are what was counted since the journal began. They only ever rise.
type Totals struct {
	Position    andon.Seq // the last event that is counted
	Deployments []DeploymentTotal
	Requests    []RequestTotal
	Leads       LeadTotal
}

// A DeploymentTotal counts deployments that ended alike.
type DeploymentTotal struct {
	Environment andon.EnvironmentName
	Kind        andon.DeploymentKind
	Outcome     andon.Outcome
	Count       int64
}

// A RequestTotal counts the requests of an environment's routes, as agents attested them at the
// changes of a route; those since the last change are not in it yet.
type RequestTotal struct {
	Environment andon.EnvironmentName
	Requests    int64
	Lost        int64 // of which: answered by the proxy itself with an error, or cut off by a copy
}

// A LeadTotal is the distribution of the change lead times.
type LeadTotal struct {
	Buckets [len(leadBounds)]int64 // how many were at most as long as LeadBounds says
	Count   int64
	Sum     metrics.Sum
}

// leadBounds are the upper bounds of the buckets of lead times.
var leadBounds = [...]time.Duration{ // never changes
	5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
	24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour,
}

// LeadBounds returns the upper bounds of the buckets of a LeadTotal, each of which belongs to it.
func LeadBounds() []time.Duration { return leadBounds[:] }

// A deploymentKind is what tells deployments apart in the totals.
type deploymentKind struct {
	environment andon.EnvironmentName
	kind        andon.DeploymentKind
	outcome     andon.Outcome
}

// totals are kept as events come in.
type totals struct {
	deployments map[deploymentKind]int64
	requests    map[andon.EnvironmentName]RequestTotal
	leads       LeadTotal
}

func newTotals() totals {
	return totals{deployments: make(map[deploymentKind]int64), requests: make(map[andon.EnvironmentName]RequestTotal)}
}

func (t *totals) addRequests(environment andon.EnvironmentName, requests, lost int64) {
	sum := t.requests[environment]
	// A proxy that lost its counters begins anew; what it had counted has happened.
	sum.Environment, sum.Requests, sum.Lost = environment, sum.Requests+max(requests, 0), sum.Lost+max(lost, 0)
	t.requests[environment] = sum
}

func (t *totals) addLead(lead time.Duration) {
	for i, bound := range leadBounds {
		if lead <= bound {
			t.leads.Buckets[i]++
		}
	}
	t.leads.Count++
	t.leads.Sum.Add(lead)
}

// ended counts a deployment that ended.
func (r recorder) ended(id andon.DeploymentID) error {
	var k deploymentKind
	err := r.store.row(r.ctx, `SELECT environment, kind, outcome FROM deployment WHERE id = ?`, id).Scan(&k.environment, &k.kind, &k.outcome)
	if err == nil {
		r.measure(func(n *numbers) { n.totals.deployments[k]++ })
	}
	return ignoreNone(err)
}

// Totals returns what was counted so far; false while the numbers are not in memory.
func (h *History) Totals() (t Totals, known bool) {
	h.reading.RLock()
	defer h.reading.RUnlock()
	if h.numbers == nil {
		return t, false
	}
	t.Position, t.Leads = h.Position(), h.numbers.totals.leads
	for k, count := range h.numbers.totals.deployments {
		t.Deployments = append(t.Deployments, DeploymentTotal{k.environment, k.kind, k.outcome, count})
	}
	for _, sum := range h.numbers.totals.requests {
		t.Requests = append(t.Requests, sum)
	}
	slices.SortFunc(t.Deployments, func(a, b DeploymentTotal) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Outcome, b.Outcome))
	})
	slices.SortFunc(t.Requests, func(a, b RequestTotal) int { return cmp.Compare(a.Environment, b.Environment) })
	return t, true
}
