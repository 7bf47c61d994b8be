package engine

import (
	"sync"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/line"
)

// admissions say by which keys agents prove who they are, as of the last commit: every request of
// an agent asks, and thousands of pieces of a log must not wait for the owner of the state.
type admissions struct {
	mu    sync.RWMutex
	plant string
	hosts map[andon.AgentName]admission
}

type admission struct {
	key     string
	removed bool
}

func newAdmissions(s *line.State) *admissions {
	a := &admissions{plant: s.Plant, hosts: make(map[andon.AgentName]admission, len(s.Hosts))}
	for name, h := range s.Hosts {
		a.hosts[name] = admission{h.Key, h.Removed}
	}
	return a
}

// note follows committed events.
func (a *admissions) note(events []andon.Event) {
	for _, event := range events {
		switch body := event.Body.(type) {
		case andon.PlantCreated:
			a.mu.Lock()
			a.plant = body.Plant
			a.mu.Unlock()
		case andon.HostAdded:
			a.set(body.Host, admission{})
		case andon.HostJoined:
			a.set(body.Host, admission{key: body.Key})
		case andon.HostRemoved:
			a.set(body.Host, admission{removed: true})
		}
	}
}

func (a *admissions) set(name andon.AgentName, to admission) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hosts[name] = to
}

// Admission says by which key an agent proves who it is, as line.State.Admission does.
func (e *Engine) Admission(name andon.AgentName) (key string, known, removed bool) {
	e.admissions.mu.RLock()
	defer e.admissions.mu.RUnlock()
	h, known := e.admissions.hosts[name]
	return h.key, known, h.removed
}

// Plant returns the plant's ID; empty until it is created.
func (e *Engine) Plant() string {
	e.admissions.mu.RLock()
	defer e.admissions.mu.RUnlock()
	return e.admissions.plant
}
