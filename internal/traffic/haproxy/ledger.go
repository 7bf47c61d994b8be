package haproxy

import (
	"slices"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

// latencyBounds never changes.
var latencyBounds = andon.LatencyBounds()

// A book has what was counted for one place, for the newest deployments.
type book struct {
	Ledgers []*andon.Ledger
	Groups  []*andon.GroupStats
}

// ledger returns what is counted for a deployment of a place: one that nobody sees if the
// deployment has none any more.
func (t *table) ledger(p andon.Place, d andon.DeploymentID) *andon.Ledger {
	if k := t.Books[p.Key()]; k != nil {
		for _, l := range k.Ledgers {
			if l.Deployment == d {
				return l
			}
		}
	}
	return &andon.Ledger{}
}

// open makes a ledger for the deployment if the place has none of it.
func (t *table) open(p andon.Place, d andon.DeploymentID) {
	k := t.Books[p.Key()]
	if k == nil {
		k = &book{}
		t.Books[p.Key()] = k
	}
	if slices.ContainsFunc(k.Ledgers, func(l *andon.Ledger) bool { return l.Deployment == d }) {
		return
	}
	k.Ledgers = append(k.Ledgers, &andon.Ledger{Deployment: d})
	if extra := len(k.Ledgers) - traffic.KeptLedgers; extra > 0 {
		k.Ledgers = slices.Delete(k.Ledgers, 0, extra)
	}
	k.Groups = slices.DeleteFunc(k.Groups, func(g *andon.GroupStats) bool {
		return !slices.ContainsFunc(k.Ledgers, func(l *andon.Ledger) bool { return l.Deployment == g.Ledger })
	})
}

// show returns copies of what the book has.
func (k *book) show() (ledgers []andon.Ledger, groups []andon.GroupStats) {
	for _, l := range k.Ledgers {
		ledgers = append(ledgers, *l)
	}
	for _, g := range k.Groups {
		shown := *g
		last := len(g.Latency)
		for last > 0 && g.Latency[last-1] == 0 {
			last--
		}
		shown.Latency = slices.Clone(g.Latency[:last])
		groups = append(groups, shown)
	}
	return ledgers, groups
}

// group returns what is counted of a group; nil if the deployment has no ledger any more.
func (k *book) group(g andon.GroupID, d andon.DeploymentID) *andon.GroupStats {
	for _, have := range k.Groups {
		if have.Group == g && have.Ledger == d {
			return have
		}
	}
	if !slices.ContainsFunc(k.Ledgers, func(l *andon.Ledger) bool { return l.Deployment == d }) {
		return nil
	}
	made := &andon.GroupStats{Group: g, Ledger: d, Latency: make([]int64, andon.LatencyBuckets)}
	k.Groups = append(k.Groups, made)
	return made
}

// count takes a line of the ring.
func (t *table) count(l line) {
	t.Last = l.id
	b := t.backend(l.backend)
	if b == nil {
		return // a request for no place
	}
	b.Counted++
	if b.free() {
		return
	}
	led := t.ledger(b.Place, b.Ledger)
	if l.moved {
		led.Retried++
	}
	switch l.outcome() {
	case served:
		led.Served++
	case failed:
		led.Failed++
	case gone:
		led.ClientGone++
	case counted:
		b.Ended++
		if s := t.left(b, l.slot); s != nil && l.live == upgraded {
			t.ledger(b.Place, s.Switched).Moved++
		}
	}
	t.judge(b, l)
}

// left returns a slot whose copy has left the route, nil if it has not, or had nothing in flight then.
func (t *table) left(b *backend, number int) *slot {
	if number < 1 || number > len(b.Slots) {
		return nil
	}
	s := &b.Slots[number-1]
	r, _ := t.route(b.Place)
	if s.Switched == "" || s.among(r.Targets) {
		return nil
	}
	return s
}

// judge counts the request for the group of the copy that had it last.
func (t *table) judge(b *backend, l line) {
	const killed = 'K' // by the driver, because its copy went away
	if l.slot < 1 || l.slot > len(b.Slots) || l.live == upgraded || l.end == 'C' || l.end == 'c' || l.end == killed {
		return
	}
	k := t.Books[b.Place.Key()]
	if k == nil {
		return
	}
	g := k.group(b.Slots[l.slot-1].Instance.Group(), b.Ledger)
	if g == nil {
		return
	}
	g.Requests++
	if l.status >= 500 || l.outcome() == failed {
		g.Errors++
	}
	if l.latency >= 0 {
		g.Latency[andon.LatencyBucket(latencyBounds, l.latency)]++
	}
}

// missed counts what a slot could not take, and another got, for the group of its copy.
func (t *table) missed(b *backend, n int, moved int64) {
	more := moved - b.Moved[n]
	if more <= 0 {
		return
	}
	if b.Moved == nil {
		b.Moved = map[int]int64{}
	}
	b.Moved[n] = moved
	k := t.Books[b.Place.Key()]
	if k == nil {
		return
	}
	if g := k.group(b.Slots[n-1].Instance.Group(), b.Ledger); g != nil {
		g.Requests += more
		g.Errors += more
	}
}
