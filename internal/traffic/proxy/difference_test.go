package proxy

import (
	"fmt"
	"testing"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/traffic"
)

func named(generation int64, names ...string) (routes []traffic.Route) {
	for _, n := range names {
		routes = append(routes, traffic.Route{Place: andon.Place{Service: andon.ServiceName(n)}, Generation: generation, Hosts: []string{n}})
	}
	return routes
}

func TestDifference_SaysOnlyWhatHasChanged(t *testing.T) {
	for name, test := range map[string]struct {
		have, want  []traffic.Route
		set, remove string
		full        bool
	}{
		"nothing":   {named(1, "a", "b"), named(1, "a", "b"), "", "", false},
		"order":     {named(1, "a", "b"), named(1, "b", "a"), "", "", false},
		"changed":   {named(1, "a", "b"), append(named(1, "a"), named(2, "b")...), "b2", "", false},
		"added":     {named(1, "a"), named(1, "b", "a"), "b1", "", false},
		"removed":   {named(1, "a", "b", "c"), named(1, "a", "c"), "", "b", false},
		"exchanged": {named(1, "a"), named(1, "b"), "b1", "a", false},
		"first":     {nil, named(1, "a"), "a1", "", false},
		"last":      {named(1, "a"), nil, "", "a", false},
		"twice":     {named(1, "a", "b"), named(1, "a", "a"), "a1a1", "", true},
	} {
		c, next := difference(test.have, test.want)
		var set, remove string
		for _, r := range c.Set {
			set += fmt.Sprint(r.Service, r.Generation)
		}
		for _, p := range c.Remove {
			remove += string(p.Service)
		}
		if set != test.set || remove != test.remove || c.Full != test.full || len(next) != len(test.want) {
			t.Errorf("%s: set %q, remove %q, full %v, %d routes", name, set, remove, c.Full, len(next))
		}
	}
}

func TestDifference_KeepsACopyOfItsOwn(t *testing.T) {
	want := named(1, "a")
	_, next := difference(nil, want)
	want[0].Hosts[0] = "changed"
	if c, _ := difference(next, want); len(c.Set) != 1 {
		t.Errorf("a change in the caller's slice goes unnoticed: %+v", c)
	}
}
