package line

import (
	"fmt"
	"time"

	"github.com/andon-cd/andon/internal/andon"
)

// mostEvents bounds what may follow from one command. The largest thing that a command does is
// to release the whole plant: a few events for each service. More means a fault in this package.
const mostEvents = 200_000

// decision is one call of Decide on its way.
type decision struct {
	s      *State
	now    time.Time
	by     andon.Actor
	events []andon.Event
}

// Decide does what the command wants and everything that follows from it, and returns the
// events, which are applied already. Their Seq is zero; whoever appends them numbers them.
//
// On an error nothing was emitted and the state is unchanged, except on one of kind internal:
// then the state is not to be used any more and must be loaded again from the journal.
func (s *State) Decide(c Command, now time.Time) ([]andon.Event, error) {
	d := &decision{s: s, now: now.UTC().Round(0), by: c.By}
	if c.Do == nil {
		return nil, andon.Errorf(andon.KindInternal, "a command without a verb")
	}
	s.noticeClock(d.now)
	if err := d.do(c.Do); err != nil {
		return nil, err
	}
	d.by = andon.ActorLine
	for len(d.events) < mostEvents {
		bodies, more := s.next(d.now)
		if !more {
			return d.events, nil
		}
		d.emit(bodies...)
	}
	return nil, andon.Errorf(andon.KindInternal, "what follows from one command does not end").
		Because(fmt.Errorf("line: %d events from %T", len(d.events), c.Do))
}

func (d *decision) emit(bodies ...andon.Body) {
	for _, b := range bodies {
		e := andon.Event{Time: d.now, By: d.by, Body: b}
		d.s.Apply(e)
		d.events = append(d.events, e)
	}
}

// next looks at one thing that may have something to do, and returns what it does; false when
// nothing is left to look at.
func (s *State) next(now time.Time) ([]andon.Body, bool) {
	s.todo.expand(s)
	if name, ok := s.todo.service(); ok {
		if svc := s.Services[name]; svc != nil {
			return s.serviceNext(svc, now), true
		}
		return nil, true
	}
	if key, ok := s.todo.place(); ok {
		if p := s.Places[key]; p != nil {
			bodies, waits := s.placeNext(p, now)
			p.wake = earliest(waits)
			return bodies, true
		}
		return nil, true
	}
	if s.todo.tasks {
		s.todo.tasks = false
		return s.assign(), true
	}
	return nil, false
}

// noticeClock looks at every deployment again when the clock was set back.
func (s *State) noticeClock(now time.Time) {
	if now.Before(s.todo.seen) {
		for _, p := range s.Places {
			if p.Active != nil || p.Warm != nil {
				s.todo.markPlace(p.Place)
			}
		}
	}
	s.todo.seen = now
	if s.todo.loaded.IsZero() {
		s.todo.loaded = now
	}
}

// decide lets the line look at every place whose time has come.
func (Tick) decide(d *decision) error {
	for _, p := range d.s.Places {
		if !p.wake.IsZero() && !d.now.Before(p.wake) {
			d.s.todo.markPlace(p.Place)
		}
	}
	return nil
}

// Wake returns when the next Tick is due; zero when nothing depends on the time. A state that was
// just loaded wants one at once.
func (s *State) Wake() time.Time {
	var wake time.Time
	if s.todo.everything {
		return time.Unix(0, 0).UTC()
	}
	for _, p := range s.Places {
		if !p.wake.IsZero() && (wake.IsZero() || p.wake.Before(wake)) {
			wake = p.wake
		}
	}
	return wake
}

func earliest(waits []andon.Wait) time.Time {
	var t time.Time
	for _, w := range waits {
		if !w.Until.IsZero() && (t.IsZero() || w.Until.Before(t)) {
			t = w.Until
		}
	}
	return t
}
