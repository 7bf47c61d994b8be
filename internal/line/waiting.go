package line

import (
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// Waiting returns why each thing that does not move does not move: versions, then deployments,
// then tasks in the queue, each in the order of their names. The same code that would move them
// says so.
func (s *State) Waiting(now time.Time) []andon.Wait {
	var waits []andon.Wait
	for _, name := range sorted(s.Services) {
		svc := s.Services[name]
		for _, v := range svc.open() {
			_, w := s.versionNext(svc, v, now)
			waits = append(waits, w...)
		}
	}
	for _, key := range sorted(s.Places) {
		if p := s.Places[key]; p.waits() {
			waits = append(waits, s.placeWaits(p, now)...)
		}
	}
	for _, id := range s.Queue {
		waits = append(waits, s.queuedHold(s.Tasks[id]))
	}
	return waits
}

// WaitingFor returns the waits of one service: of its versions, deployments and tasks.
func (s *State) WaitingFor(name andon.ServiceName, now time.Time) []andon.Wait {
	var waits []andon.Wait
	if svc := s.Services[name]; svc != nil {
		for _, v := range svc.open() {
			_, w := s.versionNext(svc, v, now)
			waits = append(waits, w...)
		}
	}
	for _, env := range sorted(s.Environments) {
		p := s.Places[andon.Place{Service: name, Environment: env}.Key()]
		if p != nil && p.waits() {
			waits = append(waits, s.placeWaits(p, now)...)
		}
	}
	for _, id := range s.Queue {
		if t := s.Tasks[id]; t.Task.Version.Service == name {
			waits = append(waits, s.queuedHold(t))
		}
	}
	return waits
}

// placeWaits returns the waits of the deployments of a place: the one that changes it, and those that
// are queued behind it.
func (s *State) placeWaits(p *Place, now time.Time) []andon.Wait {
	_, waits := s.placeNext(p, now)
	if p.Active == nil {
		return waits // of the queued ones
	}
	for _, d := range p.Queued {
		held := s.stopped(d)
		if len(held) == 0 {
			held = s.busy(p, queuedWait(d))
		}
		waits = append(waits, held...)
	}
	return waits
}
