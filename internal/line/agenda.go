package line

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// An agenda says what an applied event may have set free. Decide looks at that only, so that
// its cost does not grow with the plant. After a start everything is on it once: a newer
// release of this program may see something to do where an older one saw nothing.
type agenda struct {
	everything bool
	services   map[andon.ServiceName]struct{}
	places     map[string]struct{}
	tasks      bool
	seen       time.Time // when Decide was last called
	loaded     time.Time // when it was first called
}

func (a *agenda) markService(name andon.ServiceName) {
	if !a.everything && name != "" {
		put(&a.services, name, struct{}{})
	}
}

func (a *agenda) markPlace(p andon.Place) {
	if !a.everything {
		put(&a.places, p.Key(), struct{}{})
	}
}

func (a *agenda) markTasks() { a.tasks = true }

// markAll puts everything on the agenda that is not at rest.
func (s *State) markAll() {
	if s.todo.everything {
		return
	}
	for name := range s.Services {
		s.todo.markService(name)
	}
	for _, p := range s.Places {
		s.todo.markPlace(p.Place)
	}
	s.todo.tasks = true
}

func (a *agenda) expand(s *State) {
	if a.everything {
		a.everything = false
		s.markAll()
	}
}

func (a *agenda) service() (andon.ServiceName, bool) { return popLeast(a.services) }
func (a *agenda) place() (string, bool)              { return popLeast(a.places) }

// popLeast takes the least key out of a set, so that the same decisions come in the same order.
func popLeast[K cmp.Ordered](m map[K]struct{}) (K, bool) {
	var least K
	found := false
	for k := range m {
		if !found || k < least {
			least, found = k, true
		}
	}
	if found {
		delete(m, least)
	}
	return least, found
}

// sorted returns the keys of a map in rising order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
